//! What was being read.

use std::fmt;

use portolan_shared::model::{Digest, DiscoveryMethod, ListingMethod, RepositoryName};

/// What was being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The API's root, `/v2/`.
    Api,
    /// The catalog of repositories.
    Catalog,
    /// A repository's tags.
    Tags(RepositoryName),
    /// A manifest, by tag or digest.
    Manifest(RepositoryName, String),
    /// A blob.
    Blob(RepositoryName, Digest),
    /// What refers to a digest.
    Referrers(RepositoryName, Digest),
    /// What a product's own way to find repositories asks for.
    Discovery(DiscoveryMethod),
    /// What a product's own way to list the tags of a repository asks for.
    Listing(ListingMethod, RepositoryName),
    /// What a product says of the credential.
    Credential,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api => f.write_str("the API root"),
            Self::Catalog => f.write_str("the catalog"),
            Self::Tags(repository) => write!(f, "the tags of {repository}"),
            Self::Manifest(repository, reference) => write!(f, "manifest {reference} of {repository}"),
            Self::Blob(repository, digest) => write!(f, "blob {digest} of {repository}"),
            Self::Referrers(repository, digest) => write!(f, "the referrers of {digest} in {repository}"),
            Self::Discovery(method) => write!(f, "what {method} lists"),
            Self::Listing(method, repository) => write!(f, "what {method} lists of {repository}"),
            Self::Credential => f.write_str("what is said of the credential"),
        }
    }
}
