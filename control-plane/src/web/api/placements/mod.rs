//! `/placements`: where a digest is.

pub(super) mod list;
mod view;

pub use view::{PlacementView, PlacementsView};
