//! What a page of the feed looks like.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{CloudEvent, FeedPage};

/// Some events, and where to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChangesPage)]
pub struct ChangesView {
    /// The events, in order; there may be none.
    pub items: Vec<CloudEvent>,
    /// Ask for what comes next with this; never null: there is always a next.
    pub next_cursor: String,
    /// Nothing was behind it when this was answered.
    pub at_end: bool,
    /// Nothing will ever be behind it: the registry that was followed has been removed.
    #[serde(default)]
    pub ended: bool,
}

impl ChangesView {
    pub(super) fn of(page: FeedPage) -> Self {
        Self {
            items: page.items.into_iter().map(|item| item.event).collect(),
            next_cursor: page.next.to_string(),
            at_end: page.at_end,
            ended: page.ended,
        }
    }
}
