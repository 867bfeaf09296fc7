//! What a probe looks at, as JSON.

use std::num::NonZeroU32;

use portolan_shared::model::{
    Budget, CaTrust, CredentialReference, NamePatterns, RegistryId, RegistryTarget, RegistryUrl,
    RepositoryPatterns, TagFilter,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredTarget {
    registry: String,
    url: RegistryUrl,
    ca: CaTrust,
    repositories: Vec<String>,
    credential: Option<CredentialReference>,
    tags: Vec<String>,
    newest_tags: Option<NonZeroU32>,
    max_tag_age_days: Option<NonZeroU32>,
    budget: Budget,
}

impl From<&RegistryTarget> for StoredTarget {
    fn from(target: &RegistryTarget) -> Self {
        Self {
            registry: target.registry.to_string(),
            url: target.url.clone(),
            ca: target.ca.clone(),
            repositories: target.repositories.as_slice().to_vec(),
            credential: target.credential.clone(),
            tags: target.tags.names.as_slice().to_vec(),
            newest_tags: target.tags.newest,
            max_tag_age_days: target.tags.max_age_days,
            budget: target.budget,
        }
    }
}

impl StoredTarget {
    /// The target; `None` if it cannot be read any more.
    pub(super) fn into_target(self) -> Option<RegistryTarget> {
        Some(RegistryTarget {
            registry: self.registry.parse::<RegistryId>().ok()?,
            url: self.url,
            ca: self.ca,
            repositories: RepositoryPatterns::new(self.repositories).ok()?,
            credential: self.credential,
            tags: TagFilter {
                names: NamePatterns::new(self.tags).ok()?,
                newest: self.newest_tags,
                max_age_days: self.max_tag_age_days,
            },
            budget: self.budget,
            requests_left: None,
        })
    }
}
