//! The entries of a policy, by the hosts that they open.

use portolan_shared::model::{RegistryUrl, RepositoryPatterns};

use super::decide::{Policy, Rule};
use super::host::{HostPattern, HostPort};
use super::path::{PathPattern, default_paths};

/// What one `[[allow]]` entry opens.
#[derive(Debug, Clone, Copy)]
pub struct OpenedEntry<'p> {
    /// Id of its rule.
    pub rule: &'p str,
    /// Which hosts may be registries.
    pub host: &'p HostPattern,
    /// On which ports.
    pub ports: &'p [u16],
    /// With which paths.
    pub paths: &'p [PathPattern],
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
            paths: &rule.paths,
            realms: &rule.realms,
            storage: &rule.storage,
            repositories: &rule.repositories,
        })
    }
}

impl OpenedEntry<'_> {
    /// Registries that it may have at this host and port: one for each of its paths, with TLS and without.
    pub fn registries_at(&self, host: &str, port: u16) -> impl Iterator<Item = RegistryUrl> {
        let here = self.host.matches(host) && self.ports.contains(&port);
        let paths = self.paths.iter().filter(move |_| here);
        let texts = paths.flat_map(move |path| {
            ["https", "http"].map(|scheme| format!("{scheme}://{host}:{port}{}", path.example()))
        });
        texts.filter_map(|text| text.parse().ok())
    }

    /// Its paths, if it names any.
    #[must_use]
    pub fn own_paths(&self) -> &[PathPattern] {
        if self.paths == default_paths() {
            &[]
        } else {
            self.paths
        }
    }
}
