//! What people ask of the tags of a repository: `/tags` and its pages.

pub(super) mod list;
mod view;

pub use view::Tag;
