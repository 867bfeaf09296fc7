//! The page for administrators lists every rule that refuses, and no other.

use std::collections::BTreeSet;
use std::path::Path;

/// Where rules are named, from the root of the repository.
const SOURCES: [&str; 9] = [
    "agent/src/policy/control_plane.rs",
    "agent/src/policy/decide.rs",
    "agent/src/policy/entry.rs",
    "agent/src/policy/hop.rs",
    "agent/src/uplink/offered.rs",
    "agent/src/credentials/gate.rs",
    "agent/registry/src/http/guard.rs",
    "shared/src/model/address.rs",
    "agent/src/policy/address.rs",
];

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// Texts in quotes that look like ids of rules.
fn ids(source: &str) -> impl Iterator<Item = &str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    code.split('"').skip(1).step_by(2).filter(|text| {
        let begins = ["policy:", "address.", "port.", "credential:"];
        let plain = |c: char| c.is_ascii_lowercase() || ":._[]{}number".contains(c);
        begins.iter().any(|begin| text.starts_with(begin)) && text.chars().all(plain)
    })
}

#[test]
fn the_page_for_administrators_lists_every_rule() {
    let page = read("deploy/agent/policy.md");
    let listed: BTreeSet<&str> = page
        .split("## Who is refused what")
        .nth(1)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let mut named: BTreeSet<String> = SOURCES
        .iter()
        .flat_map(|path| ids(&read(path)).map(str::to_owned).collect::<Vec<_>>())
        .map(|id| id.replace("{number}", "N"))
        .collect();
    // The prefix of two others, and kinds that are told in words.
    for other in ["policy:limits", "address.private", "address.public"] {
        assert!(named.remove(other), "{other}");
    }
    named.insert("policy:allow[N].bytes_per_job".to_owned());
    named.insert("policy:limits.bytes_per_job".to_owned());
    let named: BTreeSet<&str> = named.iter().map(String::as_str).collect();
    assert_eq!(listed, named);
}
