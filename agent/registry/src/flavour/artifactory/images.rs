//! The images of Artifactory's Docker repositories, one after the other: by the catalog of each, or by the query language.

use std::collections::VecDeque;

use async_trait::async_trait;
use http::StatusCode;
use portolan_shared::model::{DiscoveryMethod, Finding, FindingCode, RepositoryName};
use serde::Deserialize;

use super::query::Query;
use crate::api::{Page, Walk, WalkEnd};
use crate::client::{ApiCall, ApiLogin, Part, RegistryClient};
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::native::{PAGE_BYTES, ask};
use crate::flavour::product::RepositoryPages;
use crate::flavour::rows::Rows;
use crate::flavour::several::{PARTS, Several};

const SUBJECT: Subject = Subject::Discovery(DiscoveryMethod::ArtifactoryRepositories);

pub(super) struct Images {
    client: RegistryClient,
    /// Path of the instance.
    context: String,
    /// The repositories that the patterns name; none if they could match in any.
    named: Option<Vec<String>>,
    /// Repositories that are still to be walked; none before it is known which.
    parts: Option<VecDeque<Part>>,
    reading: Option<Reading>,
    several: Several,
    /// How a walk ended that did not see everything.
    cut: Option<WalkEnd>,
    malformed: u64,
    merged: u64,
}

/// How the images of one repository are found.
enum Reading {
    Catalog(Box<Walk<RepositoryName>>),
    /// And why not by the catalog, until a page was read.
    Query(Box<Query>, Option<RegistryError>),
}

#[derive(Deserialize)]
struct Repository {
    key: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Images {
    pub(super) fn new(client: RegistryClient, context: &str, named: Option<Vec<String>>) -> Self {
        Self {
            client,
            context: context.to_owned(),
            named,
            parts: None,
            reading: None,
            several: Several::default(),
            cut: None,
            malformed: 0,
            merged: 0,
        }
    }

    async fn parts(&mut self) -> Result<VecDeque<Part>, RegistryError> {
        if let Some(named) = &self.named {
            return Ok(named.iter().filter_map(|key| Part::new(key)).collect());
        }
        let path = format!("{}/api/repositories?packageType=docker", self.context);
        let call = ApiCall {
            bound: PAGE_BYTES,
            ..ApiCall::get(&path, ApiLogin::Basic)
        };
        let rows: Rows<Repository> = match ask(&self.client, &SUBJECT, call).await {
            Ok(rows) => rows,
            Err(error) => return Err(self.told(error).await),
        };
        self.several.unreadable(rows.bad);
        let mut parts = VecDeque::new();
        for row in rows.good {
            let key = match row.kind.to_ascii_uppercase().as_str() {
                "VIRTUAL" => {
                    self.merged += 1;
                    continue;
                }
                // What was pulled through it; to ask the repository itself would be to ask upstream.
                "REMOTE" => format!("{}-cache", row.key),
                _ => row.key,
            };
            match Part::new(&key) {
                Some(part) => parts.push_back(part),
                None => self.malformed += 1,
            }
        }
        if parts.len() > PARTS {
            parts.truncate(PARTS);
            self.cut = Some(WalkEnd::ItemBound);
        }
        Ok(parts)
    }

    /// A login that nobody has asked for yet is looked at here first: whom it does not know, Artifactory answers 401 to, and 403 to whom it
    /// knows and does not let in.
    async fn told(&self, error: RegistryError) -> RegistryError {
        let is_unknown =
            matches!(error.fault(), Fault::Denied { status, .. } if *status == StatusCode::UNAUTHORIZED);
        if !is_unknown || !self.client.has_login().await.unwrap_or(false) {
            return error;
        }
        let registry = self.client.url().reference_host();
        let seen = format!("{registry}: 401 to user name and secret, reading {SUBJECT}");
        error.explained(Some(Finding::new(FindingCode::AuthenticationFailed, &seen)))
    }

    /// The next page of this repository's images; `None` at the end.
    async fn read(&mut self, part: &Part) -> Result<Option<Vec<RepositoryName>>, RegistryError> {
        let client = &self.client;
        let reading = self
            .reading
            .get_or_insert_with(|| Reading::Catalog(Box::new(client.catalog_of(part))));
        let images: Vec<String> = match reading {
            Reading::Catalog(walk) => match walk.next_page().await {
                Ok(Some(page)) => page.items.iter().map(ToString::to_string).collect(),
                Ok(None) => return Ok(None),
                Err(refused) if refused.is_denied() || refused.is_missing() => {
                    let bound = client.limits().repositories;
                    let query = Query::new(client.clone(), SUBJECT, &self.context, part.key(), None, bound);
                    *reading = Reading::Query(Box::new(query), Some(refused));
                    // The first page is asked for with the next call.
                    Vec::new()
                }
                Err(error) => return Err(error),
            },
            Reading::Query(query, refused) => match query.next().await {
                Ok(Some(files)) => {
                    *refused = None;
                    self.several.unreadable(files.bad);
                    let mut images: Vec<String> = files
                        .good
                        .iter()
                        .filter_map(|file| Some(file.path.rsplit_once('/')?.0.to_owned()))
                        .collect();
                    images.dedup();
                    images
                }
                Ok(None) => return Ok(None),
                // Why the catalog was refused says more.
                Err(error) => return Err(refused.take().unwrap_or(error)),
            },
        };
        let mut names = Vec::with_capacity(images.len());
        for image in images {
            match format!("{}/{image}", part.key()).parse() {
                Ok(name) => names.push(name),
                Err(_) => self.malformed += 1,
            }
        }
        Ok(Some(names))
    }

    /// Goes on with the next repository.
    fn turn(&mut self) {
        let end = match self.reading.take() {
            Some(Reading::Catalog(walk)) => {
                self.malformed += walk.malformed();
                walk.end()
            }
            Some(Reading::Query(query, _)) => query.end(),
            None => None,
        };
        self.cut = self.cut.or(end.filter(|end| !end.is_complete()));
        self.parts.as_mut().and_then(VecDeque::pop_front);
    }
}

#[async_trait]
impl RepositoryPages for Images {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        if self.parts.is_none() {
            self.parts = Some(self.parts().await?);
        }
        while let Some((part, is_last)) = self
            .parts
            .as_ref()
            .and_then(|parts| Some((parts.front()?.clone(), parts.len() == 1)))
        {
            match self.read(&part).await {
                Ok(Some(items)) => return Ok(Some(Page { items })),
                Ok(None) => self.several.listed(),
                Err(error) => self.several.failed(error, is_last)?,
            }
            self.turn();
        }
        Ok(None)
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }

    fn shortfall(&self) -> Option<Finding> {
        let method = DiscoveryMethod::ArtifactoryRepositories;
        self.several.shortfall(&self.client, method, self.cut)
    }

    fn remark(&self) -> Option<Finding> {
        let registry = self.client.url().reference_host();
        let seen = format!(
            "{registry}: {} virtual repositories were passed over",
            self.merged
        );
        (self.merged > 0).then(|| Finding::new(FindingCode::MergedPassedOver, &seen))
    }
}
