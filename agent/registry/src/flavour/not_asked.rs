//! A product's own way to find repositories that is not gone, with the reason: an operator who looks for it finds out why.

use async_trait::async_trait;
use portolan_shared::model::{DiscoveryMethod, Finding, FindingCode, RepositoryName};

use super::product::{RepositoryPages, Rung};
use crate::api::Page;
use crate::client::RegistryClient;
use crate::error::RegistryError;

/// The rung in the place of `method`, which asks nobody, finds nothing and says why.
pub(super) fn not_asked(client: &RegistryClient, method: DiscoveryMethod, why: &str) -> Rung {
    Rung {
        method,
        shows_all: false,
        pages: Box::new(NotAsked(finding(client, method, why))),
    }
}

/// That `method` is not asked, and why.
pub(super) fn finding(client: &RegistryClient, method: DiscoveryMethod, why: &str) -> Finding {
    let registry = client.url().reference_host();
    let seen = format!("{registry}: {method} is not asked: {why}");
    Finding::new(FindingCode::NativeApiNotAsked, &seen)
}

struct NotAsked(Finding);

#[async_trait]
impl RepositoryPages for NotAsked {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        Ok(None)
    }

    fn shortfall(&self) -> Option<Finding> {
        Some(self.0.clone())
    }
}
