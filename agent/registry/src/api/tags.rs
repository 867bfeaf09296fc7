//! `GET /v2/NAME/tags/list`: the tags of one repository.

use portolan_shared::model::{RepositoryName, TagName};

use super::walk::{Listing, Walk};
use crate::auth::Scope;
use crate::client::RegistryClient;
use crate::error::Subject;

impl RegistryClient {
    /// Walks the tags of a repository. At most [`Limits::tags`](crate::Limits::tags) names.
    #[must_use]
    pub fn tags(&self, repository: &RepositoryName) -> Walk<TagName> {
        let listing = Listing {
            subject: Subject::Tags(repository.clone()),
            path: format!("{repository}/tags/list"),
            member: "tags",
            scope: Scope::Pull(repository.clone()),
            bound: self.limits().tags,
        };
        Walk::new(self.clone(), listing)
    }
}
