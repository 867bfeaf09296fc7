//! The projects that the credential's owner is a member of, and the repositories of each.

use std::collections::VecDeque;

use async_trait::async_trait;
use futures::StreamExt as _;
use portolan_shared::model::{DiscoveryMethod, Finding, RepositoryName};
use serde::Deserialize;

use super::rest::{Pages, Rest, closed_to, read, repository_names, rung_error, shortfall};
use crate::api::Page;
use crate::error::{Fault, RegistryError};
use crate::flavour::product::RepositoryPages;

const METHOD: DiscoveryMethod = DiscoveryMethod::GitLabProjects;
/// Projects that are asked for their repositories at once; the client's own bound holds besides.
const AT_ONCE: usize = 8;
/// Projects with at least the role that may read images (Reporter), by pages that do not grow slower towards the end. `simple=true` would
/// leave out whether the registry is on. Archived projects are among them: their images are there as before.
const QUERY: &str = "membership=true&min_access_level=20&pagination=keyset&order_by=id&sort=asc&per_page=100";

#[derive(Deserialize)]
struct Project {
    id: u64,
    container_registry_access_level: Option<String>,
    container_registry_enabled: Option<bool>,
}

impl Project {
    fn has_registry(&self) -> bool {
        match self.container_registry_access_level.as_deref() {
            Some(level) => level != "disabled",
            None => self.container_registry_enabled != Some(false),
        }
    }
}

pub(super) struct Projects {
    rest: Rest,
    pages: Pages,
    /// Projects that are still to be asked for their repositories.
    waiting: VecDeque<u64>,
    begun: bool,
    malformed: u64,
    /// Projects whose repositories could not be listed, and what happened the first time.
    skipped: u64,
    why: Option<String>,
    /// Whether the owner administers the instance, and so may read more than it is a member of.
    administers: bool,
}

impl Projects {
    pub(super) fn new(rest: Rest) -> Self {
        Self {
            rest,
            pages: Pages::new("/projects", QUERY),
            waiting: VecDeque::new(),
            begun: false,
            malformed: 0,
            skipped: 0,
            why: None,
            administers: false,
        }
    }

    async fn advance(&mut self) -> Result<Option<Page<RepositoryName>>, Fault> {
        if !self.begun {
            let hint = self.rest.client.token_hint().await?;
            if let Some(why) = closed_to(hint.as_ref()) {
                return Err(Fault::NotAsked { why });
            }
        }
        if self.waiting.is_empty() {
            let Some(reply) = self.pages.next(&self.rest).await? else {
                return Ok(None);
            };
            if !self.begun {
                self.begun = true;
                self.administers = administers(&self.rest).await;
            }
            let projects: Vec<Project> = read(&reply)?;
            let with_registry = projects.iter().filter(|project| project.has_registry());
            self.waiting.extend(with_registry.map(|project| project.id));
        }
        let some: Vec<u64> = self.waiting.drain(..self.waiting.len().min(AT_ONCE)).collect();
        let rest = &self.rest;
        let listed: Vec<_> = futures::stream::iter(some)
            .map(|project| repositories(rest, project))
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut items = Vec::new();
        for listing in listed {
            items.extend(listing.names);
            self.malformed += listing.malformed;
            match listing.fault {
                None => {}
                // The API has closed altogether, or the login is wrong: no other project would answer.
                Some(fault) if is_final(&fault) => return Err(fault),
                Some(fault) => {
                    self.skipped += 1;
                    self.why.get_or_insert_with(|| fault.to_string());
                }
            }
        }
        Ok(Some(Page { items }))
    }
}

/// Whether the credential is an administrator's. GitLab says so to administrators alone, and not to every scope.
async fn administers(rest: &Rest) -> bool {
    #[derive(Deserialize)]
    struct User {
        is_admin: Option<bool>,
    }
    let user = rest.read::<User>("/user").await;
    user.is_ok_and(|user| user.is_admin == Some(true))
}

struct Listing {
    names: Vec<RepositoryName>,
    malformed: u64,
    fault: Option<Fault>,
}

async fn repositories(rest: &Rest, project: u64) -> Listing {
    let mut listing = Listing {
        names: Vec::new(),
        malformed: 0,
        fault: None,
    };
    let mut pages = Pages::new(
        format!("/projects/{project}/registry/repositories"),
        "per_page=100",
    );
    loop {
        let outcome = match pages.next(rest).await {
            Ok(Some(reply)) => repository_names(&reply.body, &mut listing.names),
            Ok(None) => {
                listing.fault = pages.shortfall().map(|problem| Fault::Protocol { problem });
                return listing;
            }
            Err(fault) => Err(fault),
        };
        match outcome {
            Ok(malformed) => listing.malformed += malformed,
            Err(fault) => {
                listing.fault = Some(fault);
                return listing;
            }
        }
    }
}

/// Whether a failure at one project will be one at all others.
fn is_final(fault: &Fault) -> bool {
    match fault {
        Fault::Denied { status, .. } => *status == ::http::StatusCode::UNAUTHORIZED,
        Fault::LoginRefused { .. } | Fault::Credential(_) | Fault::Policy { .. } | Fault::BudgetSpent => true,
        _ => false,
    }
}

#[async_trait]
impl RepositoryPages for Projects {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        let outcome = self.advance().await;
        outcome.map_err(|fault| rung_error(&self.rest, METHOD, fault))
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }

    fn shortfall(&self) -> Option<Finding> {
        if let Some(why) = self.pages.shortfall() {
            return Some(shortfall(&self.rest, METHOD, why));
        }
        let Some(why) = self.why.as_ref() else {
            let why = "an administrator may read more than the projects it is a member of";
            return self.administers.then(|| shortfall(&self.rest, METHOD, why));
        };
        let text = format!(
            "the repositories of {} projects could not be listed: {why}",
            self.skipped
        );
        Some(shortfall(&self.rest, METHOD, &text))
    }
}
