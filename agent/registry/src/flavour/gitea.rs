//! Gitea and Forgejo: container packages belong to owners.
//!
//! `GET /api/v1/packages/OWNER?type=container` lists one row for each version of each package, and no digests: it finds repositories and
//! lists no tags. There is no list over all owners, so it is asked only for those that the operator's patterns name; the catalog shows
//! whatever the login may read.

use std::collections::VecDeque;

use async_trait::async_trait;
use portolan_shared::model::{DiscoveryMethod, Finding, RepositoryName};
use serde::Deserialize;

use super::ladder::Wanted;
use super::native::{PAGE_BYTES, ask, loose};
use super::not_asked::not_asked;
use super::numbered::Numbered;
use super::product::{Product, RepositoryPages, Rung, owners};
use super::rows::Rows;
use super::several::Several;
use crate::api::{Greeting, Page, WalkEnd};
use crate::client::{ApiCall, ApiLogin, RegistryClient};
use crate::error::{RegistryError, Subject};

/// Rows on a page: the most that Gitea gives unless it is set up otherwise.
const SIZES: &[usize] = &[50];
const SUBJECT: Subject = Subject::Discovery(DiscoveryMethod::GiteaPackages);

pub(super) struct Gitea {
    /// Path in front of Gitea's own pages: that of its token service without `v2/token`, if this is on the same host.
    root: String,
}

impl Gitea {
    pub(super) fn new(greeting: &Greeting) -> Self {
        let asked = greeting.bearer();
        let here = asked.filter(|asked| asked.realm.origin() == greeting.url().origin());
        let root = here.and_then(|asked| {
            let path = asked.realm.path().trim_end_matches('/');
            path.strip_suffix("/v2/token").map(str::to_owned)
        });
        Self {
            root: root.unwrap_or_default(),
        }
    }
}

impl Product for Gitea {
    fn rungs(&self, client: &RegistryClient, wanted: &Wanted) -> Vec<Rung> {
        let Some(owners) = owners(&wanted.patterns) else {
            let why = "it lists the packages of one owner, and not every pattern names one";
            return vec![not_asked(client, DiscoveryMethod::GiteaPackages, why)];
        };
        vec![Rung {
            method: DiscoveryMethod::GiteaPackages,
            shows_all: true,
            pages: Box::new(Packages::new(client.clone(), &self.root, owners)),
        }]
    }
}

struct Packages {
    client: RegistryClient,
    root: String,
    owners: VecDeque<String>,
    several: Several,
    walk: Numbered,
    /// How a walk ended that did not see everything.
    cut: Option<WalkEnd>,
    malformed: u64,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default, deserialize_with = "loose")]
    version: Option<String>,
}

impl Packages {
    fn new(client: RegistryClient, root: &str, owners: Vec<String>) -> Self {
        // A pattern may hold what no owner's name does.
        let fits = |owner: &String| format!("{owner}/x").parse::<RepositoryName>().is_ok();
        Self {
            walk: walk(&client),
            client,
            root: root.to_owned(),
            owners: owners.into_iter().filter(fits).collect(),
            several: Several::default(),
            cut: None,
            malformed: 0,
        }
    }

    /// The next page of this owner's packages; `None` at the end.
    async fn read(&mut self, owner: &str) -> Result<Option<Vec<RepositoryName>>, RegistryError> {
        let Some((page, size)) = self.walk.next() else {
            return Ok(None);
        };
        let root = &self.root;
        let path = format!("{root}/api/v1/packages/{owner}?type=container&limit={size}&page={page}");
        let call = ApiCall {
            bound: PAGE_BYTES,
            ..ApiCall::get(&path, ApiLogin::Basic)
        };
        // It is written in Go, where a list without rows may be `null`.
        let rows: Option<Rows<Package>> = ask(&self.client, &SUBJECT, call).await?;
        let rows = rows.unwrap_or_default();
        let total = rows.total();
        self.several.unreadable(rows.bad);
        let mut names = Vec::new();
        for row in rows.good {
            let version = row.version.unwrap_or_default();
            if !self.walk.takes(&format!("{} {version}", row.name)) {
                continue;
            }
            // The registry knows them in lower case only.
            match format!("{owner}/{}", row.name).to_ascii_lowercase().parse() {
                Ok(name) => names.push(name),
                Err(_) => self.malformed += 1,
            }
        }
        // Fewer rows than were asked for prove nothing: the server may have a lower bound. An empty page does.
        self.walk.turn(total, total > 0);
        Ok(Some(names))
    }

    /// Goes on with the next owner.
    fn turn(&mut self) {
        self.cut = self.cut.or(self.walk.end().filter(|end| !end.is_complete()));
        self.owners.pop_front();
        self.walk = walk(&self.client);
    }
}

fn walk(client: &RegistryClient) -> Numbered {
    Numbered::new(SIZES, client.limits().pages, client.limits().repositories)
}

#[async_trait]
impl RepositoryPages for Packages {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        while let Some(owner) = self.owners.front().cloned() {
            match self.read(&owner).await {
                Ok(Some(items)) => return Ok(Some(Page { items })),
                Ok(None) => self.several.listed(),
                Err(error) => self.several.failed(error, self.owners.len() == 1)?,
            }
            self.turn();
        }
        Ok(None)
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }

    fn shortfall(&self) -> Option<Finding> {
        self.several
            .shortfall(&self.client, DiscoveryMethod::GiteaPackages, self.cut)
    }
}
