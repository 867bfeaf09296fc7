//! Reading the policy file: every fault in it, each with its line.

use std::path::{Path, PathBuf};

use portolan_shared::process::{FileError, open_bounded};
use toml::de::DeTable;

use super::command::{check_commands, read_commands};
use super::decide::{Policy, hash};
use super::entry::read_rules;
use super::faults::{Notes, PolicyFaults};
use super::limits::read_limits;
use super::owner::{Standing, standing};
use super::upload::read_upload;
use super::value::integer;
use super::window::read_windows;

/// A policy file, in bytes: refused above.
pub const POLICY_BYTES: u64 = 256 * 1024;
/// The format that this build reads.
const VERSION: i64 = 1;

/// The policy could not be read. Nothing is allowed then.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("the policy cannot be read")]
    File(#[source] FileError),
    /// It is not text.
    #[error("the policy {} is not UTF-8 text", path.display())]
    Text {
        /// Which file.
        path: PathBuf,
    },
    /// Everybody on this machine can change it: it says nothing about what its administrator wants.
    #[error("the policy {} can be changed, or replaced, by every user of this machine: chmod o-w it and its folders", path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// It is faulty.
    #[error("the policy {} is faulty:\n{faults}", path.display())]
    Faulty {
        /// Which file.
        path: PathBuf,
        /// In which ways.
        faults: PolicyFaults,
    },
}

impl Policy {
    /// Reads a policy file. One that does not exist allows nothing.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let Some((file, bytes)) = open_bounded(path, POLICY_BYTES).map_err(PolicyError::File)? else {
            return Ok(Self::nothing());
        };
        if let Standing::Everybody = standing(path, &file) {
            return Err(PolicyError::Exposed {
                path: path.to_owned(),
            });
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| PolicyError::Text {
            path: path.to_owned(),
        })?;
        parse(text).map_err(|faults| PolicyError::Faulty {
            path: path.to_owned(),
            faults,
        })
    }
}

/// Reads a policy from its text.
pub(super) fn parse(text: &str) -> Result<Policy, PolicyFaults> {
    let mut notes = Notes::on(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        notes.add(offset, error.message().to_owned());
    }
    let mut policy = Policy {
        hash: hash(text.as_bytes()),
        ..Policy::nothing()
    };
    let mut version = None;
    for (key, value) in document.get_ref() {
        let at = value.span().start;
        match key.get_ref().as_ref() {
            "version" => version = Some(value),
            "allow" => policy.rules = read_rules(value, &mut notes),
            "command" => policy.commands = read_commands(value, &mut notes),
            "window" => policy.windows = read_windows(value, &mut notes),
            "limits" => match value.get_ref().as_table() {
                Some(table) => policy.limits = read_limits(at, table, &mut notes),
                None => notes.add(at, "limits must be written as [limits]"),
            },
            "upload" => match value.get_ref().as_table() {
                Some(table) => policy.withhold = read_upload(table, &mut notes),
                None => notes.add(at, "upload must be written as [upload]"),
            },
            other => notes.add(
                key.span().start,
                format!("unknown key {other:?}: expected version, [[allow]], [[command]], [limits], [upload] or [[window]]"),
            ),
        }
    }
    check_commands(document.get_ref(), &policy.rules, &policy.commands, &mut notes);
    match version.map(|value| (value, integer(value))) {
        Some((_, Some(VERSION))) => {}
        Some((value, _)) => notes.add(value.span().start, format!("version must be {VERSION}")),
        None if document.get_ref().is_empty() => {}
        None => notes.add(0, format!("version is missing: begin with version = {VERSION}")),
    }
    notes.finish(policy)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
