//! Google's Container Registry and Artifact Registry: a `tags/list` that names digests, types and times, and what lies below a path.
//!
//! Source: `go-containerregistry`, which reads these members. A token is good for one repository there; tokens are asked for so anyway.
//!
//! - `product`: what there is to know of it
//! - `listing`: what its `tags/list` says
//! - `children`: the repositories below paths
//! - `tags`: the tags of a repository

mod children;
mod listing;
mod product;
mod tags;

pub(super) use product::Google;
