//! A sealed credential, as a client hands it over.

use data_encoding::BASE64;
use portolan_shared::model::limits;
use portolan_shared::secret::sealed::{CredentialBinding, SealedCredential, SealedPayload, Wrap};
use portolan_store::SealedVersion;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::web::api::ApiError;

/// A login that was sealed by whoever entered it, in the forms that `portolan-shared` defines, each as base64. Nothing here, and nothing
/// that may be added, is in clear: the control plane cannot open it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SealedCredentialInput {
    /// What the login is bound to: registry, hosts, version.
    #[schema(content_encoding = "base64", max_length = 12_288)]
    pub binding: String,
    /// The encrypted login.
    #[schema(content_encoding = "base64", max_length = 21_872)]
    pub payload: String,
    /// What each sensor opens it with.
    #[schema(min_items = 1, max_items = 256)]
    pub wraps: Vec<String>,
}

impl SealedCredentialInput {
    /// The form in which it is handed over.
    #[must_use]
    pub fn of(binding: &CredentialBinding, sealed: &SealedCredential) -> Self {
        Self {
            binding: BASE64.encode(&binding.encode()),
            payload: BASE64.encode(&sealed.payload.encode()),
            wraps: sealed
                .wraps
                .iter()
                .map(|wrap| BASE64.encode(&wrap.encode()))
                .collect(),
        }
    }

    /// Reads every form strictly. What they say is for the use case to judge.
    pub(in crate::web::api) fn read(&self) -> Result<SealedVersion, ApiError> {
        if self.wraps.is_empty() || self.wraps.len() > limits::SEALED_RECIPIENTS {
            let most = limits::SEALED_RECIPIENTS;
            return Err(ApiError::invalid("wraps", format!("expected 1 to {most}")));
        }
        let binding = bytes("binding", &self.binding, limits::BINDING_BYTES)?;
        let payload = bytes("payload", &self.payload, limits::SEALED_PAYLOAD_BYTES)?;
        let wraps = self.wraps.iter().map(|wrap| {
            let wrap = bytes("wraps", wrap, limits::WRAP_BYTES)?;
            Wrap::parse(&wrap).map_err(|error| ApiError::invalid("wraps", error))
        });
        Ok(SealedVersion {
            binding: CredentialBinding::parse(&binding)
                .map_err(|error| ApiError::invalid("binding", error))?,
            sealed: SealedCredential {
                payload: SealedPayload::parse(&payload)
                    .map_err(|error| ApiError::invalid("payload", error))?,
                wraps: wraps.collect::<Result<_, ApiError>>()?,
            },
        })
    }
}

fn bytes(field: &'static str, text: &str, most: usize) -> Result<Vec<u8>, ApiError> {
    // Never shows the text: somebody may have put a login here.
    let bytes = BASE64.decode(text.as_bytes());
    let bytes = bytes.map_err(|_| ApiError::invalid(field, "expected base64 with padding"))?;
    if bytes.len() > most {
        return Err(ApiError::invalid(field, format!("longer than {most} bytes")));
    }
    Ok(bytes)
}
