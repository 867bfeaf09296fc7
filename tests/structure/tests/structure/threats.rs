//! The README's table of threats names the proof of each, and every test that it names exists.

use std::collections::BTreeSet;

use super::fault_table::{NOT_YET, all_fault_tests};
use super::{none, tree};

/// The first line of the table.
const HEAD: &str = "| who × what |";
/// Threats that the model has.
const THREATS: usize = 31;

/// One threat: who and what, and the last cell, which names its tests or says that there are none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Threat<'a> {
    who: &'a str,
    proof: &'a str,
}

impl<'a> Threat<'a> {
    fn tests(&self) -> BTreeSet<&'a str> {
        self.proof.split('`').skip(1).step_by(2).collect()
    }
}

/// The rows of the table in a page.
pub(super) fn rows(text: &str) -> Vec<Threat<'_>> {
    text.lines()
        .skip_while(|line| !line.starts_with(HEAD))
        .skip(2)
        .map_while(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .filter_map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            match cells.as_slice() {
                [who, _, _, proof] => Some(Threat { who, proof }),
                _ => None,
            }
        })
        .collect()
}

#[test]
fn every_threat_names_tests_that_exist_or_says_that_there_are_none_yet() {
    let tree = tree();
    let readme = tree.file("README.md").expect("there is a README.md");
    let exist: BTreeSet<&str> = all_fault_tests(&tree).iter().map(|(_, test)| test.name).collect();
    let threats = rows(&readme.text);
    let mut complaints = Vec::new();
    if threats.len() != THREATS {
        complaints.push(format!("README.md has {} threats of {THREATS}", threats.len()));
    }
    for threat in &threats {
        let tests = threat.tests();
        if tests.is_empty() && threat.proof != NOT_YET {
            complaints.push(format!(
                "README.md, {}: names no test, and does not say {NOT_YET}",
                threat.who
            ));
        }
        for test in tests {
            if !exist.contains(test) {
                complaints.push(format!(
                    "README.md, {}: there is no fault test {test}",
                    threat.who
                ));
            }
        }
    }
    none(&complaints);
}

#[test]
fn rows_are_read() {
    let text = "| other | table |\n| --- | --- |\n| a | b |\n\n| who × what | attack | what stops it | proof |\n| --- | --- | --- | --- |\n\
                | a × b | c | d | `t01_e`, `t02_f`; more: not yet |\n| g × h | i | j | not yet |\n\n| k | l | m | n |\n";
    let rows = rows(text);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].tests(), BTreeSet::from(["t01_e", "t02_f"]));
    assert_eq!((rows[1].who, rows[1].proof), ("g × h", "not yet"));
}
