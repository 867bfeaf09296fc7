//! Which product answers, and how it is best asked. Recognised by what it answers, never by its address alone.
//!
//! - `detect`: from a few answers to a product, with the evidence
//! - `product`: what there is to know of a product; `products`: which product stands behind which flavour; one file, or folder, each
//! - `ladder`: the ways to find repositories, tried in turn, each recorded
//! - `tag_list`: the tags of a repository by the product's own way, or by everybody's where that is refused
//! - `not_asked`: a product's own way that is not gone, and why
//! - `credential`: what can be told of a credential by its form alone
//! - `completed`: a product's own list of tags, with what it leaves out
//! - `numbered`, `rows`: lists whose pages have numbers, and rows of which one bad one costs only itself
//! - `native`, `several`: one question to a product's own API; discovery in several places, of which one may fail
//! - `registry`: all of it together

mod acr;
mod artifactory;
mod completed;
mod credential;
mod detect;
mod generic;
mod gitea;
mod gitlab;
mod google;
mod harbor;
mod hub;
mod ladder;
mod native;
mod nexus;
mod not_asked;
mod numbered;
mod product;
mod products;
mod quay;
mod registry;
mod rows;
mod several;
mod tag_list;
mod zot;

pub use ladder::{Ladder, Wanted};
pub use registry::Registry;
pub use tag_list::{ListedTag, TagList, TagPage};
