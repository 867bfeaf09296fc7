//! `/audit`: what was done by whom.

pub(super) mod list;
mod view;

pub use view::AuditLine;
