//! Artifactory: Docker repositories of three kinds below one address, a token service each, and a query language over everything.
//!
//! - `double`: the handle, and which part answers
//! - `registry`: `/v2/` of one repository, and its token service
//! - `query`: the query language, as much of it as an inventory needs

mod double;
mod query;
mod registry;

pub use double::{ArtifactoryDouble, ArtifactoryKind, ArtifactoryLogin, ArtifactoryManners};
