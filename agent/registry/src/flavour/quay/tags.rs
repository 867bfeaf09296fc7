//! The tags of a repository, newest first.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{ListingMethod, RepositoryName};
use serde::Deserialize;

use super::login::Caller;
use crate::client::{ApiCall, RegistryClient};
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::numbered::Numbered;
use crate::flavour::product::TagPages;
use crate::flavour::rows::{Rows, encoded, read};
use crate::flavour::tag_list::{ListedTag, TagPage};

/// Rows on a page: the most that Quay gives.
const SIZES: &[usize] = &[100];
/// Without the login only public repositories could be asked for: that is not tried for each.
const NOT_OPEN: &str = "Quay's own list of tags is open to OAuth tokens only, and the login is another";

#[derive(Deserialize)]
struct Answer {
    tags: Rows<Row>,
    #[serde(default)]
    has_additional: bool,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    manifest_digest: Option<String>,
    start_ts: Option<i64>,
}

pub(super) struct Tags {
    client: RegistryClient,
    repository: RepositoryName,
    path: String,
    caller: Option<Caller>,
    walk: Numbered,
}

impl Tags {
    pub(super) fn new(client: RegistryClient, repository: &RepositoryName) -> Self {
        let segments: Vec<String> = repository.as_str().split('/').map(encoded).collect();
        let limits = client.limits();
        Self {
            walk: Numbered::new(SIZES, limits.pages, limits.tags),
            repository: repository.clone(),
            path: format!("/api/v1/repository/{}/tag/", segments.join("/")),
            client,
            caller: None,
        }
    }

    async fn advance(&mut self) -> Result<Option<TagPage>, Fault> {
        let login = match &self.caller {
            Some(caller) => caller.login(),
            None => {
                let caller = Caller::of(&self.client).await?;
                if !caller.is_shown_all() {
                    return Err(Fault::Protocol { problem: NOT_OPEN });
                }
                self.caller.insert(caller).login()
            }
        };
        let Some((page, size)) = self.walk.next() else {
            return Ok(None);
        };
        let path = format!("{}?limit={size}&page={page}&onlyActiveTags=true", self.path);
        let reply = self.client.call(ApiCall::get(&path, login)).await?;
        let answer: Answer = read(&reply)?;
        answer.tags.all_read()?;
        let total = answer.tags.total();
        let mut tags = TagPage::default();
        for row in answer.tags.good {
            let Ok(tag) = row.name.parse() else {
                tags.malformed += 1;
                continue;
            };
            if self.walk.takes(&row.name) {
                tags.tags.push(ListedTag {
                    tag,
                    digest: row.manifest_digest.and_then(|digest| digest.parse().ok()),
                    media_type: None,
                    pushed_at: row.start_ts.and_then(|at| Timestamp::from_second(at).ok()),
                });
            }
        }
        self.walk.turn(total, answer.has_additional);
        Ok(Some(tags))
    }
}

#[async_trait]
impl TagPages for Tags {
    async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError> {
        let outcome = self.advance().await;
        outcome.map_err(|fault| {
            let subject = Subject::Listing(ListingMethod::QuayTags, self.repository.clone());
            self.client.error(subject, fault)
        })
    }
}
