//! Which product answers, and how it is best asked. Recognised by what it answers, never by its address alone.
//!
//! - `detect`: from a few answers to a product, with the evidence
//! - `product`: what there is to know of a product; one file, or folder, each
//! - `ladder`: the ways to find repositories, tried in turn, each recorded
//! - `tag_list`: the tags of a repository by the product's own way, or by everybody's where that is refused
//! - `registry`: all of it together

mod detect;
mod generic;
mod ladder;
mod product;
mod registry;
mod tag_list;

pub use ladder::{Ladder, Wanted};
pub use registry::Registry;
pub use tag_list::{ListedTag, TagList, TagPage};
