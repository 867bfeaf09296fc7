//! In which ways a registry's credential may come to this machine.

use std::fmt;

use super::faults::Notes;
use super::value::{Value, items};

/// In which ways. Reading as nobody needs none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CredentialModes {
    /// References that this machine resolves itself.
    pub(super) local: bool,
    /// Values that were sealed for this sensor elsewhere.
    pub(super) sealed: bool,
}

impl Default for CredentialModes {
    fn default() -> Self {
        Self {
            local: true,
            sealed: true,
        }
    }
}

impl CredentialModes {
    pub(super) fn read(value: &Value<'_>, notes: &mut Notes<'_>) -> Self {
        let mut modes = Self {
            local: false,
            sealed: false,
        };
        for item in items(value, "a list of credential modes", notes) {
            match item.get_ref().as_str() {
                Some("local") => modes.local = true,
                Some("sealed") => modes.sealed = true,
                _ => notes.add(item.span().start, "a credential mode is \"local\" or \"sealed\""),
            }
        }
        modes
    }
}

impl fmt::Display for CredentialModes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.local, self.sealed) {
            (true, true) => "local or sealed",
            (true, false) => "local only",
            (false, true) => "sealed only",
            (false, false) => "none",
        })
    }
}
