//! Artifactory: several Docker repositories, each below `/api/docker/KEY`, or behind a port or host name of its own.
//!
//! Read at the address of the instance (`https://HOST` or `https://HOST/artifactory`), all of them are read in one connection, and their images
//! are named `KEY/IMAGE`; at the address of one, that one alone. Virtual repositories are passed over, because their members hold the
//! same; of remote ones the caches are read, because the repository itself would ask upstream.
//!
//! The catalog of a repository is for privileged users. Where it is refused, its images are found by the query language, which shows everybody what
//! he may read.
//!
//! - `product`: what there is to know of it
//! - `place`: what the given address is
//! - `images`: the images of the instance's repositories
//! - `tags`: the tags of an image
//! - `query`: the query language

mod images;
mod place;
mod product;
mod query;
mod tags;

pub(super) use product::Artifactory;
