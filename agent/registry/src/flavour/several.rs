//! Discovery in several places, one after the other: namespaces, owners, or the parts of an instance. One that fails does not stop the others.

use portolan_shared::model::{DiscoveryMethod, Finding, FindingCode};

use crate::api::WalkEnd;
use crate::client::RegistryClient;
use crate::error::RegistryError;

/// Parts of one instance that are looked in: further ones are left out, and it is said.
pub(super) const PARTS: usize = 2_000;

/// How the places fared.
#[derive(Debug, Default)]
pub(super) struct Several {
    listed: u64,
    failed: u64,
    first: Option<Finding>,
    /// Rows of what these places list that cannot be read.
    unreadable: u64,
}

impl Several {
    /// One more was listed to its end.
    pub(super) fn listed(&mut self) {
        self.listed += 1;
    }

    /// One more failed. The error comes back if nothing else need be tried, or if it was the last and none was listed.
    pub(super) fn failed(&mut self, error: RegistryError, is_last: bool) -> Result<(), RegistryError> {
        if error.concerns_whole_registry() || (is_last && self.listed == 0) {
            return Err(error);
        }
        self.failed += 1;
        self.first.get_or_insert_with(|| error.finding());
        Ok(())
    }

    /// So many rows more could not be read: what they stand for is missing in the list.
    pub(super) fn unreadable(&mut self, rows: u64) {
        self.unreadable += rows;
    }

    /// Whether there was none so far.
    pub(super) fn is_untried(&self) -> bool {
        self.listed == 0 && self.failed == 0
    }

    /// What to record once all were tried: why not all were listed, or that one of the walks was cut short.
    pub(super) fn shortfall(
        &self,
        client: &RegistryClient,
        method: DiscoveryMethod,
        cut: Option<WalkEnd>,
    ) -> Option<Finding> {
        if let Some(end) = cut {
            let seen = format!(
                "{}: {end}, reading what {method} lists",
                client.url().reference_host()
            );
            return Some(Finding::new(FindingCode::ListingIncomplete, &seen));
        }
        if self.unreadable > 0 {
            let seen = format!(
                "{}: {} rows cannot be read, reading what {method} lists",
                client.url().reference_host(),
                self.unreadable
            );
            return Some(Finding::new(FindingCode::ListingIncomplete, &seen));
        }
        if self.is_untried() {
            // Somebody who has lost every right sees no more of it than that.
            let seen = format!(
                "{}: {method} has nowhere to look in",
                client.url().reference_host()
            );
            return Some(Finding::new(FindingCode::NothingVisible, &seen));
        }
        let first = self.first.as_ref()?;
        let (failed, all) = (self.failed, self.failed + self.listed);
        let registry = client.url().reference_host();
        let seen = format!(
            "{registry}: {failed} of {all} places that {method} looks in could not be listed; {}",
            first.seen
        );
        Some(Finding::new(FindingCode::ViewIsPartial, &seen))
    }
}
