//! What was, and what is different since.

use jiff::Timestamp;
use portolan_store::{PageRequest, Past, PastPage, PastTag, RegistryRecord, Role, TagDifference};

use super::RepositoryFound;
use crate::app::{App, AppError, Caller};

impl App {
    /// Tags of a repository as they were known at some time. Without `registry`, `repository` is read as a reference is.
    ///
    /// # Errors
    /// [`AppError::HistoryForgotten`] for a time of which nothing is known any more, [`AppError::HistoryUnknown`] for one at which nothing was known
    /// yet, [`AppError::Invalid`] for one that is still to come.
    pub async fn tags_at(
        &self,
        caller: &Caller,
        registry: Option<&str>,
        repository: &str,
        at: Timestamp,
        page: &PageRequest,
    ) -> Result<(RepositoryFound, PastPage<PastTag>), AppError> {
        caller.require(Role::Viewer)?;
        self.check_past("at", at)?;
        let found = self.resolve(caller, registry, repository).await?;
        let place = &found.repository;
        let tags = self
            .store
            .tags_at(caller.tenant, place.registry, &place.name, at, page)
            .await?;
        let tags = known(tags, || found.candidate())?;
        Ok((found, tags))
    }

    /// What is different in a registry since some time, by repository and tag. What was there already, but not known yet, is different.
    ///
    /// # Errors
    /// As with [`App::tags_at`].
    pub async fn differences(
        &self,
        caller: &Caller,
        registry: &str,
        since: Timestamp,
        page: &PageRequest,
    ) -> Result<(RegistryRecord, PastPage<TagDifference>), AppError> {
        caller.require(Role::Viewer)?;
        self.check_past("since", since)?;
        let registry = self.registry(caller, registry).await?;
        let found = self
            .store
            .differences(caller.tenant, registry.registry.id, since, page)
            .await?;
        let found = known(found, || registry.registry.name.to_string())?;
        Ok((registry, found))
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

fn known<T>(past: Past<T>, what: impl Fn() -> String) -> Result<T, AppError> {
    match past {
        Past::Known(answer) => Ok(answer),
        Past::Forgotten(earliest) => Err(AppError::HistoryForgotten { earliest }),
        Past::NotYet(earliest) => Err(AppError::HistoryUnknown {
            what: what(),
            earliest,
        }),
    }
}
