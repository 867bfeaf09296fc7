//! What people ask of repositories: `/repositories` and its pages.

pub(super) mod list;
mod view;

pub use view::Repository;
