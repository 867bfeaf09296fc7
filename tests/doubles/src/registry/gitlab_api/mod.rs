//! GitLab's own API of the registry, `/gitlab/v1/`, which needs the metadata database: tags with digests, sizes and times.
//!
//! Source: GitLab's registry HTTP API V1, and its handlers where the two differ.

mod paths;
mod query;
mod repository;
mod route;
mod tag_detail;
mod tag_item;
mod tags;
mod window;

pub(crate) use repository::unique_layers;
pub(super) use route::{Route, serve, slashed};
