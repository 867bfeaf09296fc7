//! Credentials that several entries may use: what a compromised control plane could have sent to the wrong one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use super::decide::{Policy, Rule};
use super::first::Allowed;

impl Policy {
    /// Which entries share which credentials, in plain words; nothing if none do.
    pub(super) fn explain_sharing(&self, text: &mut String) -> fmt::Result {
        // By what is shared: the numbers of the entries that share it.
        let mut shared: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (second, rule) in self.rules.iter().enumerate() {
            for (first, before) in self.rules[..second].iter().enumerate() {
                for pattern in rule.shares_with(before) {
                    shared.entry(pattern).or_default().extend([first, second]);
                }
            }
        }
        let mut groups: BTreeMap<BTreeSet<usize>, Vec<String>> = BTreeMap::new();
        for (pattern, entries) in shared {
            groups.entry(entries).or_default().push(pattern);
        }
        for (entries, patterns) in &groups {
            let entries: Vec<String> = entries
                .iter()
                .map(|entry| format!("{} ({})", self.rules[*entry].id, self.rules[*entry].host))
                .collect();
            writeln!(text, "{} share {}.", entries.join(" and "), patterns.join(", "))?;
        }
        if !groups.is_empty() {
            writeln!(
                text,
                "What entries share, the control plane may name for each of them: if it were compromised, the login of one registry could be sent to \
                 another. Give each entry the `credentials` that are its own.\n"
            )?;
        }
        Ok(())
    }
}

impl Rule {
    /// The credentials of this machine that may be named for both.
    fn shares_with(&self, other: &Self) -> BTreeSet<String> {
        if !self.modes.local || !other.modes.local {
            return BTreeSet::new();
        }
        let pairs = self
            .credentials
            .iter()
            .flat_map(|own| other.credentials.iter().map(move |its| (own, its)));
        pairs
            .filter_map(|(own, its)| own.shared_with(its))
            .map(ToString::to_string)
            .collect()
    }
}

impl Allowed {
    /// What is to be said of a first policy in which several registries have the credentials that were named.
    #[must_use]
    pub fn note_of_sharing(&self) -> Option<String> {
        if self.registries.len() < 2 || self.credentials.is_empty() {
            return None;
        }
        let mut named = String::new();
        for credential in &self.credentials {
            // Writing into a String cannot fail.
            let _ = write!(named, " {credential}");
        }
        Some(format!(
            "Note: each of the {} registries may be read with each of the credentials that were named ({}), and the control plane says with which. To \
             separate them, leave in each [[allow]] entry of the policy only the `credentials` that are its own; `portolan-agent policy check` says \
             what is still shared.",
            self.registries.len(),
            named.trim_start()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::parse;
    use super::*;

    fn said(entries: &[&str]) -> String {
        let entries: String = entries
            .iter()
            .enumerate()
            .map(|(number, entry)| format!("[[allow]]\nhost = \"r{number}\"\n{entry}\n"))
            .collect();
        let mut text = String::new();
        let policy = parse(&format!("version = 1\n{entries}")).unwrap();
        policy.explain_sharing(&mut text).unwrap();
        assert!(policy.explain().contains(&text));
        text
    }

    #[test]
    fn entries_that_share_credentials_are_named_with_what_they_share() {
        let text = said(&[
            "",
            "",
            "credentials = [\"env:ONE\"]",
            "credentials = [\"env:TWO\"]",
        ]);
        for line in [
            "policy:allow[1] (r0) and policy:allow[2] (r1) share docker-config, env:*, file:/etc/portolan-agent/*,",
            "policy:allow[1] (r0) and policy:allow[2] (r1) and policy:allow[3] (r2) share env:ONE.",
            "policy:allow[1] (r0) and policy:allow[2] (r1) and policy:allow[4] (r3) share env:TWO.",
            "if it were compromised",
        ] {
            assert!(text.contains(line), "{line}:\n{text}");
        }
    }

    #[test]
    fn nothing_is_said_where_nothing_is_shared() {
        assert_eq!(said(&[""]), "");
        assert_eq!(
            said(&["credentials = [\"env:ONE\"]", "credentials = [\"env:TWO\"]"]),
            ""
        );
        assert_eq!(said(&["", "credentials = []"]), "");
        assert_eq!(said(&["", "credential_modes = [\"sealed\"]"]), "");
    }

    #[test]
    fn several_registries_with_named_credentials_get_a_note() {
        let allowed = |registries: &[&str], credentials: &[&str]| Allowed {
            registries: registries.iter().map(|text| text.parse().unwrap()).collect(),
            credentials: credentials.iter().map(|text| text.parse().unwrap()).collect(),
            ..Allowed::default()
        };
        let note = allowed(&["a", "b"], &["file:/x/a", "env:B"])
            .note_of_sharing()
            .unwrap();
        assert!(
            note.contains("each of the 2 registries") && note.contains("(file:/x/a env:B)"),
            "{note}"
        );
        assert_eq!(allowed(&["a"], &["env:B"]).note_of_sharing(), None);
        assert_eq!(allowed(&["a", "b"], &[]).note_of_sharing(), None);
    }
}
