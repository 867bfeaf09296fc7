//! `GET /v2/_catalog`: every repository that the login may see. Not part of the specification, and in many products for administrators only.

use portolan_shared::model::RepositoryName;

use super::walk::{Listing, Walk};
use crate::auth::Scope;
use crate::client::{Part, RegistryClient};
use crate::error::Subject;

impl RegistryClient {
    /// Walks the catalog. At most [`Limits::repositories`](crate::Limits::repositories) names.
    #[must_use]
    pub fn catalog(&self) -> Walk<RepositoryName> {
        self.catalog_at("_catalog".to_owned())
    }

    /// Walks the catalog of one of several registries behind this address. The names are those within it.
    pub(crate) fn catalog_of(&self, part: &Part) -> Walk<RepositoryName> {
        self.catalog_at(format!("{}/_catalog", part.key()))
    }

    fn catalog_at(&self, path: String) -> Walk<RepositoryName> {
        let listing = Listing {
            subject: Subject::Catalog,
            path,
            member: "repositories",
            scope: Scope::Catalog,
            bound: self.limits().repositories,
        };
        Walk::new(self.clone(), listing)
    }
}
