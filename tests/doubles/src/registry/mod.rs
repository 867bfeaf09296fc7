//! A registry in memory, with the manners of GitLab's: challenges, headers, paging, conditional requests, redirects to storage.
//! Read-only over HTTP; tests change its content from inside.
//!
//! Sources: GitLab's container registry, distribution-spec 1.1, and field reports for
//! the hostile ways of paging.

mod behaviour;
mod blobs;
mod dispatch;
mod double;
mod errors;
mod gitlab_api;
mod guard;
mod links;
mod lists;
mod manifests;
mod referrers;
mod storage;

pub use behaviour::{Behaviour, BlobServing, Flavour, Paging, Referrers};
pub(crate) use double::Inside;
pub use double::{RegistryDouble, RegistryDoubleBuilder};
pub(crate) use gitlab_api::unique_layers;
