//! Every folder explains itself, and no file outgrows its reader.

use std::collections::BTreeSet;

use portolan_structure::{File, Source, Tree};

use super::{none, tree, workspace};

/// Lines that a file may have.
const LINES: usize = 400;

/// What people write; generated or recorded files are judged elsewhere.
const WRITTEN: &[&str] = &["rs", "proto", "sql", "toml", "md", "yaml", "sh"];

/// Bytes below which an explanation explains nothing.
const README_BYTES: usize = 200;
const DOCS_BYTES: usize = 20;

#[test]
fn every_crate_opens_with_its_readme() {
    let (tree, workspace) = (tree(), workspace());
    let mut complaints = Vec::new();
    for member in &workspace.members {
        let readme = format!("{}/README.md", member.folder);
        match tree.file(&readme) {
            None => complaints.push(format!("{readme} is missing")),
            Some(file)
                if file.text.len() < README_BYTES
                    || !file.text.starts_with(&format!("# {}\n", member.name)) =>
            {
                complaints.push(format!(
                    "{readme} has no heading `# {}`, or says almost nothing",
                    member.name
                ));
            }
            Some(_) => {}
        }
        let include = "#![doc = include_str!(\"../README.md\")]";
        let root = ["lib.rs", "main.rs"]
            .iter()
            .find_map(|name| tree.file(&format!("{}/src/{name}", member.folder)));
        match root {
            None => complaints.push(format!("{} has neither lib.rs nor main.rs", member.name)),
            Some(file) if !file.text.starts_with(include) => {
                complaints.push(format!("{} does not begin with {include}", file.path));
            }
            Some(_) => {}
        }
    }
    none(&complaints);
}

#[test]
fn folders_of_crates_have_a_page_of_their_own() {
    let tree = tree();
    let missing: Vec<String> = ["deploy/README.md", "tests/README.md"]
        .iter()
        .filter(|path| tree.file(path).is_none_or(|file| file.text.len() < README_BYTES))
        .map(|path| format!("{path} is missing or says almost nothing"))
        .collect();
    none(&missing);
}

#[test]
fn every_module_folder_opens_with_mod_rs() {
    let tree = tree();
    let folders: BTreeSet<&str> = tree
        .files()
        .iter()
        .filter(|file| file.has_extension("rs"))
        .map(File::folder)
        .filter(|folder| folder.split('/').skip_while(|part| *part != "src").count() > 1)
        .filter(|folder| !holds_tests_of_a_file(&tree, folder))
        .collect();
    let mut complaints = Vec::new();
    for folder in folders {
        let path = format!("{folder}/mod.rs");
        match tree.file(&path) {
            None => complaints.push(format!("{path} is missing")),
            Some(file) => complaints.extend(
                faults_of_mod_rs(&file.text)
                    .into_iter()
                    .map(|fault| format!("{path} {fault}")),
            ),
        }
    }
    none(&complaints);
}

/// Whether a folder is there for the tests of the file beside it alone: `x.rs` and `x/tests.rs`, or `x/tests/`.
fn holds_tests_of_a_file(tree: &Tree, folder: &str) -> bool {
    let owner = folder.strip_suffix("/tests").unwrap_or(folder);
    let mut files = tree.below(owner).filter(|file| file.has_extension("rs"));
    let only_tests =
        files.all(|file| file.name() == "tests.rs" || file.path[owner.len()..].starts_with("/tests/"));
    only_tests && tree.file(&format!("{owner}.rs")).is_some()
}

/// What is wrong with the text of a `mod.rs`, which holds docs, `mod` lines and re-exports only.
fn faults_of_mod_rs(text: &str) -> Vec<String> {
    let docs: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
    let docs = docs.join(" ").replace("//!", "");
    let mut faults = Vec::new();
    if docs.trim().len() < DOCS_BYTES || !docs.contains('.') {
        faults.push("does not begin with a sentence that says what lives there".to_owned());
    }
    for item in Source::parse(text).items() {
        let (visibility, rest) = visibility(&item);
        let is_mod = rest.starts_with("mod ") && item.ends_with(';');
        let is_export = !visibility.is_empty() && rest.starts_with("use ");
        if !is_mod && !is_export {
            faults.push(format!("holds more than docs, modules and re-exports: {item}"));
        }
    }
    faults
}

/// Takes `pub`, `pub(crate)` and the like off an item.
fn visibility(item: &str) -> (&str, &str) {
    let end = match item.strip_prefix("pub") {
        None => 0,
        Some(rest) if rest.starts_with('(') => item.find(')').map_or(0, |at| at + 1),
        Some(_) => "pub".len(),
    };
    let (visibility, rest) = item.split_at(end);
    (visibility, rest.trim_start())
}

#[test]
fn logic_in_a_mod_rs_would_be_seen() {
    let docs = "//! Says what lives in this folder, in a sentence of some length.\n";
    let fine = format!(
        "{docs}\nmod a;\npub(crate) mod b;\npub use a::{{C, d}};\npub(super) use b::E;\npub(in crate::x) use b::F;\n#[cfg(test)]\nmod tests;\n"
    );
    assert_eq!(faults_of_mod_rs(&fine), Vec::<String>::new());
    assert_eq!(faults_of_mod_rs("mod a;").len(), 1);
    assert_eq!(
        faults_of_mod_rs(&format!("{docs}mod a;\nuse a::B;\nfn c() {{}}\n")).len(),
        2
    );
}

#[test]
fn no_file_outgrows_its_reader() {
    let tree = tree();
    let long: Vec<String> = tree
        .files()
        .iter()
        .filter(|file| WRITTEN.iter().any(|extension| file.has_extension(extension)))
        // Nobody reads a made page from its beginning to its end.
        .filter(|file| {
            !file
                .text
                .lines()
                .take(6)
                .any(|line| line.contains("is generated from"))
        })
        .filter(|file| file.text.lines().count() > LINES)
        .map(|file| {
            format!(
                "{} has {} lines; {LINES} are the most",
                file.path,
                file.text.lines().count()
            )
        })
        .collect();
    none(&long);
}
