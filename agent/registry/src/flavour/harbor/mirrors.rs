//! Which projects are caches of another registry: there, whoever asks for the list of tags, or for a tag, makes Harbor ask that registry.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use crate::client::{ApiCall, ApiLogin, RegistryClient};
use crate::error::Fault;
use crate::flavour::rows::{encoded, read};

/// Projects of which it is kept: further ones are asked about each time.
const PROJECTS: usize = 10_000;

/// What is known of projects.
#[derive(Default)]
pub(super) struct Mirrors(Mutex<HashMap<String, bool>>);

/// A project, as its API describes it.
#[derive(Deserialize)]
pub(super) struct Project {
    pub(super) name: String,
    /// The other registry, of a cache.
    registry_id: Option<i64>,
}

impl Project {
    fn is_mirror(&self) -> bool {
        self.registry_id.is_some_and(|registry| registry != 0)
    }
}

impl Mirrors {
    fn known(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what its API says of a project.
    pub(super) fn learn(&self, project: &Project) {
        let mut known = self.known();
        let is_mirror = project.is_mirror();
        if let Some(before) = known.get_mut(&project.name) {
            // Harbor never changes it: of two words, the one by which every tag is listed.
            *before &= is_mirror;
        } else if known.len() < PROJECTS {
            known.insert(project.name.clone(), is_mirror);
        }
    }

    /// Whether the project is a cache of another registry. One that its API does not describe to us counts as none.
    pub(super) async fn is_mirror(&self, client: &RegistryClient, project: &str) -> Result<bool, Fault> {
        let known = self.known().get(project).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let path = format!("/api/v2.0/projects/{}", encoded(project));
        let reply = client.call(ApiCall::get(&path, ApiLogin::Basic)).await?;
        let described = match read::<Project>(&reply) {
            Ok(described) if described.name == project => described,
            // What is said of another project says nothing of this one: Harbor takes a name of digits for a number.
            Ok(_) => Project {
                name: project.to_owned(),
                registry_id: None,
            },
            Err(Fault::Denied { .. } | Fault::Missing { .. } | Fault::Protocol { .. } | Fault::WebPage) => {
                Project {
                    name: project.to_owned(),
                    registry_id: None,
                }
            }
            Err(fault) => return Err(fault),
        };
        self.learn(&described);
        Ok(described.is_mirror())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_one_project_says_nothing_of_another() {
        let mirrors = Mirrors::default();
        let learn = |row: &str| mirrors.learn(&serde_json::from_str(row).unwrap());
        learn(r#"{"name":"cache","registry_id":3}"#);
        learn(r#"{"name":"own","registry_id":0}"#);
        learn(r#"{"name":"none"}"#);
        let known = |name: &str| mirrors.known().get(name).copied();
        assert_eq!(known("cache"), Some(true));
        assert_eq!((known("own"), known("none")), (Some(false), Some(false)));
        assert_eq!(known("other"), None);
        learn(r#"{"name":"own","registry_id":3}"#);
        learn(r#"{"name":"cache","registry_id":null}"#);
        assert_eq!((known("own"), known("cache")), (Some(false), Some(false)));
    }
}
