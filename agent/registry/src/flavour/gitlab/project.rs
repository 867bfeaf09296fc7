//! The project that a repository belongs to, as the API describes it.

use portolan_shared::model::{FindingCode, RepositoryName, printable};
use serde::Deserialize;

use super::rest::Rest;
use super::web::component;
use crate::error::Fault;

/// Components behind a project's path that a repository's name may have.
pub(super) const BELOW_PROJECT: usize = 2;
/// Bytes of a path that is shown.
const PATH: usize = 120;

/// Whether an image can have this path, which the registry compares in lower case. Groups and projects may begin or end with what is neither
/// letter nor digit; images may not (GitLab, `ContainerRegistry::Path`).
pub(super) fn can_hold_images(path: &str) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    path.split('/')
        .map(str::as_bytes)
        .all(|part| is_word(part.first()) && is_word(part.last()))
}

/// Whether a project has a registry, by what its description says: `container_registry_access_level`, or in older versions
/// `container_registry_enabled`.
pub(super) fn has_registry(level: Option<&str>, enabled: Option<bool>) -> bool {
    match level {
        Some(level) => level != "disabled",
        None => enabled != Some(false),
    }
}

/// The project whose path is the repository's, or up to two components shorter: the path that it was found by, and its description.
///
/// # Errors
/// If the API does not say. `Missing` if it shows no such project.
pub(super) async fn project_of<T: for<'de> Deserialize<'de>>(
    rest: &Rest,
    repository: &RepositoryName,
) -> Result<(String, T), Fault> {
    let mut path = repository.as_str();
    let mut below = BELOW_PROJECT;
    loop {
        let asked = rest.read(&format!("/projects/{}", component(path))).await;
        match (asked, path.rsplit_once('/')) {
            (Ok(project), _) => return Ok((path.to_owned(), project)),
            // No project lies outside of a group.
            (Err(Fault::Missing { .. }), Some((parent, _))) if below > 0 && parent.contains('/') => {
                path = parent;
                below -= 1;
            }
            (Err(fault), _) => return Err(fault),
        }
    }
}

/// What the project's description says of why nothing under this name can be read; `None` if nothing.
///
/// A project that was moved is described under its old path as well, at once or behind a redirect: it is told by the path it says it has.
///
/// # Errors
/// If the API does not say.
pub(super) async fn obstacle(
    rest: &Rest,
    repository: &RepositoryName,
) -> Result<Option<(FindingCode, String)>, Fault> {
    #[derive(Deserialize)]
    struct Project {
        path_with_namespace: Option<String>,
        container_registry_access_level: Option<String>,
        container_registry_enabled: Option<bool>,
    }
    let (asked, project): (_, Project) = project_of(rest, repository).await?;
    if let Some(path) = &project.path_with_namespace
        && !path.eq_ignore_ascii_case(&asked)
    {
        let below = repository.as_str().strip_prefix(&asked).unwrap_or_default();
        let now = printable(&format!("{}{below}", path.to_lowercase()), PATH);
        let what = format!("the project of {repository} has moved: the repository is {now} now");
        return Ok(Some((FindingCode::RepositoryMoved, what)));
    }
    let level = project.container_registry_access_level.as_deref();
    Ok(
        (!has_registry(level, project.container_registry_enabled)).then(|| {
            let what = format!("the project {asked} has its container registry switched off");
            (FindingCode::GitLabProjectRegistryOff, what)
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_path_begin_and_end_with_a_letter_or_digit() {
        for good in ["acme/shop", "a/b", "Acme/Shop_2", "acme/a__b/c-d.e"] {
            assert!(can_hold_images(good), "{good}");
        }
        for bad in [
            "_acme/shop",
            "acme/_shop",
            "acme/shop-",
            "acme/shop_",
            "acme-/shop",
            "acme/shop.",
            "acme//shop",
            "",
        ] {
            assert!(!can_hold_images(bad), "{bad}");
        }
    }

    #[test]
    fn a_registry_is_there_unless_it_is_said_that_it_is_not() {
        for (level, enabled, there) in [
            (None, None, true),
            (None, Some(false), false),
            (Some("disabled"), Some(true), false),
            (Some("private"), Some(false), true),
            (Some("enabled"), None, true),
        ] {
            assert_eq!(has_registry(level, enabled), there, "{level:?} {enabled:?}");
        }
    }
}
