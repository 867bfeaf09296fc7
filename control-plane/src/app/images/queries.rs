//! Lists and sums.

use portolan_shared::model::{Digest, limits};
use portolan_store::{
    InventoryTotals, Page, PageRequest, Placements, RepositoryFilter, RepositoryRecord, Role, TagRecord,
};

use super::RepositoryFound;
use crate::app::{App, AppError, Caller};

impl App {
    /// Repositories by registry name and name; of one registry, or those whose name contains a text, if that is given.
    pub async fn repositories(
        &self,
        caller: &Caller,
        registry: Option<&str>,
        contains: Option<String>,
        vanished: bool,
        page: &PageRequest,
    ) -> Result<Page<RepositoryRecord>, AppError> {
        caller.require(Role::Viewer)?;
        if contains
            .as_ref()
            .is_some_and(|text| text.len() > limits::REPOSITORY_BYTES)
        {
            return Err(AppError::invalid(
                "contains",
                format!("at most {} bytes", limits::REPOSITORY_BYTES),
            ));
        }
        let registry = match registry {
            Some(name) => Some(self.registry(caller, name).await?.registry.id),
            None => None,
        };
        let filter = RepositoryFilter {
            registry,
            contains: contains.filter(|text| !text.is_empty()),
            vanished,
        };
        Ok(self.store.repositories(caller.tenant, &filter, page).await?)
    }

    /// Tags of a repository by name. Without `registry`, `repository` is read as a reference is.
    pub async fn tags(
        &self,
        caller: &Caller,
        registry: Option<&str>,
        repository: &str,
        page: &PageRequest,
    ) -> Result<(RepositoryFound, Page<TagRecord>), AppError> {
        caller.require(Role::Viewer)?;
        let found = self.resolve(caller, registry, repository).await?;
        let tags = self
            .store
            .tags(
                caller.tenant,
                found.repository.registry,
                &found.repository.name,
                page,
            )
            .await?;
        Ok((found, tags))
    }

    /// Every place where a digest is, by registry, repository and tag. None if it is known but no tag reaches it any more.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a digest that the tenant knows nothing of.
    pub async fn placements(
        &self,
        caller: &Caller,
        digest: &Digest,
        page: &PageRequest,
    ) -> Result<Placements, AppError> {
        caller.require(Role::Viewer)?;
        let tenant = caller.tenant;
        let places = self.store.placements(tenant, digest, page).await?;
        if places.page.items.is_empty()
            && page.after.is_none()
            && self.store.manifest(tenant, digest).await?.is_none()
            && self.store.image_facts(tenant, digest).await?.is_none()
        {
            return Err(AppError::not_found("digest", digest));
        }
        Ok(places)
    }

    /// How much the tenant has.
    pub async fn totals(&self, caller: &Caller) -> Result<InventoryTotals, AppError> {
        caller.require(Role::Viewer)?;
        Ok(self.store.totals(caller.tenant).await?)
    }
}
