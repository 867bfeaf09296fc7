//! What credentials and sealing keys look like.

use data_encoding::BASE64;
use jiff::Timestamp;
use portolan_shared::secret::sealed::{BoundHosts, IdentityPublicKey};
use portolan_store::{SealingKeyRecord, SensorRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{CredentialShown, RecipientShown};

/// The credential of a registry. Never has its content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Credential)]
pub struct CredentialView {
    /// Name of the registry.
    pub registry: String,
    /// Id of the registry.
    #[schema(format = "uuid")]
    pub registry_id: String,
    /// `sealed`, or `reference` to a place on the sensor.
    pub kind: String,
    /// Which place on the sensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Id of a sealed one; stays the same from version to version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = "uuid")]
    pub id: Option<String>,
    /// The version that is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The version before, which is kept until the present one has worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_version: Option<u64>,
    /// The version that the next one must have: one more than any before, be it in use or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_version: Option<u64>,
    /// When the version in use was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Name of the API token that it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// When it ends: as whoever entered it said, or else as a sensor saw it at the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Hosts of token services, beside the registry, that may have the login.
    pub realm_hosts: Vec<String>,
    /// Hosts that the registry may keep its content on; they never have the login.
    pub storage_hosts: Vec<String>,
    /// When the registry was first seen to accept the version in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worked_at: Option<Timestamp>,
    /// When a sensor was last given the version in use, or, with a reference, when a run last began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// `ready`, `awaiting_sealing` (an assigned sensor cannot open it), `enter_again` (the registry has moved, and the credential is bound to
    /// where it was), or `awaiting_trial` (the version in use has not worked yet).
    pub state: String,
    /// Sensors that are assigned to the registry, or that can open the credential.
    pub recipients: Vec<RecipientView>,
}

/// A sensor, and whether it can open a credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = CredentialRecipient)]
pub struct RecipientView {
    /// Name of the sensor.
    pub sensor: String,
    /// Id of the sensor.
    #[schema(format = "uuid")]
    pub sensor_id: String,
    /// `sealed`; `awaiting_sealing` (assigned, and cannot open it); `outdated_key` (can open it, and will put its newest key in the place of
    /// the older one by itself); `rotate_at_registry` (could open it and should not know it any more: change the login at the registry);
    /// `local` (has it on its own machine, at the place that the reference names).
    pub state: String,
    /// Since when it can open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// The key that logins are to be sealed to for one sensor. Worth nothing until the signature was verified, and the fingerprint compared with
/// the one on the sensor's own machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SealingKey)]
pub struct SealingKeyView {
    /// Name of the sensor.
    pub sensor: String,
    /// Id of the sensor.
    #[schema(format = "uuid")]
    pub sensor_id: String,
    /// What the sensor says of its key, in the form that `portolan-shared` defines, as base64.
    #[schema(content_encoding = "base64")]
    pub statement: String,
    /// Its Ed25519 signature over that, as base64.
    #[schema(content_encoding = "base64")]
    pub signature: String,
    /// The identity key that signed, as base64.
    #[schema(content_encoding = "base64")]
    pub identity_public_key: String,
    /// Fingerprint of the identity key: four groups of five characters.
    pub identity_fingerprint: String,
}

impl SealingKeyView {
    pub(super) fn of(sensor: SensorRecord, key: &SealingKeyRecord) -> Self {
        let identity = IdentityPublicKey(sensor.identity_public_key);
        Self {
            sensor_id: sensor.id.to_string(),
            sensor: sensor.name,
            statement: BASE64.encode(&key.signed.unverified().encode()),
            signature: BASE64.encode(key.signed.signature()),
            identity_public_key: BASE64.encode(&identity.0),
            identity_fingerprint: identity.fingerprint().to_string(),
        }
    }
}

impl From<RecipientShown> for RecipientView {
    fn from(shown: RecipientShown) -> Self {
        Self {
            sensor: shown.name,
            sensor_id: shown.sensor.to_string(),
            state: shown.state.as_str().to_owned(),
            since: shown.since,
        }
    }
}

impl From<CredentialShown> for CredentialView {
    fn from(shown: CredentialShown) -> Self {
        let registry = &shown.registry;
        let binding = shown.sealed.as_ref().map(|sealed| &sealed.binding);
        let hosts = |hosts: Option<&BoundHosts>| -> Vec<String> {
            hosts
                .into_iter()
                .flat_map(BoundHosts::iter)
                .map(ToString::to_string)
                .collect()
        };
        Self {
            registry: registry.name.to_string(),
            registry_id: registry.id.to_string(),
            kind: if shown.sealed.is_some() {
                "sealed"
            } else {
                "reference"
            }
            .to_owned(),
            reference: registry.credential.as_ref().map(ToString::to_string),
            id: binding.map(|binding| binding.credential.to_string()),
            version: binding.map(|binding| binding.version),
            former_version: shown.sealed.as_ref().and_then(|sealed| sealed.former_version),
            next_version: shown.sealed.as_ref().map(|sealed| sealed.last_version + 1),
            created_at: shown.sealed.as_ref().map(|sealed| sealed.created_at),
            created_by: shown.sealed.as_ref().map(|sealed| sealed.created_by.clone()),
            expires_at: shown.expires_at,
            realm_hosts: hosts(binding.map(|binding| &binding.realm_hosts)),
            storage_hosts: hosts(binding.map(|binding| &binding.storage_hosts)),
            worked_at: shown.sealed.as_ref().and_then(|sealed| sealed.worked_at),
            last_used_at: shown.last_used_at,
            state: shown.state.as_str().to_owned(),
            recipients: shown.recipients.into_iter().map(RecipientView::from).collect(),
        }
    }
}
