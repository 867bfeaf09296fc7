//! `/status`: whether everything is well.

pub(super) mod show;
mod view;

pub use view::{AttentionItem, StatusTally, StatusView};
