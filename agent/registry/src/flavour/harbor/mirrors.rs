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

impl Mirrors {
    fn known(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what its API says of a project.
    pub(super) fn learn(&self, project: &Project) {
        let mut known = self.known();
        if known.len() < PROJECTS {
            let is_mirror = project.registry_id.is_some_and(|registry| registry != 0);
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
            Ok(described) => described,
            Err(Fault::Denied { .. } | Fault::Missing { .. } | Fault::Protocol { .. } | Fault::WebPage) => {
                Project {
                    name: project.to_owned(),
                    registry_id: None,
                }
            }
            Err(fault) => return Err(fault),
        };
        let described = Project {
            name: project.to_owned(),
            ..described
        };
        self.learn(&described);
        Ok(described.registry_id.is_some_and(|registry| registry != 0))
    }
}
