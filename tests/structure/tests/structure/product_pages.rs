//! Every product has its page, and pages speak only of findings that exist.

use std::collections::BTreeSet;

use super::{none, tree};

/// The words of an enumeration made by `words!` or `codes!`: what stands quoted behind `=` in its block.
fn words<'t>(text: &'t str, begin: &str) -> BTreeSet<&'t str> {
    let block = text.split_once(begin).expect("the enumeration is there").1;
    let block = block.split_once("\n    }\n}").map_or(block, |(block, _)| block);
    let block = block.split_once("\n}\n").map_or(block, |(block, _)| block);
    block
        .lines()
        .filter_map(|line| line.trim().strip_suffix("\","))
        .filter_map(|line| line.split_once(" = \""))
        .map(|(_, word)| word)
        .collect()
}

#[test]
fn every_product_has_a_page_and_a_row() {
    let tree = tree();
    let facts = tree.file("shared/src/model/facts.rs").expect("the model has it");
    let flavours = words(&facts.text, "    Flavour {");
    assert!(flavours.len() > 15, "{flavours:?}");
    let readme = tree
        .file("deploy/agent/README.md")
        .expect("there is a table of products");
    let mut complaints = Vec::new();
    for flavour in flavours {
        if tree
            .file(&format!("deploy/agent/registries/{flavour}.md"))
            .is_none()
        {
            complaints.push(format!("deploy/agent/registries/{flavour}.md is missing"));
        }
        if !readme.text.contains(&format!("(registries/{flavour}.md)")) {
            complaints.push(format!("deploy/agent/README.md has no row for {flavour}"));
        }
    }
    none(&complaints);
}

#[test]
fn pages_speak_of_findings_and_methods_that_exist() {
    let tree = tree();
    let file = |path: &str| &tree.file(path).expect("the model has it").text;
    let mut known = words(file("shared/src/model/finding/code.rs"), "\ncodes! {");
    assert!(known.len() > 60, "{}", known.len());
    let coverage = file("shared/src/model/coverage.rs");
    known.extend(words(coverage, "    DiscoveryMethod {"));
    known.extend(words(coverage, "    ListingMethod {"));
    let subjects: BTreeSet<&str> = known
        .iter()
        .filter_map(|code| code.split_once('.'))
        .map(|(subject, _)| subject)
        .collect();
    let mut complaints = Vec::new();
    for page in tree.below("deploy/agent").filter(|page| page.has_extension("md")) {
        for quoted in page.text.split('`').skip(1).step_by(2) {
            let Some((subject, rest)) = quoted.split_once('.') else {
                continue;
            };
            let is_word = !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            // `policy.toml` and the like are files.
            let is_code = subjects.contains(subject) && is_word && rest != "toml";
            if is_code && !known.contains(quoted) {
                complaints.push(format!("{}: there is no {quoted}", page.path));
            }
        }
    }
    none(&complaints);
}
