//! `GET /projects/ID/registry/repositories/ID/tags`: the tags of a repository by the web host, which asks the registry from the inside. For
//! where the registry's own lists fail on the way, such as behind a proxy that lets manifests through and lists not.
//!
//! Names alone are taken. What a tag points to the API says too, tag by tag, and has to ask the registry for it several times: the registry
//! is asked directly, once.

use async_trait::async_trait;
use portolan_shared::model::{Finding, FindingCode, ListingMethod, RepositoryName};
use serde::Deserialize;

use super::pages::Pages;
use super::project::BELOW_PROJECT;
use super::rest::{Rest, closed_to, rows};
use super::web::component;
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::product::TagPages;
use crate::flavour::rows::Rows;
use crate::flavour::tag_list::{ListedTag, TagPage};
use crate::http::Reply;

const METHOD: ListingMethod = ListingMethod::GitLabRest;
/// Pages that do not shift when tags go: only with the metadata database; refused with 405 without.
const BY_NAME: &str = "pagination=keyset&sort=asc&per_page=100";
const BY_NUMBER: &str = "page=1&per_page=100";
/// The rows that all pages by number hold together.
const TOTAL: &str = "x-total";

const TRUNCATED: (FindingCode, &str) = (FindingCode::RepositoryTruncated, "more tags than are kept");
const SHIFTED: (FindingCode, &str) = (
    FindingCode::ListingIncomplete,
    "pages by number that no total bears out, so that rows may have been passed over",
);

/// The tags of one repository.
pub(super) struct RestTags {
    rest: Rest,
    repository: RepositoryName,
    stage: Stage,
    given: usize,
    shortfall: Option<(FindingCode, &'static str)>,
}

enum Stage {
    Start,
    Listing(Box<Listing>),
    End,
}

struct Listing {
    path: String,
    pages: Pages,
    /// What the pages by number add up to; `None` while none came.
    count: Option<Count>,
}

/// Rows of pages by number. A row that goes shifts those behind it to the page that was just read.
struct Count {
    rows: u64,
    /// As every page says; `None` if one does not, or they differ.
    total: Option<u64>,
}

impl RestTags {
    pub(super) fn new(rest: Rest, repository: RepositoryName) -> Self {
        Self {
            rest,
            repository,
            stage: Stage::Start,
            given: 0,
            shortfall: None,
        }
    }

    async fn advance(&mut self) -> Result<Option<TagPage>, Fault> {
        if matches!(self.stage, Stage::Start) {
            let hint = self.rest.client.token_hint().await?;
            if let Some(why) = closed_to(hint.as_ref()) {
                return Err(Fault::NotAsked { why });
            }
            let path = place_of(&self.rest, &self.repository).await?;
            self.stage = Stage::Listing(Box::new(Listing {
                pages: Pages::new(path.clone(), BY_NAME),
                path,
                count: None,
            }));
        }
        let Stage::Listing(listing) = &mut self.stage else {
            return Ok(None);
        };
        let Listing { path, pages, count } = &mut **listing;
        let reply = match pages.next(&self.rest).await {
            Err(Fault::Rejected { status, .. })
                if status.as_u16() == 405 && count.is_none() && self.given == 0 =>
            {
                *pages = Pages::new(path.clone(), BY_NUMBER);
                pages.next(&self.rest).await?
            }
            outcome => outcome?,
        };
        let Some(reply) = reply else {
            let why = pages.shortfall().map(|why| (FindingCode::ListingIncomplete, why));
            let shifted = count
                .as_ref()
                .is_some_and(|count| count.total != Some(count.rows));
            self.shortfall = why.or(shifted.then_some(SHIFTED));
            self.stage = Stage::End;
            return Ok(None);
        };
        let (mut page, rows) = tags(&reply)?;
        if reply.headers.contains_key("x-page") {
            let total = total(&reply);
            let count = count.get_or_insert(Count { rows: 0, total });
            count.rows += rows;
            count.total = count.total.filter(|known| Some(*known) == total);
        }
        let room = self.rest.client.limits().tags.saturating_sub(self.given);
        if page.tags.len() > room {
            page.tags.truncate(room);
            self.shortfall = Some(TRUNCATED);
            self.stage = Stage::End;
        }
        self.given += page.tags.len();
        Ok(Some(page))
    }
}

/// The names on a page, and its rows.
fn tags(reply: &Reply) -> Result<(TagPage, u64), Fault> {
    #[derive(Deserialize)]
    struct Row {
        name: String,
    }
    let rows: Rows<Row> = rows(&reply.body)?;
    // What is not listed counts as gone.
    rows.all_read()?;
    let total = rows.good.len() as u64;
    let mut page = TagPage::default();
    for row in rows.good {
        match row.name.parse() {
            Ok(tag) => page.tags.push(ListedTag::unresolved(tag)),
            Err(_) => page.malformed += 1,
        }
    }
    Ok((page, total))
}

fn total(reply: &Reply) -> Option<u64> {
    reply.headers.get(TOTAL)?.to_str().ok()?.trim().parse().ok()
}

/// Where the repository's tags are: it belongs to the project whose path is its own, or up to two components shorter, and has a number there.
async fn place_of(rest: &Rest, repository: &RepositoryName) -> Result<String, Fault> {
    #[derive(Deserialize)]
    struct Row {
        id: u64,
        path: String,
    }
    let mut path = repository.as_str();
    for _ in 0..=BELOW_PROJECT {
        let below = format!("/projects/{}/registry/repositories", component(path));
        let mut pages = Pages::new(below.clone(), BY_NUMBER);
        loop {
            let reply = match pages.next(rest).await {
                Ok(Some(reply)) => reply,
                // No project of this name, or none that can be seen.
                Ok(None) | Err(Fault::Missing { .. }) => break,
                Err(fault) => return Err(fault),
            };
            let rows: Rows<Row> = rows(&reply.body)?;
            let mut rows = rows.good.into_iter();
            // The registry knows paths in lower case only.
            if let Some(row) = rows.find(|row| row.path.to_lowercase() == repository.as_str()) {
                return Ok(format!("{below}/{}/tags", row.id));
            }
        }
        match path.rsplit_once('/') {
            // No project lies outside of a group.
            Some((parent, _)) if parent.contains('/') => path = parent,
            _ => break,
        }
    }
    Err(Fault::Protocol {
        problem: "no project that the API shows has this repository",
    })
}

#[async_trait]
impl TagPages for RestTags {
    async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError> {
        let outcome = self.advance().await;
        outcome.map_err(|fault| {
            self.stage = Stage::End;
            let subject = Subject::Listing(METHOD, self.repository.clone());
            self.rest.client.error(subject, fault)
        })
    }

    fn shortfall(&self) -> Option<Finding> {
        let (code, why) = self.shortfall?;
        let registry = self.rest.client.url().reference_host();
        let seen = format!(
            "{registry}: {METHOD}: {why}, reading the tags of {}",
            self.repository
        );
        Some(Finding::new(code, &seen))
    }
}
