//! What a probe looks like, and what one is made from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portolan_shared::model::{
    CaTrust, CredentialReference, RegistryId, RegistryUrl, RepositoryName, RepositoryPatterns, SensorId,
    StageReport,
};
use portolan_store::{KnownFacts, ProbeRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::ProbeInput;
use crate::web::api::ApiError;
use crate::web::api::credentials::SealedCredentialInput;
use crate::web::api::finding::FindingView;
use crate::web::api::registries::{RegistryFactsView, SensorName};

/// One stage on the way to an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Stage)]
pub struct StageView {
    /// Which.
    #[schema(example = "tls")]
    pub stage: String,
    /// `passed`, `warned`, `failed` or `skipped`.
    pub verdict: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What was seen.
    pub seen: Vec<String>,
    /// What is wrong, or worth knowing.
    pub findings: Vec<FindingView>,
}

impl From<StageReport> for StageView {
    fn from(report: StageReport) -> Self {
        Self {
            stage: report.stage.to_string(),
            verdict: report.verdict.to_string(),
            duration_ms: report.duration_ms,
            seen: report.seen,
            findings: report.findings.into_iter().map(FindingView::from).collect(),
        }
    }
}

/// A probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Probe {
    /// Its id.
    #[schema(format = "uuid")]
    pub id: String,
    /// `waiting`, `done`, or `expired` if no sensor reported in time.
    pub state: String,
    /// Where the registry is.
    pub url: String,
    /// Id of the registry; null if it is not saved.
    #[schema(format = "uuid")]
    pub registry: Option<String>,
    /// Sensors that may look, the preferred first.
    pub sensors: Vec<SensorName>,
    /// Who looked.
    pub sensor: Option<SensorName>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Until when it waits.
    pub expires_at: Timestamp,
    /// When the report came.
    pub ended_at: Option<Timestamp>,
    /// Whether everything that was tried works; null before the report.
    pub sound: Option<bool>,
    /// Requests that were sent for it, which count with those that the registry allows a day; null before the report.
    pub requests: Option<u64>,
    /// The stages, in order; empty before the report.
    pub stages: Vec<StageView>,
    /// What was found out on the way; null before the report.
    pub facts: Option<RegistryFactsView>,
}

impl Probe {
    pub(super) fn of(record: ProbeRecord, names: &BTreeMap<SensorId, String>, now: Timestamp) -> Self {
        let ProbeRecord { probe, report } = record;
        let state = match &report {
            Some(_) => "done",
            None if now >= probe.expires_at => "expired",
            None => "waiting",
        };
        Self {
            id: probe.id.to_string(),
            state: state.to_owned(),
            url: probe.target.url.to_string(),
            registry: probe.registry.map(|registry| registry.to_string()),
            sensors: probe
                .sensors
                .into_iter()
                .map(|id| SensorName::of(id, names))
                .collect(),
            sensor: report.as_ref().map(|report| SensorName::of(report.sensor, names)),
            asked_at: probe.asked_at,
            expires_at: probe.expires_at,
            ended_at: report.as_ref().map(|report| report.at),
            sound: report.as_ref().map(|report| report.diagnosis.is_sound()),
            requests: report.as_ref().map(|report| report.diagnosis.requests),
            facts: report.as_ref().map(|report| {
                let mut known = KnownFacts::default();
                known.learn(report.diagnosis.facts.clone(), report.at, true);
                RegistryFactsView::of(known, now)
            }),
            stages: report
                .map(|report| report.diagnosis.stages.into_iter().map(StageView::from).collect())
                .unwrap_or_default(),
        }
    }
}

/// A probe of a registry that is saved.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRegistryProbe {
    /// Whose tags, manifest and config are tried; the first repository that is found if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, max_length = 255)]
    pub repository: Option<RepositoryName>,
    /// Name or id of the sensor that is to look; whichever of the registry's is there if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// A sealed version that is tried by this probe alone, in the place of the registry's credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SealedCredentialInput>,
}

/// A probe of a registry that is not saved.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProbe {
    /// Where it is: `https://HOST[:PORT][/PREFIX]`, without user name.
    #[schema(value_type = String, example = "https://registry.example.com:5050")]
    pub url: RegistryUrl,
    /// Names or ids of the sensors that may look, the preferred first.
    #[schema(min_items = 1, max_items = 16)]
    pub sensors: Vec<String>,
    /// PEM certificates of authorities to trust for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65_536)]
    pub ca_bundle_pem: Option<String>,
    /// Trust only these, not the sensor's system store.
    #[serde(default)]
    pub only_ca_bundle: bool,
    /// Patterns of the repositories that are wanted; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 500)]
    pub repositories: Vec<String>,
    /// Where the sensor finds the credential. This names a place on the sensor; it is never the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        value_type = Option<String>, example = "file:/etc/portolan/gitlab",
        pattern = "^((file|kubernetes):/.*|env:[A-Za-z_][A-Za-z0-9_]*|docker-config(:/.*)?|(systemd|command):[A-Za-z0-9][A-Za-z0-9._-]*)$"
    )]
    pub credential_reference: Option<CredentialReference>,
    /// Which registry it is to be, if the client has made up an id: what a sealed credential is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub registry_id: Option<RegistryId>,
    /// A credential that was sealed to the sensors, for that id. Tried by this probe alone, and not beside a reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SealedCredentialInput>,
    /// Whose tags, manifest and config are tried; the first repository that is found if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, max_length = 255)]
    pub repository: Option<RepositoryName>,
}

impl CreateProbe {
    pub(super) fn into_input(self) -> Result<(ProbeInput, Option<RepositoryName>), ApiError> {
        let repositories = RepositoryPatterns::new(self.repositories);
        let repositories = repositories.map_err(|error| ApiError::invalid("repositories", error))?;
        let trial = self
            .credential
            .as_ref()
            .map(SealedCredentialInput::read)
            .transpose()?;
        let input = ProbeInput {
            url: self.url,
            ca: CaTrust {
                bundle_pem: self.ca_bundle_pem,
                only_bundle: self.only_ca_bundle,
            },
            repositories,
            registry: self.registry_id,
            credential: self.credential_reference,
            trial,
            sensors: self.sensors,
        };
        Ok((input, self.repository))
    }
}
