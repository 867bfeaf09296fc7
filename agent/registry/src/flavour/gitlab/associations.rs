//! What the token says of itself it can reach. Open to a token with any scope, but it names projects only, and so shows no more than the
//! repositories at their roots.

use async_trait::async_trait;
use portolan_shared::model::{DiscoveryMethod, Finding, RepositoryName};
use serde::Deserialize;

use super::pages::Pages;
use super::rest::{Rest, closed_to, read, rung_error, shortfall};
use crate::api::Page;
use crate::error::{Fault, RegistryError};
use crate::flavour::product::RepositoryPages;

const METHOD: DiscoveryMethod = DiscoveryMethod::GitLabAssociations;
/// The least role that may read images: Reporter.
const REPORTER: u64 = 20;
const PER_PAGE: usize = 100;

#[derive(Deserialize)]
struct Associations {
    #[serde(default)]
    projects: Vec<Project>,
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: Option<String>,
    access_levels: Option<AccessLevels>,
}

#[derive(Deserialize)]
struct AccessLevels {
    project_access_level: Option<u64>,
    group_access_level: Option<u64>,
}

impl Project {
    /// Whether its images may be read. Where no role is given there is none to be told from.
    fn may_be_read(&self) -> bool {
        let levels = self.access_levels.as_ref();
        let level = levels.and_then(|levels| levels.project_access_level.max(levels.group_access_level));
        level.is_none_or(|level| level >= REPORTER)
    }
}

pub(super) struct AssociatedProjects {
    rest: Rest,
    pages: Pages,
    begun: bool,
    malformed: u64,
    /// Projects whose images the owner may read.
    readable: u64,
    /// Projects in which the owner's role is below Reporter.
    below_reporter: u64,
}

impl AssociatedProjects {
    pub(super) fn new(rest: Rest) -> Self {
        Self {
            rest,
            pages: Pages::new(
                "/personal_access_tokens/self/associations",
                format!("page=1&per_page={PER_PAGE}"),
            ),
            begun: false,
            malformed: 0,
            readable: 0,
            below_reporter: 0,
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
        let Some(reply) = self.pages.next(&self.rest).await? else {
            return Ok(None);
        };
        let answer: Associations = read(&reply)?;
        let mut items = Vec::new();
        for project in &answer.projects {
            if !project.may_be_read() {
                self.below_reporter += 1;
                continue;
            }
            self.readable += 1;
            let path = project.path_with_namespace.as_deref().unwrap_or_default();
            match path.to_lowercase().parse() {
                Ok(name) => items.push(name),
                Err(_) => self.malformed += 1,
            }
        }
        Ok(Some(Page { items }))
    }
}

#[async_trait]
impl RepositoryPages for AssociatedProjects {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        let outcome = self.advance().await;
        outcome.map_err(|fault| rung_error(&self.rest, METHOD, fault))
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }

    fn view(&self) -> Option<String> {
        let (readable, below) = (self.readable, self.below_reporter);
        let below = match below {
            0 => String::new(),
            below => format!(", {below} in which it is less"),
        };
        self.begun.then(|| {
            format!("the projects of the owner: {readable} with the role of a Reporter or more{below}")
        })
    }

    fn shortfall(&self) -> Option<Finding> {
        let why = self
            .pages
            .shortfall()
            .unwrap_or("only the repositories at the roots of projects are known");
        let left_out = match self.below_reporter {
            0 => String::new(),
            count => format!("; in {count} the owner's role is below Reporter"),
        };
        Some(shortfall(&self.rest, METHOD, &format!("{why}{left_out}")))
    }
}
