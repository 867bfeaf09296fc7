//! `GET /gitlab/v1/repositories/PATH/tags/list/`: a thousand tags a request, with what each points to. Only where the registry keeps its
//! metadata in a database.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use ::http::{HeaderMap, StatusCode};
use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{Finding, FindingCode, ListingMethod, RepositoryName};
use serde::Deserialize;
use serde::de::{Deserializer as _, SeqAccess, Visitor};
use url::form_urlencoded;

use super::pages::has_long_link;
use crate::api::{fault_of, next_query, unexpected};
use crate::auth::Scope;
use crate::client::{ApiCall, ApiLogin, RegistryClient};
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::product::TagPages;
use crate::flavour::tag_list::{ListedTag, TagPage};

/// Page sizes that are asked for, downwards when one is refused; at last none.
const SIZES: [&str; 3] = ["n=1000", "n=100", ""];
/// Rows of a page of which the size was left to the server.
const DEFAULT_ROWS: usize = 100;
/// Rows of one page: what has more is no answer of this API, which gives at most a thousand.
const ROWS: usize = 1_000;

/// Whether the registry keeps its metadata in a database, and how large its pages may be. Learnt once for all repositories.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    state: AtomicU8,
    step: AtomicUsize,
}

const UNKNOWN: u8 = 0;
const OPEN: u8 = 1;
const CLOSED: u8 = 2;

impl Metadata {
    /// Whether asking may be worth it.
    pub(super) fn may_be_open(&self) -> bool {
        self.state.load(Ordering::Relaxed) != CLOSED
    }

    /// Takes in what the API's root says of itself once the login is in.
    pub(super) fn told(&self, headers: &HeaderMap) {
        let enabled = headers.get("gitlab-container-registry-database-enabled");
        match enabled.map(::http::HeaderValue::as_bytes) {
            Some(b"true") => self.state.store(OPEN, Ordering::Relaxed),
            Some(b"false") => self.state.store(CLOSED, Ordering::Relaxed),
            _ => self.state.store(UNKNOWN, Ordering::Relaxed),
        }
    }
}

/// The tags of one repository.
pub(super) struct V1Tags {
    client: RegistryClient,
    metadata: Arc<Metadata>,
    repository: RepositoryName,
    scope: Scope,
    next: Next,
    asked: HashSet<u64>,
    hasher: RandomState,
    given: usize,
    /// Of the tags of the page before a keyed hash each.
    before: HashSet<u64>,
    shortfall: Option<(FindingCode, &'static str)>,
}

enum Next {
    Start,
    Link(String),
    /// What follows the last tag of a full page, of our own accord: no link was given, or it was lost on the way.
    After(String),
    End,
}

impl V1Tags {
    pub(super) fn new(client: RegistryClient, metadata: Arc<Metadata>, repository: RepositoryName) -> Self {
        Self {
            client,
            metadata,
            scope: Scope::Pull(repository.clone()),
            repository,
            next: Next::Start,
            asked: HashSet::new(),
            hasher: RandomState::new(),
            given: 0,
            before: HashSet::new(),
            shortfall: None,
        }
    }

    async fn advance(&mut self) -> Result<Option<TagPage>, Fault> {
        loop {
            let step = self.metadata.step.load(Ordering::Relaxed).min(SIZES.len() - 1);
            let query = match &self.next {
                Next::End => return Ok(None),
                Next::Start => SIZES[step].to_owned(),
                Next::Link(query) | Next::After(query) => query.clone(),
            };
            let in_doubt = matches!(self.next, Next::After(_));
            if let Next::Link(_) | Next::After(_) = self.next
                && let Some(shortfall) = self.bounded(&query)
            {
                self.shortfall = Some(shortfall);
                self.next = Next::End;
                return Ok(None);
            }
            let path = format!("/gitlab/v1/repositories/{}/tags/list/?{query}", self.repository);
            let call = ApiCall::get(path.trim_end_matches('?'), ApiLogin::Scoped(&self.scope));
            let reply = self.client.call(call).await?;
            if reply.status == StatusCode::BAD_REQUEST
                && matches!(self.next, Next::Start)
                && step + 1 < SIZES.len()
            {
                self.metadata.step.store(step + 1, Ordering::Relaxed);
                continue;
            }
            if in_doubt && reply.status.is_client_error() {
                return Ok(self.unproven());
            }
            if !reply.status.is_success() || reply.elsewhere {
                let fault = fault_of(&reply);
                // GitLab's registry, but without the database: nothing below this path is there for any repository.
                let is_definite = reply.status == StatusCode::NOT_FOUND
                    && !fault.is_name_unknown()
                    && reply.headers.contains_key("gitlab-container-registry-version");
                if is_definite {
                    self.metadata.state.store(CLOSED, Ordering::Relaxed);
                }
                return Err(fault);
            }
            let mut page = TagPage::default();
            if !read(&reply.body, &mut page) {
                return Err(unexpected(&reply, "the answer is not a list of tags"));
            }
            self.metadata.state.store(OPEN, Ordering::Relaxed);
            let tags: HashSet<u64> = page
                .tags
                .iter()
                .map(|row| self.hasher.hash_one(row.tag.as_str()))
                .collect();
            let rows = page.tags.len() as u64 + page.malformed;
            if in_doubt && rows > 0 && tags.is_subset(&self.before) {
                return Ok(self.unproven());
            }
            self.before = tags;
            self.next = match next_query(&reply.headers) {
                Some(query) => Next::Link(query),
                None if rows == 0 || !may_go_on(&reply.headers, &query, rows) => Next::End,
                None => match page.tags.last() {
                    Some(last) => Next::After(following(&query, last.tag.as_str())),
                    None => {
                        self.shortfall = Some(UNPROVEN);
                        Next::End
                    }
                },
            };
            let room = self.client.limits().tags.saturating_sub(self.given);
            if page.tags.len() > room {
                page.tags.truncate(room);
                self.shortfall = Some((FindingCode::RepositoryTruncated, "more tags than are kept"));
                self.next = Next::End;
            }
            self.given += page.tags.len();
            return Ok(Some(page));
        }
    }

    /// Ends a list of which nobody can tell whether there is more.
    fn unproven(&mut self) -> Option<TagPage> {
        self.shortfall = Some(UNPROVEN);
        self.next = Next::End;
        None
    }

    /// Why no further page is asked for.
    fn bounded(&mut self, query: &str) -> Option<(FindingCode, &'static str)> {
        if self.asked.len() >= self.client.limits().pages {
            return Some((FindingCode::ListingIncomplete, "more pages than are read"));
        }
        let is_new = self.asked.insert(self.hasher.hash_one(query));
        (!is_new).then_some((FindingCode::ListingIncomplete, "pages that lead in circles"))
    }
}

#[async_trait]
impl TagPages for V1Tags {
    async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError> {
        let outcome = self.advance().await;
        outcome.map_err(|fault| {
            self.next = Next::End;
            let repository = self.repository.clone();
            // What is said of the repository itself is true of it however its tags are listed.
            let subject = if fault.is_name_unknown() || matches!(fault, Fault::Denied { .. }) {
                Subject::Tags(repository)
            } else {
                Subject::Listing(ListingMethod::GitLabV1, repository)
            };
            self.client.error(subject, fault)
        })
    }

    fn shortfall(&self) -> Option<Finding> {
        let (code, why) = self.shortfall?;
        let registry = self.client.url().reference_host();
        Some(Finding::new(
            code,
            &format!("{registry}: {why}, reading the tags of {}", self.repository),
        ))
    }

    /// The general list needs the same right to the same repository.
    fn is_final(&self, error: &RegistryError) -> bool {
        error.is_unknown_repository() || error.is_denied()
    }
}

const UNPROVEN: (FindingCode, &str) = (
    FindingCode::ListingIncomplete,
    "the list ended with a full page and no way to ask for more",
);

/// Whether there may be more although no link says so: the page is as full as it can be, or its link is too long to be followed.
fn may_go_on(headers: &HeaderMap, query: &str, rows: u64) -> bool {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let size = pairs
        .find(|(name, _)| name == "n")
        .and_then(|(_, size)| size.parse().ok());
    rows >= size.unwrap_or(DEFAULT_ROWS as u64) || has_long_link(headers)
}

/// The query of the page behind `last`, of the same size as that of `query`.
fn following(query: &str, last: &str) -> String {
    let mut changed = form_urlencoded::Serializer::new(String::new());
    let pairs = form_urlencoded::parse(query.as_bytes());
    changed.extend_pairs(pairs.filter(|(name, _)| name != "last"));
    changed.append_pair("last", last).finish()
}

/// One tag as the API gives it, without `size_bytes` and `config_digest`: both are in the manifest, which is fetched once and verified before
/// its tag is stored (and the size is the image's rather than the manifest's, and 0 for an index).
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    digest: Option<Cow<'a, str>>,
    #[serde(borrow)]
    media_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    published_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    created_at: Option<Cow<'a, str>>,
}

/// Reads a page, row by row. `false` if the body is none, or a row has no name: the list cannot be relied on then.
fn read(body: &[u8], page: &mut TagPage) -> bool {
    let mut json = serde_json::Deserializer::from_slice(body);
    (&mut json).deserialize_seq(Rows(page)).is_ok() && json.end().is_ok()
}

struct Rows<'p>(&'p mut TagPage);

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tags")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let mut count = 0_usize;
        while let Some(row) = rows.next_element::<Row<'de>>()? {
            count += 1;
            if count > ROWS {
                return Err(serde::de::Error::custom("more rows than a page has"));
            }
            match row.name.parse() {
                Ok(tag) => self.0.tags.push(ListedTag {
                    tag,
                    digest: row.digest.and_then(|digest| digest.parse().ok()),
                    media_type: row.media_type.and_then(|kind| kind.parse().ok()),
                    pushed_at: row
                        .published_at
                        .or(row.created_at)
                        .and_then(|at| at.parse::<Timestamp>().ok()),
                }),
                Err(_) => self.0.malformed += 1,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_are_read_with_what_they_lack() {
        let mut page = TagPage::default();
        let digest = format!("sha256:{}", "a".repeat(64));
        let body = format!(
            r#"[{{"name":"1.0","digest":"{digest}","media_type":"application/vnd.oci.image.index.v1+json","size_bytes":0,
                 "created_at":"2026-01-02T03:04:05.000Z","published_at":"2026-01-05T00:00:00.000Z","referrers":[{{}}]}},
                {{"name":"2.0","digest":"{digest}","config_digest":"{digest}","created_at":"2026-01-02T03:04:05.000Z"}},
                {{"name":"3\u002e0","digest":null,"media_type":"?"}},
                {{"name":"no tag"}}]"#
        );
        assert!(read(body.as_bytes(), &mut page));
        assert_eq!((page.tags.len(), page.malformed), (3, 1));
        let [one, two, three] = &page.tags[..] else {
            unreachable!()
        };
        assert_eq!(one.pushed_at.unwrap().to_string(), "2026-01-05T00:00:00Z");
        assert_eq!(one.digest.as_ref().unwrap().to_string(), digest);
        assert_eq!(two.pushed_at.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(three.tag.as_str(), "3.0");
        assert_eq!((&three.digest, &three.pushed_at), (&None, &None));
        for none in [
            "",
            "{}",
            "[",
            "[1]",
            "[{}]",
            r#"[{"name":null}]"#,
            r#"{"tags":[]}"#,
            "[] x",
            "<html>",
        ] {
            assert!(!read(none.as_bytes(), &mut TagPage::default()), "{none}");
        }
        assert!(read(b"[]", &mut TagPage::default()));
    }

    #[test]
    fn a_page_has_a_bound() {
        let rows = |count: usize| format!("[{}]", vec![r#"{"name":"1"}"#; count].join(","));
        assert!(read(rows(ROWS).as_bytes(), &mut TagPage::default()));
        assert!(!read(rows(ROWS + 1).as_bytes(), &mut TagPage::default()));
    }

    proptest! {
        #[test]
        fn no_body_panics(body in "\\PC{0,100}|\\[\\{\"name\":\\PC{0,60}\\}\\]") {
            let _ = read(body.as_bytes(), &mut TagPage::default());
        }
    }
}
