//! Whole lists, page by page.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::Client;
use super::send::Query;
use crate::cli::failure::CliError;

/// Items asked for at once.
const PAGE: usize = 1_000;

/// Some items of a list.
pub(in crate::cli) struct Listing {
    /// The items, as the control plane gave them.
    pub(in crate::cli) items: Vec<Value>,
    /// There is more than was asked for.
    pub(in crate::cli) more: bool,
    /// When all that the list is about was known for the first time, where the list says so.
    pub(in crate::cli) known_from: Option<Timestamp>,
}

/// A page of any list.
#[derive(Deserialize)]
struct Fetched {
    items: Vec<Value>,
    next: Option<String>,
    /// There is more that is on no page; only some lists have that.
    #[serde(default)]
    cut: bool,
    #[serde(default)]
    known_from: Option<Timestamp>,
}

impl Client {
    /// The first `limit` items of a list. Whether there are more is told, never hidden.
    pub(in crate::cli) async fn list(
        &self,
        path: &[&str],
        query: &Query<'_>,
        limit: usize,
    ) -> Result<Listing, CliError> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        let mut cut = false;
        loop {
            let wanted = (limit - items.len()).min(PAGE).to_string();
            let mut query = query.to_vec();
            query.push(("limit", Some(&wanted)));
            query.push(("cursor", cursor.as_deref()));
            let page: Fetched = self.view(&self.get(path, &query).await?)?;
            cut |= page.cut;
            if page.items.is_empty() && page.next.is_some() {
                return Err(self.odd("a page without items that is not the last".to_owned()));
            }
            items.extend(page.items);
            if page.next.is_none() || items.len() >= limit {
                return Ok(Listing {
                    more: cut || page.next.is_some(),
                    items,
                    known_from: page.known_from,
                });
            }
            if page.next == cursor {
                return Err(self.odd("pages that go round in a circle".to_owned()));
            }
            cursor = page.next;
        }
    }
}
