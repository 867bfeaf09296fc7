//! Questions about the inventory: repositories, tags, one image, its history, what was and what is different since, where a digest is.
//!
//! `resolve` is the only place that knows how a reference such as `gitlab/acme/shop:1.0` is split into registry, repository and tag.

mod history;
mod past;
mod platforms;
mod queries;
mod resolve;
mod show;

pub use resolve::RepositoryFound;
pub use show::{ImageShown, ManifestBytes, PlatformShown};
