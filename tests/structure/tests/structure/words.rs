//! The repository speaks of the product alone.

use super::{none, tree};

/// What is never named, in two halves, so that this table does not find itself: hosts of package registries, which a mirror
/// or a blocked network makes wrong, and words about how the work was organised, which mean nothing to a reader.
const FORBIDDEN: &[(&str, &str)] = &[
    ("crates", ".io"),
    ("registry.npm", "js.org"),
    ("pypi", ".org"),
    ("pythonhosted", ".org"),
    ("rubygems", ".org"),
    ("proxy.golang", ".org"),
    ("deb.debian", ".org"),
    ("/work", "/"),
    ("design", ".md"),
    ("agent-protocol", ".md"),
    ("gitlab-registry", ".md"),
    ("oci-registries", ".md"),
    ("style", ".md"),
    ("as an ", "AI"),
];

/// Words that are fine alone, and not before a number: then they count pieces of work.
const NUMBERED: &[&str] = &["issue", "round", "session", "task"];

fn faults_of(line: &str) -> Vec<String> {
    let mut faults: Vec<String> = FORBIDDEN
        .iter()
        .map(|(one, two)| format!("{one}{two}"))
        .filter(|word| line.contains(word.as_str()))
        .collect();
    let lower = line.to_lowercase();
    for word in NUMBERED {
        let numbered = lower.match_indices(word).any(|(at, _)| {
            let before = lower[..at].chars().next_back();
            let after = lower[at + word.len()..].trim_start_matches([' ', '#']);
            lower[at + word.len()..].starts_with(' ')
                && !before.is_some_and(char::is_alphanumeric)
                && after.starts_with(|first: char| first.is_ascii_digit())
        });
        if numbered {
            faults.push(format!("{word} and a number"));
        }
    }
    faults
}

#[test]
fn nothing_but_the_product_is_named() {
    let tree = tree();
    let mut complaints = Vec::new();
    for file in tree.files().iter().filter(|file| file.name() != "Cargo.lock") {
        for (number, line) in file.text.lines().enumerate() {
            for fault in faults_of(line) {
                complaints.push(format!("{}:{}: {fault}", file.path, number + 1));
            }
        }
    }
    none(&complaints);
}

#[test]
fn a_forbidden_word_would_be_seen() {
    let host = ["see https://crates", ".io/x"].concat();
    assert_eq!(faults_of(&host).len(), 1);
    let numbered = ["as asked in Issue", " #2"].concat();
    assert_eq!(faults_of(&numbered), ["issue and a number"]);
    assert_eq!(
        faults_of("an issue of 2 certificates; a tissue 2; sessions 3"),
        Vec::<String>::new()
    );
}
