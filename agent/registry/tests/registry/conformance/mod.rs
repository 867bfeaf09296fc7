//! One test for each behaviour of registries that a client has to bear, under its number. The cases are numbered through: pagination 1 to 18,
//! authentication 19 to 29, manifests 30 to 42, referrers 43 to 49, transport 50 to 56.

mod authentication;
mod authentication_tokens;
mod manifests;
mod manifests_contents;
mod pagination;
mod referrers;
mod transport;
mod transport_http2;
mod transport_proxy;
mod transport_tls;

/// Every case is there, once, and none beside.
#[test]
fn every_case_has_its_test() {
    let files = [
        include_str!("authentication.rs"),
        include_str!("authentication_tokens.rs"),
        include_str!("manifests.rs"),
        include_str!("manifests_contents.rs"),
        include_str!("pagination.rs"),
        include_str!("referrers.rs"),
        include_str!("transport.rs"),
        include_str!("transport_http2.rs"),
        include_str!("transport_proxy.rs"),
        include_str!("transport_tls.rs"),
    ];
    let mut cases: Vec<u32> = Vec::new();
    for file in files {
        let mut lines = file.lines().peekable();
        while let Some(line) = lines.next() {
            if !(line.starts_with("#[tokio::test") || line == "#[test]") {
                continue;
            }
            let name = lines.peek().unwrap().split("fn ").nth(1).unwrap();
            // A case may have several tests, each of which proves a part of it.
            let case = name
                .strip_prefix('c')
                .and_then(|name| name.get(..2)?.parse().ok());
            cases.push(case.unwrap_or_else(|| panic!("{name} has no number")));
        }
    }
    cases.sort_unstable();
    cases.dedup();
    assert_eq!(cases, (1..=56).collect::<Vec<_>>());
}
