//! What a placement looks like.

use portolan_store::{Placement, PlacementVia, Placements};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::web::api::PageOf;

/// A place where a digest is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Placement)]
pub struct PlacementView {
    /// The whole reference: `REGISTRY/REPOSITORY:TAG`.
    pub reference: String,
    /// The registry's name.
    pub registry: String,
    /// In which repository.
    pub repository: String,
    /// Under which tag.
    pub tag: String,
    /// How it is reached: `tag` (the tag points to it), `parent` (through an index, or an image whose config it is) or `subject` (it refers
    /// to what the tag points to).
    pub via: String,
}

/// A page of the places where a digest is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PageOf_Placement)]
pub struct PlacementsView {
    /// The items, in the order of the list.
    pub items: Vec<PlacementView>,
    /// The cursor of the next page; null on the last page.
    pub next: Option<String>,
    /// Whether there may be places that are on no page: more than 1,000 manifests lead to the digest.
    pub cut: bool,
}

impl From<Placements> for PlacementsView {
    fn from(places: Placements) -> Self {
        let PageOf { items, next } = PageOf::of(places.page, PlacementView::from);
        Self {
            items,
            next,
            cut: places.cut,
        }
    }
}

impl From<Placement> for PlacementView {
    fn from(placement: Placement) -> Self {
        let via = match placement.via {
            PlacementVia::Tag => "tag",
            PlacementVia::Parent => "parent",
            PlacementVia::Subject => "subject",
        };
        Self {
            reference: format!(
                "{}/{}:{}",
                placement.registry_name, placement.repository, placement.tag
            ),
            registry: placement.registry_name.to_string(),
            repository: placement.repository.to_string(),
            tag: placement.tag.to_string(),
            via: via.to_owned(),
        }
    }
}
