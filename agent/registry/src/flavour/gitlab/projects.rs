//! The projects that the credential's owner is a member of, and the repositories of each.

use std::collections::VecDeque;

use async_trait::async_trait;
use futures::future::join_all;
use portolan_shared::model::{
    DiscoveryMethod, Finding, FindingCode, RepositoryName, RepositoryPatterns, printable,
};
use serde::Deserialize;

use super::pages::Pages;
use super::project::{can_hold_images, has_registry};
use super::rest::{Rest, closed_to, is_final, repository_names, rows, rung_error, shortfall, unreadable};
use crate::api::Page;
use crate::error::{Fault, RegistryError};
use crate::flavour::product::RepositoryPages;
use crate::flavour::rows::Rows;

const METHOD: DiscoveryMethod = DiscoveryMethod::GitLabProjects;
/// Projects that are asked for their repositories at once; the client's own bound holds besides.
const AT_ONCE: usize = 8;
/// Paths that are named when something is wrong with projects, and bytes of each.
const SHOWN: usize = 3;
const PATH: usize = 60;
/// Projects with at least the role that may read images (Reporter), by pages that do not grow slower towards the end. `simple=true` would
/// leave out whether the registry is on. Archived projects are among them: their images are there as before.
///
/// Public and internal projects of others may be pulled from as well, and are left out: on a large instance they are millions.
const QUERY: &str = "membership=true&min_access_level=20&pagination=keyset&order_by=id&sort=asc&per_page=100";

#[derive(Deserialize)]
struct Project {
    id: u64,
    path_with_namespace: Option<String>,
    container_registry_access_level: Option<String>,
    container_registry_enabled: Option<bool>,
}

impl Project {
    fn has_registry(&self) -> bool {
        let level = self.container_registry_access_level.as_deref();
        has_registry(level, self.container_registry_enabled)
    }

    fn path(&self) -> String {
        printable(self.path_with_namespace.as_deref().unwrap_or_default(), PATH)
    }
}

/// A project that is asked for its repositories.
struct Asked {
    id: u64,
    /// Its path, if no image can have it.
    unsupported: Option<String>,
}

/// Paths, of which the first few are kept.
#[derive(Default)]
struct Paths {
    count: u64,
    first: Vec<String>,
}

impl Paths {
    fn add(&mut self, path: String) {
        self.count += 1;
        if self.first.len() < SHOWN && !path.is_empty() {
            self.first.push(path);
        }
    }

    /// The paths in brackets, with dots for those that are not kept.
    fn shown(&self) -> String {
        let more = if self.count > self.first.len() as u64 {
            ", ..."
        } else {
            ""
        };
        match &*self.first {
            [] => String::new(),
            first => format!(" ({}{more})", first.join(", ")),
        }
    }
}

pub(super) struct Projects {
    rest: Rest,
    /// What the operator wants, to be told from what was merely found.
    patterns: RepositoryPatterns,
    pages: Pages,
    /// Projects that are still to be asked for their repositories.
    waiting: VecDeque<Asked>,
    /// The repositories of projects that are being listed.
    open: Vec<(Asked, Pages)>,
    /// Projects that have a registry.
    projects: u64,
    begun: bool,
    malformed: u64,
    /// Rows that could not be read.
    unreadable: u64,
    /// Whether anything was found, and whether any of it is wanted.
    found: bool,
    found_wanted: bool,
    /// Projects whose registry is switched off.
    switched_off: Paths,
    /// Projects that have no image, and can have none for their path.
    unsupported: Paths,
    /// Projects whose repositories could not be listed, and what happened the first time.
    skipped: u64,
    why: Option<String>,
    /// Whether the owner administers the instance, and so may read more than it is a member of; `None` if that cannot be told.
    administers: Option<bool>,
}

impl Projects {
    pub(super) fn new(rest: Rest, patterns: RepositoryPatterns) -> Self {
        Self {
            rest,
            patterns,
            pages: Pages::new("/projects", QUERY),
            waiting: VecDeque::new(),
            open: Vec::new(),
            begun: false,
            malformed: 0,
            unreadable: 0,
            found: false,
            found_wanted: false,
            projects: 0,
            switched_off: Paths::default(),
            unsupported: Paths::default(),
            skipped: 0,
            why: None,
            administers: None,
        }
    }

    async fn advance(&mut self) -> Result<Option<Page<RepositoryName>>, Fault> {
        if !self.begun {
            let hint = self.rest.client.token_hint().await?;
            if let Some(why) = closed_to(hint.as_ref()) {
                return Err(Fault::NotAsked { why });
            }
        }
        if self.waiting.is_empty() && self.open.is_empty() {
            let Some(reply) = self.pages.next(&self.rest).await? else {
                return Ok(None);
            };
            if !self.begun {
                self.begun = true;
                self.administers = administers(&self.rest).await;
            }
            let projects: Rows<Project> = rows(&reply.body)?;
            self.unreadable += projects.bad;
            for project in projects.good {
                let path = project.path();
                if project.has_registry() {
                    self.projects += 1;
                    self.waiting.push_back(Asked {
                        id: project.id,
                        unsupported: Some(path).filter(|path| !path.is_empty() && !can_hold_images(path)),
                    });
                } else {
                    self.switched_off.add(path);
                }
            }
        }
        while self.open.len() < AT_ONCE
            && let Some(project) = self.waiting.pop_front()
        {
            let path = format!("/projects/{}/registry/repositories", project.id);
            self.open.push((project, Pages::new(path, "page=1&per_page=100")));
        }
        let rest = &self.rest;
        let replies = join_all(self.open.iter_mut().map(|(_, pages)| pages.next(rest))).await;
        let mut items = Vec::new();
        for ((mut project, pages), reply) in std::mem::take(&mut self.open).into_iter().zip(replies) {
            let before = items.len();
            let names = match reply {
                Ok(Some(reply)) => repository_names(&reply.body, &mut items).map(Some),
                Ok(None) => match pages.shortfall() {
                    Some(problem) => Err(Fault::Protocol { problem }),
                    None => Ok(None),
                },
                Err(fault) => Err(fault),
            };
            match names {
                Ok(Some(nameless)) => {
                    self.malformed += nameless.malformed;
                    self.unreadable += nameless.unreadable;
                    if items.len() > before {
                        // It has images all the same.
                        project.unsupported = None;
                    }
                    self.open.push((project, pages));
                }
                Ok(None) => project
                    .unsupported
                    .into_iter()
                    .for_each(|path| self.unsupported.add(path)),
                Err(fault) if is_final(&fault) => return Err(fault),
                Err(fault) => {
                    self.skipped += 1;
                    self.why.get_or_insert_with(|| fault.to_string());
                }
            }
        }
        self.found |= !items.is_empty();
        self.found_wanted = self.found_wanted || items.iter().any(|name| self.patterns.matches(name));
        Ok(Some(Page { items }))
    }

    /// What lies outside of this view, or behind a switch.
    fn outside(&self) -> String {
        let mut outside =
            "public and internal projects of which the owner is no member are not listed".to_owned();
        if self.switched_off.count > 0 {
            outside.push_str(&format!(
                "; {} have their registry switched off",
                self.switched_off.count
            ));
        }
        outside
    }
}

/// Whether the credential is an administrator's. GitLab says so to administrators alone: to others it says who they are without it.
/// `None` if it does not say who asks.
async fn administers(rest: &Rest) -> Option<bool> {
    #[derive(Deserialize)]
    struct User {
        id: Option<u64>,
        is_admin: Option<bool>,
    }
    let user = rest.read::<User>("/user").await.ok()?;
    user.is_admin.or(user.id.map(|_| false))
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

    fn view(&self) -> Option<String> {
        let mut view = format!(
            "the projects in which the owner is a Reporter or more: {} with a registry",
            self.projects
        );
        if self.switched_off.count > 0 {
            let off = &self.switched_off;
            view.push_str(&format!(", {} with it switched off{}", off.count, off.shown()));
        }
        if self.administers == Some(true) {
            view.push_str("; the owner administers the instance");
        }
        self.begun.then_some(view)
    }

    fn asides(&self) -> Vec<Finding> {
        if self.unsupported.count == 0 {
            return Vec::new();
        }
        let registry = self.rest.client.url().reference_host();
        let (count, shown) = (self.unsupported.count, self.unsupported.shown());
        let seen = format!("{registry}: {count} projects have a path that no image can have{shown}");
        vec![Finding::new(FindingCode::GitLabPathUnsupported, &seen)]
    }

    fn shortfall(&self) -> Option<Finding> {
        if let Some(why) = self.pages.shortfall() {
            return Some(shortfall(&self.rest, METHOD, why));
        }
        if let Some(finding) = unreadable(&self.rest, METHOD, self.unreadable) {
            return Some(finding);
        }
        let Some(why) = self.why.as_ref() else {
            return match self.administers {
                Some(false) => None,
                Some(true) => {
                    let why = "an administrator may read more than the projects it is a member of";
                    Some(shortfall(&self.rest, METHOD, why))
                }
                None => {
                    let registry = self.rest.client.url().reference_host();
                    let seen = format!(
                        "{registry}: {METHOD}: whether the owner is an administrator, who may read more, cannot be told"
                    );
                    Some(Finding::new(FindingCode::ListingIncomplete, &seen))
                }
            };
        };
        let text = format!(
            "the repositories of {} projects could not be listed: {why}; {}",
            self.skipped,
            self.outside()
        );
        Some(shortfall(&self.rest, METHOD, &text))
    }

    /// Everything of the owner's own is still not everything. Where nothing that is wanted was found, others have more to say of that.
    fn remark(&self) -> Option<Finding> {
        if self.found_wanted {
            return Some(shortfall(&self.rest, METHOD, &self.outside()));
        }
        (!self.found && self.switched_off.count > 0).then(|| {
            let registry = self.rest.client.url().reference_host();
            let seen = format!(
                "{registry}: {METHOD}: no repository was listed; {}",
                self.outside()
            );
            Finding::new(FindingCode::NothingVisible, &seen)
        })
    }
}
