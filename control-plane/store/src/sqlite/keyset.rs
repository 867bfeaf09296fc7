//! Pages by key: the cursor is the key of the last item, as JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::rows::json;
use crate::{Cursor, Page, PageRequest, StoreError};

/// The key after which the page begins. [`StoreError::Refused`] if the cursor is not one of this list.
pub(super) fn after<K: DeserializeOwned>(page: &PageRequest) -> Result<Option<K>, StoreError> {
    let Some(cursor) = &page.after else {
        return Ok(None);
    };
    cursor
        .position()
        .ok()
        .and_then(|position| serde_json::from_slice(&position).ok())
        .map(Some)
        .ok_or_else(|| StoreError::Refused {
            what: "cursor",
            why: "it does not belong to this list".to_owned(),
        })
}

/// How many rows to ask for: one more than the page holds, to know whether there is another page.
pub(super) fn rows_wanted(page: &PageRequest) -> i64 {
    i64::from(limit(page)) + 1
}

/// How many items the page may have.
pub(super) fn limit(page: &PageRequest) -> u16 {
    page.limit.clamp(1, PageRequest::MAX)
}

/// The page from the rows that [`rows_wanted`] asked for.
pub(super) fn page<T, K: Serialize>(
    request: &PageRequest,
    mut items: Vec<T>,
    key: impl FnOnce(&T) -> K,
) -> Result<Page<T>, StoreError> {
    let limit = usize::from(limit(request));
    if items.len() <= limit {
        return Ok(Page { items, next: None });
    }
    items.truncate(limit);
    let next = match items.last() {
        Some(last) => Some(Cursor::at(json("cursor", &key(last))?.as_bytes())),
        None => None,
    };
    Ok(Page { items, next })
}
