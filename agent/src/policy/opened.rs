//! The entries of a policy, by the hosts that they open.

use portolan_shared::model::RepositoryPatterns;

use super::decide::{Policy, Rule};
use super::host::{HostPattern, HostPort};

/// What one `[[allow]]` entry opens.
#[derive(Debug, Clone, Copy)]
pub struct OpenedEntry<'p> {
    /// Id of its rule.
    pub rule: &'p str,
    /// Which hosts may be registries.
    pub host: &'p HostPattern,
    /// On which ports.
    pub ports: &'p [u16],
    /// Which other hosts may be their token services.
    pub realms: &'p [HostPort],
    /// Which other hosts they may redirect to.
    pub storage: &'p [HostPort],
    /// Which repositories may be read.
    pub repositories: &'p RepositoryPatterns,
}

impl Policy {
    /// Every entry, as they stand in the file.
    pub fn opened(&self) -> impl Iterator<Item = OpenedEntry<'_>> {
        self.rules.iter().map(|rule: &Rule| OpenedEntry {
            rule: &rule.id,
            host: &rule.host,
            ports: &rule.ports,
            realms: &rule.realms,
            storage: &rule.storage,
            repositories: &rule.repositories,
        })
    }
}
