//! The repositories of projects.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use portolan_shared::model::{DiscoveryMethod, Finding, FindingCode, RepositoryName};
use serde::Deserialize;

use super::mirrors::{Mirrors, Project};
use super::pages::{PageSize, Pages};
use super::product::project_of;
use crate::api::Page;
use crate::client::RegistryClient;
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::product::RepositoryPages;
use crate::flavour::rows::encoded;

/// A repository, with the project in its name.
#[derive(Deserialize)]
struct Named {
    name: String,
}

/// Projects, and the repositories of each. A project that cannot be listed is left out, and the list is then not complete.
pub(super) struct Projects {
    client: RegistryClient,
    mirrors: Arc<Mirrors>,
    size: Arc<PageSize>,
    /// Projects that are known and were not asked yet.
    waiting: VecDeque<String>,
    list: List,
    project: Option<Pages>,
    /// Projects that were asked for their repositories so far.
    asked: u64,
    malformed: u64,
    /// Whether any project could be listed.
    listed: bool,
    shortfall: Option<String>,
    failed: Option<Fault>,
}

/// Where projects come from.
enum List {
    /// Still to be asked for.
    NotAsked,
    /// From here.
    Pages(Box<Pages>),
    /// There are no more.
    Done,
}

impl Projects {
    /// Those of `owners`, or all that can be seen.
    pub(super) fn new(client: RegistryClient, owners: Option<Vec<String>>, mirrors: Arc<Mirrors>) -> Self {
        Self {
            client,
            mirrors,
            size: Arc::default(),
            list: if owners.is_some() {
                List::Done
            } else {
                List::NotAsked
            },
            waiting: owners.unwrap_or_default().into(),
            project: None,
            asked: 0,
            malformed: 0,
            listed: false,
            shortfall: None,
            failed: None,
        }
    }

    fn list_of(&self, path: String) -> Pages {
        let bound = self.client.limits().repositories;
        Pages::new(self.client.clone(), path, bound, Arc::clone(&self.size))
    }

    async fn advance(&mut self) -> Result<Option<Page<RepositoryName>>, Fault> {
        loop {
            if let Some(project) = &mut self.project {
                match project.next(|row: &Named| &row.name).await {
                    Ok(Some(rows)) => {
                        self.listed = true;
                        self.leave_out(rows.bad);
                        return Ok(Some(self.names(rows.good)));
                    }
                    Ok(None) => {
                        self.shortfall = self.shortfall.take().or_else(|| project.shortfall());
                        self.project = None;
                    }
                    Err(fault) => {
                        self.project = None;
                        self.lose(fault)?;
                    }
                }
            } else if let Some(name) = self.waiting.pop_front() {
                let path = format!("/api/v2.0/projects/{}/repositories?", encoded(&name));
                self.project = Some(self.list_of(path));
                self.asked += 1;
            } else if !self.more_projects().await? {
                // With nothing else to show, the failure is that of the whole.
                return match self.failed.take().filter(|_| !self.listed) {
                    Some(fault) => Err(fault),
                    None => Ok(None),
                };
            }
        }
    }

    fn names(&mut self, rows: Vec<Named>) -> Page<RepositoryName> {
        let before = rows.len();
        let items: Vec<_> = rows.into_iter().filter_map(|row| row.name.parse().ok()).collect();
        self.malformed += (before - items.len()) as u64;
        Page { items }
    }

    /// Rows that cannot be read: what they stand for is missing in the list.
    fn leave_out(&mut self, unreadable: u64) {
        if unreadable > 0 {
            let why = || format!("{unreadable} rows cannot be read");
            self.shortfall.get_or_insert_with(why);
        }
    }

    /// A project could not be listed: the others still may.
    fn lose(&mut self, fault: Fault) -> Result<(), Fault> {
        match fault {
            // A pattern may name a project that is not there, if Harbor says so itself: a bare 404 may come from anything on the way.
            Fault::Missing { code: Some(_), .. } => self.listed = true,
            Fault::Missing { .. }
            | Fault::Denied { .. }
            | Fault::Rejected { .. }
            | Fault::Unavailable { .. }
            | Fault::TimedOut { .. } => {
                let why = format!("a project could not be listed: {fault}");
                self.shortfall.get_or_insert(why);
                self.failed.get_or_insert(fault);
            }
            fault => return Err(fault),
        }
        Ok(())
    }

    /// Asks for the next projects; `false` if there are none.
    async fn more_projects(&mut self) -> Result<bool, Fault> {
        if let List::NotAsked = self.list {
            self.list = List::Pages(Box::new(
                self.list_of("/api/v2.0/projects?with_detail=false&".to_owned()),
            ));
        }
        let List::Pages(pages) = &mut self.list else {
            return Ok(false);
        };
        match pages.next(|row: &Project| &row.name).await {
            Ok(Some(rows)) => {
                let unreadable = rows.bad;
                rows.good.iter().for_each(|project| self.mirrors.learn(project));
                self.waiting.extend(rows.good.into_iter().map(|row| row.name));
                self.listed = true;
                self.leave_out(unreadable);
                Ok(true)
            }
            Ok(None) => {
                self.shortfall = self.shortfall.take().or_else(|| pages.shortfall());
                self.list = List::Done;
                Ok(false)
            }
            Err(Fault::Denied { status, code }) => {
                // A robot of one project knows at least that one.
                let hint = self.client.token_hint().await?;
                let own = hint.as_ref().and_then(|hint| project_of(hint.username()?));
                self.list = List::Done;
                match own {
                    Some(project) => self.waiting.push_back(project.to_owned()),
                    None => return Err(Fault::Denied { status, code }),
                }
                Ok(true)
            }
            Err(fault) => Err(fault),
        }
    }
}

#[async_trait]
impl RepositoryPages for Projects {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        let outcome = match has_other_login(&self.client).await {
            Ok(false) => self.advance().await,
            Ok(true) => Err(Fault::Protocol {
                problem: "the login has no user name, which Harbor's API needs",
            }),
            Err(fault) => Err(fault),
        };
        outcome.map_err(|fault| {
            let subject = Subject::Discovery(DiscoveryMethod::HarborProjects);
            self.client.error(subject, fault)
        })
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }

    fn view(&self) -> Option<String> {
        (self.asked > 0).then(|| format!("{} projects", self.asked))
    }

    fn shortfall(&self) -> Option<Finding> {
        let why = self.shortfall.as_ref()?;
        let registry = self.client.url().reference_host();
        let seen = format!("{registry}: {why}, reading {}", DiscoveryMethod::HarborProjects);
        Some(Finding::new(FindingCode::ListingIncomplete, &seen))
    }
}

/// Whether there is a login that this API cannot be shown: it would answer as to a stranger, and seem complete.
async fn has_other_login(client: &RegistryClient) -> Result<bool, Fault> {
    let hint = client.token_hint().await?;
    Ok(hint.is_some_and(|hint| hint.username().is_none()))
}
