//! The images of a repository that the search extension knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use portolan_shared::model::{ListingMethod, RepositoryName};
use serde::Deserialize;

use super::query::{Results, quoted, requested, search};
use crate::auth::Scope;
use crate::client::RegistryClient;
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::numbered::Numbered;
use crate::flavour::product::TagPages;
use crate::flavour::rows::time;
use crate::flavour::tag_list::{ListedTag, TagPage};

/// Rows on a page, and less where that is too much.
const SIZES: &[usize] = &[1000, 100];

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "Tag")]
    tag: String,
    #[serde(rename = "Digest")]
    digest: Option<String>,
    #[serde(rename = "MediaType")]
    media_type: Option<String>,
    #[serde(rename = "PushTimestamp")]
    pushed: Option<String>,
}

pub(super) struct Tags {
    client: RegistryClient,
    repository: RepositoryName,
    scope: Scope,
    walk: Numbered,
    without_times: Arc<AtomicBool>,
}

impl Tags {
    pub(super) fn new(
        client: RegistryClient,
        repository: RepositoryName,
        without_times: Arc<AtomicBool>,
    ) -> Self {
        let limits = client.limits();
        Self {
            walk: Numbered::new(SIZES, limits.pages, limits.tags),
            scope: Scope::Pull(repository.clone()),
            client,
            repository,
            without_times,
        }
    }

    /// Asks for a page, without the times of pushes where the schema does not know these.
    async fn ask(&self, page: usize, size: usize) -> Result<Results<Row>, Fault> {
        const MEMBERS: &str = "Tag Digest MediaType PushTimestamp";
        const FEWER: &str = "Tag Digest MediaType";
        let name = quoted(self.repository.as_str());
        let field = format!("ImageList(repo:{name},{})", requested(page, size));
        if !self.without_times.load(Ordering::Relaxed) {
            let results = search(&self.client, &self.scope, &field, MEMBERS).await;
            let refused = matches!(results, Err(Fault::Protocol { .. } | Fault::Rejected { .. }));
            if !refused {
                return results;
            }
        }
        let results = search(&self.client, &self.scope, &field, FEWER).await;
        if results.is_ok() {
            self.without_times.store(true, Ordering::Relaxed);
        }
        results
    }

    async fn advance(&mut self) -> Result<Option<TagPage>, Fault> {
        while let Some((page, size)) = self.walk.next() {
            let results = match self.ask(page, size).await {
                Ok(results) => results,
                Err(Fault::TimedOut { .. } | Fault::Unavailable { .. } | Fault::TooLarge { .. })
                    if self.walk.shrink() =>
                {
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            results.rows.all_read()?;
            return Ok(Some(self.page(page, size, results)));
        }
        Ok(None)
    }

    fn page(&mut self, page: usize, size: usize, results: Results<Row>) -> TagPage {
        let total = results.rows.total();
        let listed = (page - 1) * size + total;
        let mut tags = TagPage::default();
        for row in results.rows.good {
            let Ok(tag) = row.tag.parse() else {
                tags.malformed += 1;
                continue;
            };
            if !self.walk.takes(&row.tag) {
                continue;
            }
            let digest = row.digest.and_then(|digest| digest.parse().ok());
            let media_type = row.media_type.and_then(|kind| kind.parse().ok());
            tags.tags.push(ListedTag {
                tag,
                media_type: media_type.filter(|_| digest.is_some()),
                digest,
                pushed_at: time(row.pushed.as_deref()),
            });
        }
        let says_more = results.total.is_some_and(|total| listed < total);
        self.walk.turn(total, says_more);
        tags
    }
}

#[async_trait]
impl TagPages for Tags {
    async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError> {
        let outcome = self.advance().await;
        outcome.map_err(|fault| {
            self.client.error(
                Subject::Listing(ListingMethod::ZotSearch, self.repository.clone()),
                fault,
            )
        })
    }
}
