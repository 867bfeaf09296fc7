//! `/history`: which tag pointed where, when.

pub(super) mod list;
mod view;

pub use view::LedgerLine;
