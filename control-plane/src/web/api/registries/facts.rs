//! What is known of a registry beside its content.

use jiff::Timestamp;
use portolan_shared::model::{CredentialFacts, Detection};
use portolan_store::{KnownFacts, Observed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::days_left;

/// What sensors found out about a registry. Days are whole, counted now, and negative once the end has passed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RegistryFacts)]
pub struct RegistryFactsView {
    /// Which product answers.
    pub flavour: Option<FlavourFact>,
    /// What is known of the credential.
    pub credential: Option<CredentialFact>,
    /// Certificates of the registry and of the hosts it sends to.
    pub certificates: Vec<CertificateFact>,
    /// Hosts beside the registry's own that its challenges name as token service, as `HOST:PORT`.
    #[serde(default)]
    pub realm_hosts: Vec<String>,
    /// Hosts beside the registry's own that it redirects downloads to.
    #[serde(default)]
    pub storage_hosts: Vec<String>,
}

/// Which product answers, and why that is believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlavourFact {
    /// Such as `gitlab`, `harbor` or `generic`.
    pub flavour: String,
    /// `low`, `medium` or `high`.
    pub confidence: String,
    /// The signs, strongest first.
    pub evidence: Vec<String>,
    /// The product's version, if it says so.
    pub version: Option<String>,
    /// When it was observed.
    pub observed_at: Timestamp,
}

/// What is known of a credential. Never any part of the secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CredentialFact {
    /// Such as `deploy_token` or `personal_access_token`.
    pub kind: String,
    /// Whose it is.
    pub owner: Option<String>,
    /// What it may be used for, in the product's words.
    pub scopes: Vec<String>,
    /// When it ends; null if it does not, or nobody says.
    pub expires_at: Option<Timestamp>,
    /// Days until then.
    pub days_left: Option<i64>,
    /// When it was observed.
    pub observed_at: Timestamp,
}

/// The end of a certificate that a host served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CertificateFact {
    /// `HOST:PORT`.
    pub host: String,
    /// Its subject.
    pub subject: String,
    /// When the first certificate of the chain ends.
    pub expires_at: Timestamp,
    /// Days until then.
    pub days_left: i64,
    /// When it was observed.
    pub observed_at: Timestamp,
}

impl RegistryFactsView {
    /// As they are at `now`.
    pub(in crate::web::api) fn of(facts: KnownFacts, now: Timestamp) -> Self {
        let certificates = facts.certificates.into_iter().flat_map(|seen| {
            let observed_at = seen.at;
            seen.fact.into_iter().map(move |certificate| CertificateFact {
                days_left: days_left(certificate.expires_at, now),
                host: certificate.host,
                subject: certificate.subject,
                expires_at: certificate.expires_at,
                observed_at,
            })
        });
        Self {
            flavour: facts.detection.map(FlavourFact::from),
            credential: facts.credential.map(|seen| CredentialFact::of(seen, now)),
            certificates: certificates.collect(),
            realm_hosts: facts.realm_hosts.map(|seen| seen.fact).unwrap_or_default(),
            storage_hosts: facts.storage_hosts.map(|seen| seen.fact).unwrap_or_default(),
        }
    }
}

impl From<Observed<Detection>> for FlavourFact {
    fn from(seen: Observed<Detection>) -> Self {
        Self {
            flavour: seen.fact.flavour.to_string(),
            confidence: seen.fact.confidence.to_string(),
            evidence: seen.fact.evidence,
            version: seen.fact.version,
            observed_at: seen.at,
        }
    }
}

impl CredentialFact {
    fn of(seen: Observed<CredentialFacts>, now: Timestamp) -> Self {
        Self {
            kind: seen.fact.kind.to_string(),
            owner: seen.fact.owner,
            scopes: seen.fact.scopes,
            expires_at: seen.fact.expires_at,
            days_left: seen.fact.expires_at.map(|end| days_left(end, now)),
            observed_at: seen.at,
        }
    }
}
