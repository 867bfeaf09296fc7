//! What was, and what is different since.

use jiff::Timestamp;
use portolan_store::{Page, PageRequest, Past, PastTag, RegistryRecord, Role, TagDifference};

use super::RepositoryFound;
use crate::app::{App, AppError, Caller};

impl App {
    /// Tags of a repository as they were known at some time. Without `registry`, `repository` is read as a reference is.
    ///
    /// # Errors
    /// [`AppError::HistoryForgotten`] for a time of which nothing is known any more, [`AppError::Invalid`] for one that is still to come.
    pub async fn tags_at(
        &self,
        caller: &Caller,
        registry: Option<&str>,
        repository: &str,
        at: Timestamp,
        page: &PageRequest,
    ) -> Result<(RepositoryFound, Page<PastTag>), AppError> {
        caller.require(Role::Viewer)?;
        self.check_past("at", at)?;
        let found = self.resolve(caller, registry, repository).await?;
        let place = &found.repository;
        let tags = self
            .store
            .tags_at(caller.tenant, place.registry, &place.name, at, page)
            .await?;
        Ok((found, known(tags)?))
    }

    /// What is different in a registry since some time, by repository and tag.
    ///
    /// # Errors
    /// As with [`App::tags_at`].
    pub async fn differences(
        &self,
        caller: &Caller,
        registry: &str,
        since: Timestamp,
        page: &PageRequest,
    ) -> Result<(RegistryRecord, Page<TagDifference>), AppError> {
        caller.require(Role::Viewer)?;
        self.check_past("since", since)?;
        let registry = self.registry(caller, registry).await?;
        let found = self
            .store
            .differences(caller.tenant, registry.registry.id, since, page)
            .await?;
        Ok((registry, known(found)?))
    }

    fn check_past(&self, field: &'static str, time: Timestamp) -> Result<(), AppError> {
        let now = self.clock.now();
        if time > now {
            return Err(AppError::invalid(
                field,
                format!("is still to come: it is {now} now"),
            ));
        }
        Ok(())
    }
}

fn known<T>(past: Past<T>) -> Result<T, AppError> {
    match past {
        Past::Known(answer) => Ok(answer),
        Past::Forgotten(earliest) => Err(AppError::HistoryForgotten { earliest }),
    }
}
