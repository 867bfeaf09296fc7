//! From what people type to one repository of one registry.
//!
//! `PATH` is read in this order, and the first reading under which a repository exists decides:
//!
//! 1. its first component is the name of a registry, the rest a repository of it;
//! 2. it begins with the host (and port, and path prefix) of a registry's URL;
//! 3. it is the bare name of a repository in any registry.
//!
//! Where one reading finds repositories in several registries, the answer is a list of candidates, never a choice. A repository that has
//! vanished counts only if there is no other.

use portolan_shared::model::{RegistryName, RepositoryName};
use portolan_store::{PageRequest, RegistryRecord, RepositoryRecord};

use crate::app::{App, AppError, Caller};

/// Pages of registries that a search by host or bare name walks; beyond them a registry has to be named.
const PAGES: usize = 20;

/// A repository, and the registry that it is in.
#[derive(Debug, Clone)]
pub struct RepositoryFound {
    /// The registry.
    pub registry: RegistryRecord,
    /// The repository.
    pub repository: RepositoryRecord,
}

impl RepositoryFound {
    pub(super) fn candidate(&self) -> String {
        format!("{}/{}", self.registry.registry.name, self.repository.name)
    }
}

impl App {
    /// Finds the repository that `path` means; within `registry` alone if one is given.
    ///
    /// # Errors
    /// [`AppError::Ambiguous`], [`AppError::NotFound`].
    pub(in crate::app) async fn resolve(
        &self,
        caller: &Caller,
        registry: Option<&str>,
        path: &str,
    ) -> Result<RepositoryFound, AppError> {
        if let Some(registry) = registry {
            let registry = self.registry(caller, registry).await?;
            return match self.look_up(caller, vec![(registry, path)]).await?.pop() {
                Some(found) => Ok(found),
                None => Err(AppError::not_found("repository", path)),
            };
        }
        if let Some((first, rest)) = path.split_once('/')
            && let Ok(name) = first.parse::<RegistryName>()
            && let Some(registry) = self.store.registry_by_name(caller.tenant, &name).await?
            && let Some(found) = self.look_up(caller, vec![(registry, rest)]).await?.pop()
        {
            return Ok(found);
        }
        let registries = self.all_registries(caller).await?;
        let by_host = registries
            .iter()
            .filter_map(|registry| Some((registry.clone(), behind_host(registry, path)?)))
            .collect();
        if let Some(found) = only(path, self.look_up(caller, by_host).await?)? {
            return Ok(found);
        }
        let bare = registries.into_iter().map(|registry| (registry, path)).collect();
        only(path, self.look_up(caller, bare).await?)?.ok_or_else(|| AppError::not_found("repository", path))
    }

    async fn look_up(
        &self,
        caller: &Caller,
        places: Vec<(RegistryRecord, &str)>,
    ) -> Result<Vec<RepositoryFound>, AppError> {
        let mut found = Vec::new();
        for (registry, name) in places {
            let Ok(name) = name.parse::<RepositoryName>() else {
                continue;
            };
            let id = registry.registry.id;
            if let Some(repository) = self.store.repository(caller.tenant, id, &name).await? {
                found.push(RepositoryFound { registry, repository });
            }
        }
        if found.iter().any(|found| found.repository.vanished_at.is_none()) {
            found.retain(|found| found.repository.vanished_at.is_none());
        }
        Ok(found)
    }

    async fn all_registries(&self, caller: &Caller) -> Result<Vec<RegistryRecord>, AppError> {
        let mut registries = Vec::new();
        let mut request = PageRequest::first();
        for _ in 0..PAGES {
            let page = self.store.registries(caller.tenant, &request).await?;
            registries.extend(page.items);
            match page.next {
                Some(next) => request.after = Some(next),
                None => return Ok(registries),
            }
        }
        Err(AppError::invalid(
            "reference",
            "there are too many registries to search: begin with the registry's name",
        ))
    }
}

/// The repository's name if `path` begins with the registry's host, port and prefix.
fn behind_host<'p>(registry: &RegistryRecord, path: &'p str) -> Option<&'p str> {
    let url = &registry.registry.url;
    let (host, rest) = path.split_once('/')?;
    let same =
        host.eq_ignore_ascii_case(&url.reference_host()) || host.eq_ignore_ascii_case(&url.authority());
    let rest = same.then_some(rest)?;
    match url.prefix().strip_prefix('/') {
        Some(prefix) => rest.strip_prefix(prefix)?.strip_prefix('/'),
        None => Some(rest),
    }
}

fn only(path: &str, mut found: Vec<RepositoryFound>) -> Result<Option<RepositoryFound>, AppError> {
    if found.len() > 1 {
        let mut candidates: Vec<_> = found.iter().map(RepositoryFound::candidate).collect();
        candidates.sort();
        candidates.truncate(AppError::CANDIDATES);
        return Err(AppError::Ambiguous {
            reference: path.to_owned(),
            candidates,
        });
    }
    Ok(found.pop())
}
