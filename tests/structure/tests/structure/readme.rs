//! What the README promises.

use std::collections::{BTreeMap, BTreeSet};

use super::{none, threats, tree, workspace};

/// Lines that the README may have, those of its table of threats not counted: each threat has a line.
const LINES: usize = 220;

/// The names in backticks in the first column of every table of `text`.
fn first_columns(text: &str) -> BTreeSet<&str> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix('|'))
        .filter_map(|row| row.split('|').next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn the_readme_is_short() {
    let tree = tree();
    let readme = tree.file("README.md").expect("there is a README.md");
    assert!(
        readme.text.lines().count() - threats::rows(&readme.text).len() <= LINES,
        "README.md has more than {LINES} lines"
    );
}

#[test]
fn the_readme_says_why_each_dependency_is_there() {
    let (tree, workspace) = (tree(), workspace());
    let readme = tree.file("README.md").expect("there is a README.md");
    let explained = first_columns(&readme.text);
    let ours: BTreeSet<&str> = workspace
        .members
        .iter()
        .map(|member| member.name.as_str())
        .collect();
    let mut direct: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for member in &workspace.members {
        for dependency in &member.dependencies {
            if !ours.contains(dependency.name.as_str()) {
                direct.entry(&dependency.name).or_default().push(&member.name);
            }
        }
    }
    let missing: Vec<String> = direct
        .iter()
        .filter(|(name, _)| !explained.contains(*name))
        .map(|(name, users)| {
            format!(
                "no table of README.md explains `{name}`, used by {}",
                users.join(", ")
            )
        })
        .collect();
    none(&missing);
}

#[test]
fn links_of_every_page_lead_somewhere() {
    let tree = tree();
    let mut complaints = Vec::new();
    for page in tree.files().iter().filter(|file| file.has_extension("md")) {
        for target in link_targets(&page.text) {
            let path = target.split('#').next().unwrap_or_default();
            let is_here = !path.is_empty()
                && !path.contains("://")
                && !path.contains("::")
                && path.contains(['/', '.']);
            if is_here && !tree.root().join(page.folder()).join(path).exists() {
                complaints.push(format!("{} links to {target}, which is not there", page.path));
            }
        }
    }
    none(&complaints);
}

/// The targets of `[text](target)`.
fn link_targets(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect()
}

#[test]
fn tables_and_links_are_read() {
    let text =
        "| crate | why |\n| --- | --- |\n| `a`, `b-c` | see `d` |\n\n[one](x/y.md#z) and [two](https://e)";
    assert_eq!(first_columns(text), BTreeSet::from(["a", "b-c"]));
    assert_eq!(link_targets(text), ["x/y.md#z", "https://e"]);
}
