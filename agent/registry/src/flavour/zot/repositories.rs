//! The repositories that the search extension knows.

use async_trait::async_trait;
use portolan_shared::model::{DiscoveryMethod, Finding, FindingCode, RepositoryName};
use serde::Deserialize;

use super::query::{requested, search};
use crate::api::Page;
use crate::auth::Scope;
use crate::client::RegistryClient;
use crate::error::{RegistryError, Subject};
use crate::flavour::numbered::Numbered;
use crate::flavour::product::RepositoryPages;

/// Rows on a page.
const SIZES: &[usize] = &[1000];

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "Name")]
    name: String,
}

pub(super) struct Repositories {
    client: RegistryClient,
    walk: Numbered,
    malformed: u64,
    /// Rows that cannot be read.
    unreadable: u64,
}

impl Repositories {
    pub(super) fn new(client: RegistryClient) -> Self {
        let limits = client.limits();
        Self {
            walk: Numbered::new(SIZES, limits.pages, limits.repositories),
            client,
            malformed: 0,
            unreadable: 0,
        }
    }
}

#[async_trait]
impl RepositoryPages for Repositories {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        let Some((page, size)) = self.walk.next() else {
            return Ok(None);
        };
        let field = format!("RepoListWithNewestImage({})", requested(page, size));
        let results = search::<Row>(&self.client, &Scope::Login, &field, "Name").await;
        let results = results.map_err(|fault| {
            let subject = Subject::Discovery(DiscoveryMethod::ZotSearch);
            self.client.error(subject, fault)
        })?;
        let listed = (page - 1) * size + results.rows.total();
        self.unreadable += results.rows.bad;
        let mut items = Vec::new();
        for row in &results.rows.good {
            match row.name.parse() {
                Ok(name) if self.walk.takes(&row.name) => items.push(name),
                Ok(_) => {}
                Err(_) => self.malformed += 1,
            }
        }
        let says_more = results.total.is_some_and(|total| listed < total);
        self.walk.turn(results.rows.total(), says_more);
        Ok(Some(Page { items }))
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }

    fn shortfall(&self) -> Option<Finding> {
        let end = self.walk.end().filter(|end| !end.is_complete());
        let why = match (end, self.unreadable) {
            (Some(end), _) => end.to_string(),
            (None, 0) => return None,
            (None, unreadable) => format!("{unreadable} rows cannot be read"),
        };
        let registry = self.client.url().reference_host();
        let seen = format!("{registry}: {why}, reading {}", DiscoveryMethod::ZotSearch);
        Some(Finding::new(FindingCode::ListingIncomplete, &seen))
    }
}
