//! What is known of a registry beside its content: which product it is, which credential reads it, when things end.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::words::words;
use super::{limits, text};

words! {
    /// Which product answers.
    Flavour {
        /// GitLab's container registry.
        GitLab = "gitlab",
        /// Harbor.
        Harbor = "harbor",
        /// CNCF Distribution.
        Distribution = "distribution",
        /// Zot.
        Zot = "zot",
        /// Quay.
        Quay = "quay",
        /// Docker Hub.
        DockerHub = "docker_hub",
        /// GitHub's container registry.
        Ghcr = "ghcr",
        /// Gitea or Forgejo.
        Gitea = "gitea",
        /// Sonatype Nexus Repository.
        Nexus = "nexus",
        /// Artifactory.
        Artifactory = "artifactory",
        /// Amazon's registry, private or public.
        Ecr = "ecr",
        /// Azure's registry.
        Acr = "acr",
        /// Google's Artifact Registry and Container Registry.
        Google = "google",
        /// OpenShift's internal registry.
        OpenShift = "openshift",
        /// Pulp, and with it Katello and Satellite.
        Pulp = "pulp",
        /// DigitalOcean's registry.
        DigitalOcean = "digitalocean",
        /// Something else that speaks the distribution specification.
        Generic = "generic",
    }
}

words! {
    /// How sure a recognition is.
    Confidence {
        /// One sign that others may share.
        Low = "low",
        /// A sign of this product, or several weaker ones.
        Medium = "medium",
        /// The product says so itself.
        High = "high",
    }
}

/// Which product answers, how sure that is, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// Which.
    pub flavour: Flavour,
    /// How sure.
    pub confidence: Confidence,
    /// The signs, strongest first; at most [`limits::EVIDENCE`] printable lines.
    pub evidence: Vec<String>,
    /// The product's version, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Detection {
    /// A recognition; the texts are made printable and cut to their bounds.
    #[must_use]
    pub fn new(flavour: Flavour, confidence: Confidence, evidence: &[String], version: Option<&str>) -> Self {
        let line = |line: &str| text::printable(line, limits::FINDING_BYTES);
        Self {
            flavour,
            confidence,
            evidence: evidence
                .iter()
                .take(limits::EVIDENCE)
                .map(|sign| line(sign))
                .collect(),
            version: version.map(|version| text::printable(version, 64)),
        }
    }
}

words! {
    /// What kind of secret a credential is, by its prefix or by what the product says of it. A hint, never a condition.
    CredentialKind {
        /// No credential.
        Anonymous = "anonymous",
        /// A user's password.
        Password = "password",
        /// GitLab: a user's access token.
        PersonalAccessToken = "personal_access_token",
        /// GitLab: an access token of a project's bot user.
        ProjectAccessToken = "project_access_token",
        /// GitLab: an access token of a group's bot user.
        GroupAccessToken = "group_access_token",
        /// GitLab: a deploy token.
        DeployToken = "deploy_token",
        /// GitLab: the token of a CI job, which ends with the job.
        CiJobToken = "ci_job_token",
        /// An OAuth access token.
        OauthToken = "oauth_token",
        /// GitLab: a token of a runner, which reads no registry.
        RunnerToken = "runner_token",
        /// GitLab: a feed, trigger, agent or other token, which reads no registry.
        OtherToken = "other_token",
        /// Harbor: a robot account of one project.
        ProjectRobot = "project_robot",
        /// Harbor: a robot account of the whole system. Quay: a robot account.
        Robot = "robot",
        /// Something that cannot be told apart.
        Unknown = "unknown",
    }
}

/// What a product says of the credential, where it lets the credential ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialFacts {
    /// What kind of secret it is.
    pub kind: CredentialKind,
    /// Whose it is: a user name or the token's name, printable. Never a part of the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it may be used for, in the product's words; at most [`limits::CREDENTIAL_SCOPES`], printable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// When it ends; none if it does not, or nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl CredentialFacts {
    /// Facts that are no more than the kind.
    #[must_use]
    pub fn of_kind(kind: CredentialKind) -> Self {
        Self {
            kind,
            owner: None,
            scopes: Vec::new(),
            expires_at: None,
        }
    }

    /// The same, with whose it is; made printable and cut to its bound.
    #[must_use]
    pub fn owned_by(self, owner: &str) -> Self {
        Self {
            owner: Some(text::printable(owner, limits::FINDING_BYTES)),
            ..self
        }
    }

    /// The same, with what it may be used for; made printable and cut to its bounds.
    #[must_use]
    pub fn with_scopes<'s>(self, scopes: impl IntoIterator<Item = &'s str>) -> Self {
        let scopes = scopes
            .into_iter()
            .take(limits::CREDENTIAL_SCOPES)
            .map(|scope| text::printable(scope, 64));
        Self {
            scopes: scopes.collect(),
            ..self
        }
    }
}

/// A certificate that a host served, as far as its end matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// `HOST:PORT` that served it.
    pub host: String,
    /// The subject, printable.
    pub subject: String,
    /// When the first certificate of the chain ends.
    pub expires_at: Timestamp,
}

/// What a sensor found out about a registry beside its content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryFacts {
    /// Which product answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection: Option<Detection>,
    /// What is known of the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialFacts>,
    /// The certificates of the registry and the hosts it sends to, at most [`limits::CERTIFICATE_FACTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateFacts>,
    /// Hosts beside the registry's own that its challenges name as token service, as `HOST:PORT`, at most [`limits::BOUND_HOSTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub realm_hosts: Vec<String>,
    /// Hosts beside the registry's own that it redirects downloads to, in the same form and number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage_hosts: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_server_are_printable_and_bounded() {
        let signs = vec!["sign\x1b[2J".repeat(100); limits::EVIDENCE + 1];
        let detection = Detection::new(Flavour::GitLab, Confidence::High, &signs, Some(&"v".repeat(100)));
        assert_eq!(detection.evidence.len(), limits::EVIDENCE);
        assert!(
            detection
                .evidence
                .iter()
                .all(|sign| sign.len() <= limits::FINDING_BYTES)
        );
        assert!(!detection.evidence[0].contains('\x1b'));
        assert_eq!(detection.version.unwrap().len(), 64);
        let facts = CredentialFacts::of_kind(CredentialKind::Password)
            .owned_by("o\n")
            .with_scopes(std::iter::repeat_n("read_api", limits::CREDENTIAL_SCOPES + 1));
        assert_eq!(facts.scopes.len(), limits::CREDENTIAL_SCOPES);
        assert_eq!(facts.owner.as_deref(), Some("o "));
    }
}
