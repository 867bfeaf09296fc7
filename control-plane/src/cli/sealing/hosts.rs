//! Where a login may be used, besides the registry itself: what a sensor saw, and what the operator accepts of it.

use std::collections::BTreeSet;
use std::io::Write as _;

use portolan_shared::secret::sealed::{BoundHost, BoundHosts};
use serde_json::Value;

use super::SealArgs;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;

/// Hosts that were accepted.
#[derive(Debug, Clone, Default)]
pub(super) struct Accepted {
    realm: BTreeSet<BoundHost>,
    storage: BTreeSet<BoundHost>,
}

/// Hosts that a sensor saw.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Seen {
    realm: BTreeSet<BoundHost>,
    storage: BTreeSet<BoundHost>,
}

impl Seen {
    /// Reads them from a probe. What is not a host is passed over, because it can be bound to nothing either.
    pub(super) fn in_probe(probe: &Value, registry: &BoundHost) -> Self {
        let hosts = |member: &str| -> BTreeSet<BoundHost> {
            let hosts = probe["facts"][member].as_array().into_iter().flatten();
            let hosts = hosts.filter_map(|host| host.as_str()?.parse().ok());
            hosts.filter(|host| host != registry).collect()
        };
        Self {
            realm: hosts("realm_hosts"),
            storage: hosts("storage_hosts"),
        }
    }
}

impl Accepted {
    /// What the flags name.
    pub(super) fn by(args: &SealArgs) -> Self {
        Self {
            realm: args.accept_realm.iter().cloned().collect(),
            storage: args.accept_storage.iter().cloned().collect(),
        }
    }

    pub(super) fn realm(&self) -> Result<BoundHosts, CliError> {
        BoundHosts::new(self.realm.iter().cloned()).map_err(CliError::usage)
    }

    pub(super) fn storage(&self) -> Result<BoundHosts, CliError> {
        BoundHosts::new(self.storage.iter().cloned()).map_err(CliError::usage)
    }

    /// Whether nothing was seen that is not accepted.
    pub(super) fn covers(&self, seen: &Seen) -> bool {
        seen.realm.is_subset(&self.realm) && seen.storage.is_subset(&self.storage)
    }

    /// Shows what was seen, and asks for each host that is not accepted yet. Where nobody can be asked, names the flags that are missing.
    pub(super) fn ask(&mut self, desk: &mut Desk<'_>, args: &SealArgs, seen: &Seen) -> Result<(), CliError> {
        let mut missing = Vec::new();
        let kinds = [
            (&mut self.realm, &seen.realm, &REALM),
            (&mut self.storage, &seen.storage, &STORAGE),
        ];
        for (accepted, seen, kind) in kinds {
            for host in seen {
                if accepted.contains(host) {
                    writeln!(desk.terminal.err, "  {} {host}, accepted", kind.what)?;
                    continue;
                }
                writeln!(desk.terminal.err, "  {} {host}", kind.what)?;
                if args.yes || !desk.terminal.has_person() {
                    missing.push(format!("{} {host}", kind.flag));
                } else if desk.terminal.agrees(&format!("{} {host}?", kind.question))? {
                    accepted.insert(host.clone());
                } else {
                    return Err(CliError::NotConfirmed);
                }
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(CliError::Usage(format!(
            "the registry names hosts that the login is not to be used with unless you say so. If they are right: {}",
            missing.join(" ")
        )))
    }

    /// What the login is bound to, as a sentence.
    pub(super) fn told(&self, registry: &BoundHost) -> String {
        let list = |hosts: &BTreeSet<BoundHost>| {
            let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
            hosts.join(", ")
        };
        let mut text = format!("for {registry}");
        if !self.realm.is_empty() {
            text.push_str(&format!(", with token service {}", list(&self.realm)));
        }
        if !self.storage.is_empty() {
            text.push_str(&format!(", downloads from {}", list(&self.storage)));
        }
        text
    }
}

/// What a kind of host is called.
struct Words {
    what: &'static str,
    question: &'static str,
    flag: &'static str,
}

const REALM: Words = Words {
    what: "token service",
    question: "May the login be sent to",
    flag: "--accept-realm",
};
const STORAGE: Words = Words {
    what: "downloads from",
    question: "May downloads be redirected to",
    flag: "--accept-storage",
};
