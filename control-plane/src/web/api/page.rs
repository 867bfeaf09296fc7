//! Pages of lists.

use jiff::Timestamp;
use portolan_store::{Page, PageRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiError;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PageOf<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// The cursor of the next page; null on the last page.
    pub next: Option<String>,
}

impl<T> PageOf<T> {
    pub(in crate::web::api) fn of<R>(page: Page<R>, view: impl FnMut(R) -> T) -> Self {
        Self {
            items: page.items.into_iter().map(view).collect(),
            next: page.next.map(|cursor| cursor.to_string()),
        }
    }
}

/// One page of a list about what is known since some time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KnownPageOf<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// The cursor of the next page; null on the last page.
    pub next: Option<String>,
    /// When all of the repository, or registry, was known for the first time: of a time before that only parts are known. Null if it never was:
    /// then of no time all of it is known, not even now.
    pub known_from: Option<Timestamp>,
}

impl<T> KnownPageOf<T> {
    pub(in crate::web::api) fn of<R>(
        page: Page<R>,
        known_from: Option<Timestamp>,
        view: impl FnMut(R) -> T,
    ) -> Self {
        let PageOf { items, next } = PageOf::of(page, view);
        Self {
            items,
            next,
            known_from,
        }
    }
}

/// Items in a page if the caller does not say.
const DEFAULT: u16 = 100;

/// Where in a list a page begins, and how long it is.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// `next` of the page before.
    pub(super) cursor: Option<String>,
    /// Items in the page, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 100)]
    pub(super) limit: Option<String>,
}

impl PageQuery {
    pub(super) fn request(self) -> Result<PageRequest, ApiError> {
        page_request(self.cursor, self.limit)
    }
}

/// For queries that have more parameters than a page. The limit comes as text, so that whatever stands there is answered by its bounds.
pub(super) fn page_request(cursor: Option<String>, limit: Option<String>) -> Result<PageRequest, ApiError> {
    let limit = match limit {
        None => Some(DEFAULT),
        Some(text) => text.parse().ok(),
    };
    let limit = limit
        .filter(|limit| (1..=PageRequest::MAX).contains(limit))
        .ok_or_else(|| ApiError::out_of_bounds("limit", 1, PageRequest::MAX.into()))?;
    let after = cursor
        .map(|text| text.parse())
        .transpose()
        .map_err(|error| ApiError::invalid("cursor", error))?;
    Ok(PageRequest { after, limit })
}
