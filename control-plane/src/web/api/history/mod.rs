//! `/history` and `/registries/{registry}/changes`: which tag pointed where, when, and what is different since some time.

pub(super) mod differences;
pub(super) mod list;
mod view;

pub use view::{LedgerLine, TagDifferenceView};
