//! The fault and abuse tests carry their ids in their names, and the table in `tests/README.md` tells which exist.

use std::collections::{BTreeMap, BTreeSet};

use portolan_structure::Tree;

use super::{none, tree};

/// How many fault tests there are to be.
const FAULTS: u32 = 60;

/// What the table says of a fault that has no test.
pub(super) const NOT_YET: &str = "not yet";

/// The suite of storage backends: its cases are functions that a macro makes tests of, once per backend.
const SUITE: &str = "tests/store-conformance/src/";

/// A test function whose name carries an id.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FaultTest<'a> {
    id: u32,
    pub(super) name: &'a str,
    is_run: bool,
}

/// Functions named `tNN_...` in `text`. One that no test attribute precedes is never run.
fn fault_tests(text: &str) -> Vec<FaultTest<'_>> {
    let mut found = Vec::new();
    let mut attributes = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") || line.starts_with("#!") {
            attributes.push(line);
            continue;
        }
        let name = line
            .split("fn ")
            .nth(1)
            .filter(|_| !line.starts_with("//"))
            .map(|rest| rest.split(['(', '<']).next().unwrap_or_default());
        if let Some(name) = name
            && let Some(id) = id_of(name)
        {
            let is_run = attributes.iter().any(|attribute| attribute.contains("test"))
                && !attributes.iter().any(|attribute| attribute.contains("ignore"));
            found.push(FaultTest { id, name, is_run });
        }
        attributes.clear();
    }
    found
}

fn id_of(name: &str) -> Option<u32> {
    let (digits, _) = name.strip_prefix('t')?.split_once('_')?;
    (digits.len() == 2).then(|| digits.parse().ok()).flatten()
}

/// Each row of the table: the id, and the names in backticks in its last column.
fn rows(text: &str) -> BTreeMap<u32, (BTreeSet<&str>, &str)> {
    text.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line
                .trim()
                .strip_prefix("| T")?
                .split('|')
                .map(str::trim)
                .collect();
            let id = cells.first()?.parse().ok()?;
            let last = cells.get(2).copied().unwrap_or_default();
            Some((id, (last.split('`').skip(1).step_by(2).collect(), last)))
        })
        .collect()
}

pub(super) fn all_fault_tests(tree: &Tree) -> Vec<(&str, FaultTest<'_>)> {
    tree.files()
        .iter()
        // This crate's own tests have such names in text that they read.
        .filter(|file| file.has_extension("rs") && !file.path.starts_with("tests/structure/"))
        .flat_map(|file| {
            fault_tests(&file.text)
                .into_iter()
                .map(|test| (file.path.as_str(), test))
        })
        .collect()
}

#[test]
fn names_of_fault_tests_are_unique_and_all_are_run() {
    let tree = tree();
    let suite: String = ["suite.rs", "suite_of_runs.rs"]
        .iter()
        .filter_map(|name| tree.file(&format!("{SUITE}{name}")))
        .map(|file| file.text.as_str())
        .collect();
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    let mut complaints = Vec::new();
    for (path, test) in all_fault_tests(&tree) {
        if let Some(other) = seen.insert(test.name, path) {
            complaints.push(format!("{} is in {other} and in {path}", test.name));
        }
        let is_case = path.starts_with(SUITE) && suite.contains(&format!(" {},\n", test.name));
        if !test.is_run && !is_case {
            complaints.push(format!("{path}: {} carries an id and is never run", test.name));
        }
        if !(1..=FAULTS).contains(&test.id) {
            complaints.push(format!(
                "{path}: {} carries an id that is not one of T01 to T{FAULTS}",
                test.name
            ));
        }
    }
    none(&complaints);
}

#[test]
fn the_table_of_fault_tests_tells_the_truth() {
    let tree = tree();
    let page = tree.file("tests/README.md").expect("there is a tests/README.md");
    let table = rows(&page.text);
    let mut exist: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    for (_, test) in all_fault_tests(&tree) {
        exist.entry(test.id).or_default().insert(test.name);
    }
    let mut complaints = Vec::new();
    for id in 1..=FAULTS {
        let names = exist.remove(&id).unwrap_or_default();
        let expected = if names.is_empty() {
            NOT_YET.to_owned()
        } else {
            names
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        match table.get(&id) {
            None => complaints.push(format!("tests/README.md has no row for T{id:02}")),
            Some((said, cell)) if *said != names || (names.is_empty() && *cell != NOT_YET) => {
                complaints.push(format!("tests/README.md, T{id:02} should end in: | {expected} |"));
            }
            Some(_) => {}
        }
    }
    none(&complaints);
}

#[test]
fn tests_and_rows_are_read() {
    let text = "#[tokio::test]\nasync fn t01_a_b() {}\nfn t02_c() {}\n#[test]\n#[ignore]\nfn t03_d() {}\n#[test]\nfn total() {}\n";
    let found: Vec<(u32, &str, bool)> = fault_tests(text)
        .iter()
        .map(|test| (test.id, test.name, test.is_run))
        .collect();
    assert_eq!(
        found,
        [(1, "t01_a_b", true), (2, "t02_c", false), (3, "t03_d", false)]
    );
    let table = rows(
        "| id | what | test |\n| --- | --- | --- |\n| T01 | x | `t01_a_b`, `t01_c` |\n| T02 | y | not yet |\n",
    );
    assert_eq!(table[&1].0, BTreeSet::from(["t01_a_b", "t01_c"]));
    assert_eq!(table[&2], (BTreeSet::new(), "not yet"));
}
