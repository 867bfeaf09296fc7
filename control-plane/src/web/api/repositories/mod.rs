//! `/repositories`

pub(super) mod list;
mod view;

pub use view::Repository;
