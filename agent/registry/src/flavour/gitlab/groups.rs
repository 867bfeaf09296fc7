//! The groups that the operator's patterns name, and the repositories of each with those of its subgroups.

use std::collections::VecDeque;

use async_trait::async_trait;
use portolan_shared::model::{DiscoveryMethod, Finding, RepositoryName};

use super::rest::{Pages, Rest, closed_to, repository_names, rung_error, shortfall};
use super::web::component;
use crate::api::Page;
use crate::error::{Fault, RegistryError};
use crate::flavour::product::RepositoryPages;

const METHOD: DiscoveryMethod = DiscoveryMethod::GitLabGroups;

pub(super) struct Groups {
    rest: Rest,
    /// Folders that patterns lie in: each is a group, a project in one, or neither.
    folders: VecDeque<String>,
    /// The group that is being listed.
    current: Option<(String, Pages)>,
    /// Groups that were listed to their end.
    listed: Vec<String>,
    begun: bool,
    malformed: u64,
    skipped: Vec<String>,
    why: Option<&'static str>,
}

impl Groups {
    pub(super) fn new(rest: Rest, folders: Vec<String>) -> Self {
        Self {
            rest,
            folders: folders.into(),
            current: None,
            listed: Vec::new(),
            begun: false,
            malformed: 0,
            skipped: Vec::new(),
            why: None,
        }
    }

    async fn advance(&mut self) -> Result<Option<Page<RepositoryName>>, Fault> {
        if !self.begun {
            let hint = self.rest.client.token_hint().await?;
            if let Some(why) = closed_to(hint.as_ref()) {
                return Err(Fault::NotAsked { why });
            }
            self.begun = true;
        }
        loop {
            let Some((group, pages)) = &mut self.current else {
                let Some(folder) = self.folders.pop_front() else {
                    return Ok(None);
                };
                if !self.is_listed(&folder) {
                    self.current = Some((folder.clone(), pages_of(&folder)));
                }
                continue;
            };
            match pages.next(&self.rest).await {
                Ok(Some(reply)) => {
                    let mut items = Vec::new();
                    self.malformed += repository_names(&reply.body, &mut items)?;
                    return Ok(Some(Page { items }));
                }
                Ok(None) => {
                    self.why = self.why.or(pages.shortfall());
                    self.listed.push(std::mem::take(group));
                    self.current = None;
                }
                // No group of this name, or none that can be seen: perhaps the name of a project in one.
                Err(Fault::Missing { .. }) => {
                    let parent = group.rsplit_once('/').map(|(parent, _)| parent.to_owned());
                    match parent {
                        Some(parent) => self.folders.push_front(parent),
                        None => self.skipped.push(std::mem::take(group)),
                    }
                    self.current = None;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    fn is_listed(&self, folder: &str) -> bool {
        let mut listed = self.listed.iter();
        listed.any(|group| folder.strip_prefix(group.as_str()).is_some_and(is_below))
            // A subgroup may be visible although the group around it is not.
            || self.skipped.iter().any(|group| group == folder)
    }
}

/// Whether what follows a group's name means the group, or something in it.
fn is_below(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

fn pages_of(group: &str) -> Pages {
    Pages::new(
        format!("/groups/{}/registry/repositories", component(group)),
        "page=1&per_page=100",
    )
}

#[async_trait]
impl RepositoryPages for Groups {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        let outcome = self.advance().await;
        outcome.map_err(|fault| rung_error(&self.rest, METHOD, fault))
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }

    fn shortfall(&self) -> Option<Finding> {
        if let Some(why) = self.why {
            return Some(shortfall(&self.rest, METHOD, why));
        }
        let first = self.skipped.first()?;
        let text = format!(
            "{} groups that the patterns name are not visible, first {first}",
            self.skipped.len()
        );
        Some(shortfall(&self.rest, METHOD, &text))
    }
}
