//! Who sends notifications.

use crate::model::{Flavour, RepositoryName, words};

words! {
    /// Whose format a notification has. The words are those of [`Flavour`], and stand in the URLs that notifications are sent to.
    Sender {
        /// CNCF Distribution, and whatever is built on it.
        Distribution = "distribution",
        /// GitLab: its registry's notifications, which are Distribution's; its webhooks know nothing of registries and are ignored.
        GitLab = "gitlab",
        /// Harbor, in either of its formats.
        Harbor = "harbor",
        /// Zot.
        Zot = "zot",
        /// Quay.
        Quay = "quay",
        /// Docker Hub.
        DockerHub = "docker_hub",
        /// GitHub's container registry.
        Ghcr = "ghcr",
        /// Gitea and Forgejo.
        Gitea = "gitea" | "forgejo",
        /// Sonatype Nexus Repository.
        Nexus = "nexus",
        /// Artifactory.
        Artifactory = "artifactory",
        /// Amazon's registry, by way of EventBridge, and of SNS if need be.
        Ecr = "ecr",
        /// Azure's registry, its webhooks and Event Grid.
        Acr = "acr",
        /// CloudEvents of any sender whose types are known here.
        CloudEvents = "cloud_events",
    }
}

impl Sender {
    /// Whose notifications a registry of this flavour sends; `None` if it sends none that are known here.
    #[must_use]
    pub fn of(flavour: Flavour) -> Option<Self> {
        match flavour {
            Flavour::Distribution | Flavour::OpenShift | Flavour::Generic => Some(Self::Distribution),
            Flavour::GitLab => Some(Self::GitLab),
            Flavour::Harbor => Some(Self::Harbor),
            Flavour::Zot => Some(Self::Zot),
            Flavour::Quay => Some(Self::Quay),
            Flavour::DockerHub => Some(Self::DockerHub),
            Flavour::Ghcr => Some(Self::Ghcr),
            Flavour::Gitea => Some(Self::Gitea),
            Flavour::Nexus => Some(Self::Nexus),
            Flavour::Artifactory => Some(Self::Artifactory),
            Flavour::Ecr => Some(Self::Ecr),
            Flavour::Acr => Some(Self::Acr),
            Flavour::Google | Flavour::Pulp | Flavour::DigitalOcean => None,
        }
    }

    /// The other name that `repository` may have. Events of Nexus and Artifactory name `KEY/IMAGE`, as they are named where a registry is read
    /// at the address of the whole instance; read at the address of the repository `KEY` alone, the same is named `IMAGE`. `None` for other
    /// senders.
    #[must_use]
    pub fn below_key(self, repository: &RepositoryName) -> Option<RepositoryName> {
        match self {
            Self::Nexus | Self::Artifactory => {
                let (_, image) = repository.as_str().split_once('/')?;
                image.parse().ok()
            }
            Self::Distribution
            | Self::GitLab
            | Self::Harbor
            | Self::Zot
            | Self::Quay
            | Self::DockerHub
            | Self::Ghcr
            | Self::Gitea
            | Self::Ecr
            | Self::Acr
            | Self::CloudEvents => None,
        }
    }
}
