//! What there is to know of Harbor.

use std::sync::Arc;

use async_trait::async_trait;
use portolan_shared::model::{
    CredentialFacts, CredentialKind, DiscoveryMethod, ListingMethod, RepositoryName,
};

use super::artifacts::Artifacts;
use super::mirrors::Mirrors;
use super::pages::PageSize;
use super::projects::Projects;
use super::robots;
use crate::client::RegistryClient;
use crate::error::{RegistryError, Subject};
use crate::flavour::completed::Completed;
use crate::flavour::credential;
use crate::flavour::ladder::Wanted;
use crate::flavour::product::{Product, Rung, TagPages, owners};

/// Requests that Harbor bears at once: with hundreds, single ones have taken a minute.
const CONCURRENCY: usize = 8;

#[derive(Default)]
pub(in crate::flavour) struct Harbor {
    mirrors: Arc<Mirrors>,
    /// For artifacts, which cost the most.
    size: Arc<PageSize>,
}

#[async_trait]
impl Product for Harbor {
    fn rungs(&self, client: &RegistryClient, wanted: &Wanted) -> Vec<Rung> {
        vec![Rung {
            method: DiscoveryMethod::HarborProjects,
            shows_all: true,
            pages: Box::new(Projects::new(
                client.clone(),
                owners(&wanted.patterns),
                Arc::clone(&self.mirrors),
            )),
        }]
    }

    fn tags(
        &self,
        client: &RegistryClient,
        repository: &RepositoryName,
    ) -> Option<(ListingMethod, Box<dyn TagPages>)> {
        let (mirrors, size) = (Arc::clone(&self.mirrors), Arc::clone(&self.size));
        let native = Artifacts::new(client.clone(), repository, mirrors, size)?;
        let pages = Completed::boxed(native, client, repository);
        Some((ListingMethod::HarborArtifacts, pages))
    }

    fn concurrency_hint(&self) -> Option<usize> {
        Some(CONCURRENCY)
    }

    async fn credential(&self, client: &RegistryClient) -> Result<Option<CredentialFacts>, RegistryError> {
        let facts = credential::by_form(client, kind_of).await;
        let facts = facts.map_err(|fault| client.error(Subject::Credential, fault))?;
        let Some(mut facts) = facts else {
            return Ok(None);
        };
        if let (CredentialKind::Robot | CredentialKind::ProjectRobot, Some(name)) = (facts.kind, &facts.owner)
        {
            facts.expires_at = robots::end_of(client, name).await.unwrap_or_else(|fault| {
                tracing::debug!(registry = ?client, %fault, "Harbor does not say when the robot ends");
                None
            });
        }
        Ok(Some(facts))
    }
}

/// What an administrator calls robots unless he has changed it.
const ROBOT: &str = "robot$";

/// Robots have names that nobody else can have: `robot$NAME` in the whole system, `robot$PROJECT+NAME` in one project.
fn kind_of(name: &str) -> CredentialKind {
    match name.strip_prefix(ROBOT) {
        Some(robot) if robot.contains('+') => CredentialKind::ProjectRobot,
        Some(_) => CredentialKind::Robot,
        None => CredentialKind::Password,
    }
}

/// The project that a robot belongs to, if this is one of a project's.
pub(super) fn project_of(name: &str) -> Option<&str> {
    let (project, _) = name.strip_prefix(ROBOT)?.split_once('+')?;
    (!project.is_empty()).then_some(project)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn robots_are_known_by_their_names() {
        assert_eq!(kind_of("robot$ci"), CredentialKind::Robot);
        assert_eq!(kind_of("robot$acme+scan"), CredentialKind::ProjectRobot);
        assert_eq!(kind_of("jane"), CredentialKind::Password);
        assert_eq!(kind_of("robot"), CredentialKind::Password);
        assert_eq!(project_of("robot$acme+scan+x"), Some("acme"));
        for none in ["robot$ci", "acme+scan", "robot$+x", ""] {
            assert_eq!(project_of(none), None, "{none}");
        }
    }
}
