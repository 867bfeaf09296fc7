use super::Source;

fn paths(text: &str) -> Vec<String> {
    Source::parse(text)
        .paths()
        .iter()
        .map(|path| path.join("::"))
        .collect()
}

#[test]
fn spreads_use_groups_out() {
    assert_eq!(
        paths("pub use a::{self, b, c::{d, *}, e as f};\nuse sqlx;\nuse ::tonic::Status;"),
        ["a", "a::b", "a::c::d", "a::c::*", "a::e", "sqlx", "tonic::Status"]
    );
    assert_eq!(paths("use {a::b, c};"), ["a::b", "c"]);
}

#[test]
fn finds_paths_in_code_and_attributes() {
    assert_eq!(
        paths("#[tonic::async_trait]\nfn f(x: super::super::Y<'_>) -> crate::Z { let a = b; c::d::<E>() }"),
        ["tonic::async_trait", "super::super::Y", "crate::Z", "c::d"]
    );
}

#[test]
fn comments_and_literals_hold_no_paths() {
    let text = r##"
        // sqlx::query
        /* axum::Router /* nested tonic::Status */ still */
        const A: &str = "grpc::x // not a comment";
        const B: &str = r#"web::"y""#;
        const C: char = '"'; const D: char = '\''; const E: &'static str = b"z\"cli::q";
        fn f() { crate::g() }
    "##;
    assert_eq!(paths(text), ["crate::g"]);
    let source = Source::parse(text);
    assert_eq!(
        source.literals().collect::<Vec<_>>(),
        ["grpc::x // not a comment", r#"web::"y""#, "zcli::q"]
    );
}

#[test]
fn lists_items_without_attributes() {
    let text = "//! Docs.\n#![expect(x)]\nmod a;\n#[cfg(test)]\nmod b;\npub use c::{d, e};\nfn f() { if g { h(); } }\nmod i {}\n";
    assert_eq!(
        Source::parse(text).items(),
        [
            "mod a;",
            "mod b;",
            "pub use c::{d,e};",
            "fn f(){if g{h();}}",
            "mod i{}"
        ]
    );
}

#[test]
fn text_that_is_not_rust_gives_no_panic() {
    for text in [
        "'", "\"", "r#\"", "/*", "use a::{", "a::", "use ::", "'\\", "}}}", "#[", "b'", "::{", "*/ :: *",
    ] {
        let source = Source::parse(text);
        let _ = (source.paths(), source.items());
    }
}
