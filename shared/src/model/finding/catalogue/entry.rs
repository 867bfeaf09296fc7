//! One entry, and how it is found.

use crate::model::facts::Flavour;
use crate::model::finding::code::{FindingCode, Severity};

use super::{connection, content, login, registry, schedule, sensor, tls, visibility, webhook};

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Which code.
    pub code: FindingCode,
    /// How much it matters.
    pub severity: Severity,
    /// The product that alone has it; none if any may.
    pub product: Option<Flavour>,
    /// How it shows.
    pub symptom: &'static str,
    /// The likely cause.
    pub cause: &'static str,
    /// What to do about it.
    pub cure: &'static str,
}

/// Entries that belong together, for the documentation.
#[derive(Debug, Clone, Copy)]
pub struct CatalogueSubject {
    /// What they have in common.
    pub title: &'static str,
    /// The entries.
    pub entries: &'static [Entry],
}

impl CatalogueSubject {
    /// Every subject, in the order in which a request meets them. Each code is in one of them, once.
    pub const ALL: &'static [Self] = &[
        Self {
            title: "The sensor itself",
            entries: sensor::ENTRIES,
        },
        Self {
            title: "Runs and schedules",
            entries: schedule::ENTRIES,
        },
        Self {
            title: "Telling others",
            entries: webhook::ENTRIES,
        },
        Self {
            title: "Getting there",
            entries: connection::ENTRIES,
        },
        Self {
            title: "TLS",
            entries: tls::ENTRIES,
        },
        Self {
            title: "The registry as a server",
            entries: registry::ENTRIES,
        },
        Self {
            title: "Logging in",
            entries: login::ENTRIES,
        },
        Self {
            title: "What can be seen",
            entries: visibility::ENTRIES,
        },
        Self {
            title: "Content",
            entries: content::ENTRIES,
        },
    ];
}

pub(in super::super) fn entry(code: FindingCode) -> &'static Entry {
    CatalogueSubject::ALL
        .iter()
        .flat_map(|subject| subject.entries)
        .find(|entry| entry.code == code)
        .expect("every code has an entry: a test goes through all of them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_entry_with_whole_sentences() {
        for code in FindingCode::ALL {
            let entries = CatalogueSubject::ALL.iter().flat_map(|subject| subject.entries);
            assert_eq!(entries.filter(|entry| entry.code == *code).count(), 1, "{code}");
            assert_eq!(code.as_str().parse::<FindingCode>(), Ok(*code));
            for text in [code.entry().symptom, code.cause(), code.cure()] {
                assert!(text.ends_with('.') && !text.contains('\n'), "{code}: {text}");
            }
        }
    }
}
