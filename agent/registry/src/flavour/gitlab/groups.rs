//! The groups that the operator's patterns name, and the repositories of each with those of its subgroups. Where no group of that name is
//! to be seen, the project of that name.

use std::collections::{HashSet, VecDeque};

use async_trait::async_trait;
use portolan_shared::model::{CredentialKind, DiscoveryMethod, Finding, RepositoryName};

use super::pages::Pages;
use super::rest::{Rest, closed_to, is_final, repository_names, rung_error, shortfall, unreadable};
use super::web::component;
use crate::api::Page;
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::not_asked;
use crate::flavour::product::RepositoryPages;

const METHOD: DiscoveryMethod = DiscoveryMethod::GitLabGroups;

/// What a folder may stand for. Both have repositories to list; a path is never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Group,
    Project,
}

/// A folder that is being listed as one or the other.
struct Place {
    kind: Kind,
    path: String,
    pages: Pages,
}

impl Place {
    fn new(kind: Kind, path: String) -> Self {
        let (of, id) = match kind {
            Kind::Group => ("groups", component(&path)),
            Kind::Project => ("projects", component(&path)),
        };
        Self {
            kind,
            path,
            pages: Pages::new(format!("/{of}/{id}/registry/repositories"), "page=1&per_page=100"),
        }
    }
}

pub(super) struct Groups {
    rest: Rest,
    /// Folders that patterns lie in: each is a group, a project in one, or neither.
    folders: VecDeque<String>,
    current: Option<Place>,
    /// Groups and projects that were listed to their end.
    listed: Vec<String>,
    /// What was asked for and gave nothing: not visible, or failed.
    unlisted: HashSet<String>,
    begun: bool,
    /// Whether the credential is a deploy token, which reads repositories and is shown none.
    is_deploy_token: bool,
    malformed: u64,
    /// Rows that could not be read.
    unreadable: u64,
    /// Folders of which nothing is visible, up to the group at the top.
    hidden: Vec<String>,
    /// Groups and projects that could not be listed, and what happened the first time.
    failed: u64,
    first: Option<Fault>,
    cut: Option<&'static str>,
}

impl Groups {
    pub(super) fn new(rest: Rest, folders: Vec<String>) -> Self {
        Self {
            rest,
            folders: folders.into(),
            current: None,
            listed: Vec::new(),
            unlisted: HashSet::new(),
            begun: false,
            is_deploy_token: false,
            malformed: 0,
            unreadable: 0,
            hidden: Vec::new(),
            failed: 0,
            first: None,
            cut: None,
        }
    }

    async fn advance(&mut self) -> Result<Option<Page<RepositoryName>>, Fault> {
        if !self.begun {
            let hint = self.rest.client.token_hint().await?;
            if let Some(why) = closed_to(hint.as_ref()) {
                self.is_deploy_token = hint.is_some_and(|hint| hint.kind == CredentialKind::DeployToken);
                return Err(Fault::NotAsked { why });
            }
            self.begun = true;
        }
        loop {
            let mut place = match self.current.take() {
                Some(place) => place,
                None => match self.folders.pop_front() {
                    Some(folder) if self.is_known(&folder) => continue,
                    Some(folder) => Place::new(Kind::Group, folder),
                    None => return self.end(),
                },
            };
            let mut items = Vec::new();
            let outcome = match place.pages.next(&self.rest).await {
                Ok(Some(reply)) => repository_names(&reply.body, &mut items).map(Some),
                Ok(None) => Ok(None),
                Err(fault) => Err(fault),
            };
            match outcome {
                Ok(Some(nameless)) => {
                    self.malformed += nameless.malformed;
                    self.unreadable += nameless.unreadable;
                    self.current = Some(place);
                    return Ok(Some(Page { items }));
                }
                Ok(None) => {
                    self.cut = self.cut.or(place.pages.shortfall());
                    self.listed.push(place.path);
                }
                Err(Fault::Missing { .. }) => self.not_visible(place),
                Err(fault) if is_final(&fault) => return Err(fault),
                // It is this one's own: the others are asked all the same.
                Err(fault) => {
                    self.failed += 1;
                    self.first.get_or_insert(fault);
                    self.unlisted.insert(place.path);
                }
            }
        }
    }

    /// No group of this name, or none that can be seen: perhaps a project; and if it is none either, perhaps something in a project above.
    fn not_visible(&mut self, place: Place) {
        let parent = place.path.rsplit_once('/').map(|(parent, _)| parent.to_owned());
        match (place.kind, parent) {
            (Kind::Group, Some(_)) => self.current = Some(Place::new(Kind::Project, place.path)),
            (Kind::Project, Some(parent)) => {
                self.unlisted.insert(place.path);
                self.folders.push_front(parent);
            }
            // No project lies outside of a group.
            (_, None) => {
                self.unlisted.insert(place.path.clone());
                self.hidden.push(place.path);
            }
        }
    }

    /// Where everything failed, so has the whole.
    fn end(&mut self) -> Result<Option<Page<RepositoryName>>, Fault> {
        match self.first.take() {
            Some(fault) if self.listed.is_empty() => Err(fault),
            first => {
                self.first = first;
                Ok(None)
            }
        }
    }

    /// Whether it, or a group around it, was listed, or it was asked for in vain; a subgroup may be visible although the group around it is not.
    fn is_known(&self, folder: &str) -> bool {
        let mut listed = self.listed.iter();
        listed.any(|place| folder.strip_prefix(place.as_str()).is_some_and(is_below))
            || self.unlisted.contains(folder)
    }
}

/// Why a deploy token finds nothing below a folder, and what does. The registry's own list of what is below a path
/// (`/gitlab/v1/repository-paths/PATH/repositories/list/`) takes a token for `PATH/*`, which GitLab issues to itself alone.
fn below(why: &str, folder: &str) -> String {
    format!(
        "{why}, and what is below {folder} the registry tells to GitLab alone: name each repository in full, or give a token with read_api"
    )
}

/// Whether what follows a group's name means the group, or something in it.
fn is_below(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

#[async_trait]
impl RepositoryPages for Groups {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        let outcome = self.advance().await;
        outcome.map_err(|fault| match (&fault, self.folders.front()) {
            (Fault::NotAsked { why }, Some(folder)) if self.is_deploy_token => {
                let finding = not_asked::finding(&self.rest.client, METHOD, &below(why, folder));
                let error = self.rest.client.error(Subject::Discovery(METHOD), fault);
                error.explained(Some(finding))
            }
            _ => rung_error(&self.rest, METHOD, fault),
        })
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }

    fn shortfall(&self) -> Option<Finding> {
        let mut why = Vec::new();
        if let Some(fault) = &self.first {
            let failed = self.failed;
            why.push(format!(
                "{failed} groups or projects that the patterns name could not be listed: {fault}"
            ));
        }
        why.extend(self.cut.map(str::to_owned));
        if let Some(first) = self.hidden.first() {
            let hidden = self.hidden.len();
            why.push(format!(
                "{hidden} groups that the patterns name are not visible, first {first}"
            ));
        }
        unreadable(&self.rest, METHOD, self.unreadable)
            .or_else(|| (!why.is_empty()).then(|| shortfall(&self.rest, METHOD, &why.join("; "))))
    }
}
