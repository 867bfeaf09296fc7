//! The tags of a repository.

use std::sync::Arc;

use async_trait::async_trait;
use portolan_shared::model::{Digest, Finding, FindingCode, ListingMethod, MediaType, RepositoryName};
use serde::Deserialize;

use super::mirrors::Mirrors;
use super::pages::{PageSize, Pages};
use crate::client::RegistryClient;
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::product::TagPages;
use crate::flavour::rows::{Rows, encoded, time};
use crate::flavour::tag_list::{ListedTag, TagPage};

/// Why a cache's list is never all: what Harbor files as an accessory of an image has tags that it does not list.
const MIRROR: &str = "a cache of another registry lists no tags of signatures";

#[derive(Deserialize)]
struct Artifact {
    digest: String,
    manifest_media_type: Option<String>,
    push_time: Option<String>,
    tags: Option<Rows<Tag>>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    push_time: Option<String>,
}

/// The artifacts of a repository that have tags.
pub(super) struct Artifacts {
    client: RegistryClient,
    repository: RepositoryName,
    mirrors: Arc<Mirrors>,
    pages: Pages,
    /// Tags that may still be given.
    room: usize,
    /// Whether the end was reached in a cache of another registry.
    of_mirror: bool,
}

impl Artifacts {
    /// `None` for a name outside of any project.
    pub(super) fn new(
        client: RegistryClient,
        repository: &RepositoryName,
        mirrors: Arc<Mirrors>,
        size: Arc<PageSize>,
    ) -> Option<Self> {
        let (project, name) = repository.as_str().split_once('/')?;
        // Twice, for the proxy in front of Harbor resolves it once.
        let name = encoded(&encoded(name));
        let path = format!(
            "/api/v2.0/projects/{}/repositories/{name}/artifacts?with_tag=true&",
            encoded(project)
        );
        let room = client.limits().tags;
        Some(Self {
            pages: Pages::new(client.clone(), path, client.limits().repositories, size),
            repository: repository.clone(),
            client,
            mirrors,
            room,
            of_mirror: false,
        })
    }

    fn failed(&self, fault: Fault) -> RegistryError {
        self.client.error(
            Subject::Listing(ListingMethod::HarborArtifacts, self.repository.clone()),
            fault,
        )
    }

    fn page(&mut self, artifacts: Rows<Artifact>) -> Result<TagPage, Fault> {
        artifacts.all_read()?;
        let mut page = TagPage::default();
        for artifact in artifacts.good {
            let digest: Option<Digest> = artifact.digest.parse().ok();
            let media_type: Option<MediaType> =
                artifact.manifest_media_type.and_then(|kind| kind.parse().ok());
            let rows = artifact.tags.unwrap_or_default();
            rows.all_read()?;
            for row in rows.good {
                let Ok(tag) = row.name.parse() else {
                    page.malformed += 1;
                    continue;
                };
                if self.room == 0 {
                    return Ok(page);
                }
                self.room -= 1;
                let pushed = row.push_time.as_deref().or(artifact.push_time.as_deref());
                page.tags.push(ListedTag {
                    tag,
                    digest: digest.clone(),
                    media_type: media_type.clone().filter(|_| digest.is_some()),
                    pushed_at: time(pushed),
                });
            }
        }
        Ok(page)
    }
}

#[async_trait]
impl TagPages for Artifacts {
    async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError> {
        if self.room == 0 {
            return Ok(None);
        }
        let artifacts = self.pages.next(|artifact: &Artifact| &artifact.digest).await;
        let artifacts = artifacts.map_err(|fault| self.failed(fault))?;
        let page = artifacts.map(|artifacts| self.page(artifacts)).transpose();
        page.map_err(|fault| self.failed(fault))
    }

    fn shortfall(&self) -> Option<Finding> {
        let registry = self.client.url().reference_host();
        let of = |why: &str| format!("{registry}: {why}, reading the tags of {}", self.repository);
        if self.room == 0 {
            let seen = of("there are more tags than are kept");
            return Some(Finding::new(FindingCode::RepositoryTruncated, &seen));
        }
        let why = match self.pages.shortfall() {
            Some(why) => why,
            None if self.of_mirror => MIRROR.to_owned(),
            None => return None,
        };
        Some(Finding::new(FindingCode::ListingIncomplete, &of(&why)))
    }

    /// Not in a cache of another registry, whose tags would be listed there: what Harbor holds itself is what it says here.
    async fn is_to_be_completed(&mut self) -> Result<bool, RegistryError> {
        let project = self.repository.as_str().split('/').next().unwrap_or_default();
        let is_mirror = self.mirrors.is_mirror(&self.client, project).await;
        self.of_mirror = is_mirror.map_err(|fault| self.failed(fault))?;
        Ok(!self.of_mirror)
    }
}
