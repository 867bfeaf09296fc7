//! A listing, page by page.

use std::str::FromStr;
use std::sync::atomic::Ordering;

use ::http::HeaderValue;
use portolan_shared::model::{Finding, FindingCode};

use super::link::{next_elsewhere, next_query};
use super::listing::Collector;
use super::pager::{Pager, Refused, Seen, WalkEnd};
use super::problem::{fault_of, unexpected};
use crate::auth::Scope;
use crate::client::{RegistryClient, Request};
use crate::error::{Fault, RegistryError, Subject};

/// Tries after a server error while a smaller page may be the cure.
const FEW_RETRIES: u32 = 1;

/// Some names of a listing. No name comes twice in a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The names, in the server's order.
    pub items: Vec<T>,
}

/// Which listing.
pub(super) struct Listing {
    pub(super) subject: Subject,
    pub(super) path: String,
    pub(super) member: &'static str,
    pub(super) scope: Scope,
    pub(super) bound: usize,
}

/// Walks a listing. Nothing is read ahead: a page is asked for when the one before has been taken.
///
/// The walk has ended when [`Walk::next_page`] returns `None` or an error; [`Walk::end`] then says whether everything was listed. An
/// error in the middle leaves what came before as it is.
pub struct Walk<T> {
    client: RegistryClient,
    listing: Listing,
    pager: Pager,
    collector: Collector<T>,
    /// The origin that links named first, where it is not the registry's.
    foreign: Option<String>,
    failed: bool,
}

impl<T: FromStr> Walk<T> {
    pub(super) fn new(client: RegistryClient, listing: Listing) -> Self {
        let step = client.learnt().step_of(&listing.subject).load(Ordering::Relaxed);
        Self {
            pager: Pager::new(step, client.limits().pages),
            collector: Collector::new(listing.bound),
            client,
            listing,
            foreign: None,
            failed: false,
        }
    }

    /// The next page that holds anything new; `None` at the end.
    pub async fn next_page(&mut self) -> Result<Option<Page<T>>, RegistryError> {
        let outcome = self.advance().await;
        outcome.map_err(|fault| {
            self.failed = true;
            self.client.error(self.listing.subject.clone(), fault)
        })
    }

    async fn advance(&mut self) -> Result<Option<Page<T>>, Fault> {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        while !self.failed {
            let retries = self.pager.may_step_down().then_some(FEW_RETRIES);
            let Some(query) = self.pager.query() else {
                return Ok(None);
            };
            let bound = self.client.limits().list_bytes;
            let request = Request {
                query: Some(&query),
                listing: true,
                retries,
                ..Request::get(&self.listing.path, JSON, &self.listing.scope, bound)
            };
            let reply = self.client.send(request).await;
            let reply = match reply {
                Ok(reply) if reply.status.is_success() => reply,
                // Registries may keep their lists on another host (registry.k8s.io). What it refuses, or says is not there, is not the
                // registry's word.
                Ok(reply) if reply.elsewhere => {
                    return Err(Fault::Redirect {
                        to: reply.url.host_str().map(str::to_owned),
                        why: "to another host, which does not give the list",
                    });
                }
                Ok(reply) => {
                    let fault = fault_of(&reply);
                    // No right to it, or no such list: a smaller page would not help.
                    let hopeless = matches!(fault, Fault::Denied { .. }) || fault.is_name_unknown();
                    if hopeless || self.pager.refused(reply.status.as_u16()) == Refused::Fail {
                        return Err(fault);
                    }
                    continue;
                }
                Err(Fault::Unavailable { status }) => {
                    if self.pager.refused(status.as_u16()) == Refused::Fail {
                        return Err(Fault::Unavailable { status });
                    }
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            if !self.collector.read(&reply.body, self.listing.member) {
                return Err(unexpected(&reply, "the answer is not a listing"));
            }
            // Of a link, only the query is used: the next page is asked for at the registry again, wherever this one came from.
            if self.foreign.is_none() && !reply.elsewhere {
                self.foreign = next_elsewhere(&reply.headers, &reply.url);
            }
            self.pager.page(Seen {
                entries: self.collector.entries,
                fresh: self.collector.fresh,
                last: self.collector.last.as_deref(),
                next: next_query(&reply.headers),
                over: self.collector.over,
            });
            let learnt = self.client.learnt().step_of(&self.listing.subject);
            learnt.store(self.pager.refused_step(), Ordering::Relaxed);
            let items = self.collector.take();
            if !items.is_empty() {
                return Ok(Some(Page { items }));
            }
        }
        Ok(None)
    }

    /// How the walk ended; `None` while it goes on, and after an error.
    #[must_use]
    pub fn end(&self) -> Option<WalkEnd> {
        self.pager.end().filter(|_| !self.failed)
    }

    /// Whether everything was listed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.end().is_some_and(WalkEnd::is_complete)
    }

    /// Names that were listed but that no request can be made for.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.collector.malformed
    }

    /// What is worth knowing although nothing is lost: links that name another scheme, host or port than the registry is reached by.
    #[must_use]
    pub fn note(&self) -> Option<Finding> {
        let foreign = self.foreign.as_ref()?;
        let registry = self.client.url().authority();
        Some(Finding::new(
            FindingCode::ForwardedHeaders,
            &format!(
                "{registry}: links name {foreign}, reading {}",
                self.listing.subject
            ),
        ))
    }

    /// What to record when the walk ended without an error but not complete.
    #[must_use]
    pub fn shortfall(&self) -> Option<Finding> {
        let end = self.end().filter(|end| !end.is_complete())?;
        let code = match (end, &self.listing.subject) {
            (WalkEnd::ItemBound, Subject::Tags(_)) => FindingCode::RepositoryTruncated,
            _ => FindingCode::ListingIncomplete,
        };
        let registry = self.client.url().reference_host();
        Some(Finding::new(
            code,
            &format!("{registry}: {end}, reading {}", self.listing.subject),
        ))
    }
}
