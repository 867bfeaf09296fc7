//! Which product stands behind which flavour.

use std::sync::Arc;

use portolan_shared::model::Flavour;

use super::acr::Acr;
use super::artifactory::Artifactory;
use super::generic::Generic;
use super::gitea::Gitea;
use super::gitlab::GitLab;
use super::google::Google;
use super::harbor::Harbor;
use super::hub::Hub;
use super::nexus::Nexus;
use super::product::Product;
use super::quay::Quay;
use super::zot::Zot;
use crate::api::Greeting;
use crate::client::RegistryClient;

/// What is known of the product that was recognised as `flavour`; `greeting` is how its API's root received a stranger. A product that keeps
/// several registries below one address tells the client how they are reached.
pub(super) fn product_of(flavour: Flavour, client: &RegistryClient, greeting: &Greeting) -> Arc<dyn Product> {
    match flavour {
        Flavour::GitLab => Arc::new(GitLab::new(greeting)),
        Flavour::Harbor => Arc::new(Harbor::default()),
        Flavour::Distribution => Arc::new(Generic),
        Flavour::Zot => Arc::new(Zot::default()),
        Flavour::Quay => Arc::new(Quay),
        Flavour::DockerHub => Arc::new(Hub::recognised(client)),
        Flavour::Ghcr => Arc::new(Generic),
        Flavour::Gitea => Arc::new(Gitea::new(greeting)),
        Flavour::Nexus => Arc::new(Nexus::new(client, greeting)),
        Flavour::Artifactory => Arc::new(Artifactory::new(client, greeting)),
        Flavour::Ecr => Arc::new(Generic),
        Flavour::Acr => Arc::new(Acr),
        Flavour::Google => Arc::new(Google),
        Flavour::OpenShift => Arc::new(Generic),
        Flavour::Pulp => Arc::new(Generic),
        Flavour::DigitalOcean => Arc::new(Generic),
        Flavour::Generic => Arc::new(Generic),
    }
}
