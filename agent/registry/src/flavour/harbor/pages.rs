//! Pages of its API.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::http::HeaderMap;
use serde::de::DeserializeOwned;

use crate::api::{WalkEnd, next_query};
use crate::client::{ApiCall, ApiLogin, RegistryClient};
use crate::error::Fault;
use crate::flavour::numbered::Numbered;
use crate::flavour::rows::{Rows, read};

/// Rows on a page: the most that Harbor gives, and less where that takes it too long.
const SIZES: &[usize] = &[100, 50, 10];
/// Tries after a failure while a smaller page may be the cure.
const FEW_RETRIES: u32 = 1;

/// How large pages may be, as it turned out. Shared by all lists of one kind.
#[derive(Default)]
pub(super) struct PageSize(AtomicUsize);

/// A list of its API, walked page by page.
pub(super) struct Pages {
    client: RegistryClient,
    /// Path, and the query up to the page.
    path: String,
    walk: Numbered,
    size: Arc<PageSize>,
    /// Rows that there are, as the first page and the last one say.
    totals: Option<(usize, usize)>,
    repeated: bool,
}

impl Pages {
    /// `path` ends with a `?` or a `&`.
    pub(super) fn new(client: RegistryClient, path: String, bound: usize, size: Arc<PageSize>) -> Self {
        let pages = client.limits().pages;
        let step = size.0.load(Ordering::Relaxed);
        Self {
            client,
            path,
            walk: Numbered::new(SIZES, pages, bound).beginning_at(step),
            size,
            totals: None,
            repeated: false,
        }
    }

    /// The next page, without rows whose `key` came before; `None` at the end.
    pub(super) async fn next<T: DeserializeOwned>(
        &mut self,
        key: impl Fn(&T) -> &str,
    ) -> Result<Option<Rows<T>>, Fault> {
        while let Some((page, size)) = self.walk.next() {
            let path = format!("{}page={page}&page_size={size}", self.path);
            let call = ApiCall {
                retries: Some(FEW_RETRIES),
                ..ApiCall::get(&path, ApiLogin::Basic)
            };
            let reply = match self.client.call(call).await {
                Ok(reply) => reply,
                Err(fault) if is_too_much(&fault) && self.walk.shrink() => continue,
                Err(fault) => return Err(fault),
            };
            // It is written in Go, where a list without rows may be `null`.
            let mut rows: Rows<T> = read::<Option<Rows<T>>>(&reply)?.unwrap_or_default();
            // Only once it was the cure.
            self.size.0.fetch_max(self.walk.step(), Ordering::Relaxed);
            self.count(&reply.headers);
            let total = rows.total();
            rows.good.retain(|row| self.walk.takes(key(row)));
            self.walk.turn(total, next_query(&reply.headers).is_some());
            if self.has_shrunk() {
                self.repeated = true;
                self.totals = None;
                self.walk.again();
            }
            return Ok(Some(rows));
        }
        Ok(None)
    }

    fn count(&mut self, headers: &HeaderMap) {
        let total = headers
            .get("x-total-count")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        if let Some(total) = total {
            let first = self.totals.map_or(total, |(first, _)| first);
            self.totals = Some((first, total));
        }
    }

    /// Whether rows went away while the list was read, so that others may have moved to pages that were read before. It is read once more
    /// then.
    fn has_shrunk(&self) -> bool {
        let shrunk = self.totals.is_some_and(|(first, last)| last < first);
        shrunk && !self.repeated && self.walk.end() == Some(WalkEnd::Complete)
    }

    /// Once the end was reached: why these are not all rows.
    pub(super) fn shortfall(&self) -> Option<String> {
        match (self.walk.end(), self.totals) {
            (Some(WalkEnd::Complete), Some((first, last))) if last < first => {
                Some("rows went away while they were listed".to_owned())
            }
            (Some(WalkEnd::Complete), Some((_, last))) if self.walk.rows() < last => {
                Some(format!("{} of {last} rows were listed", self.walk.rows()))
            }
            (Some(WalkEnd::Complete), _) | (None, _) => None,
            (Some(end), _) => Some(end.to_string()),
        }
    }
}

/// Whether this may be about the size of the page.
fn is_too_much(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::TimedOut { .. } | Fault::Unavailable { .. } | Fault::TooLarge { .. }
    )
}
