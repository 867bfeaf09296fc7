//! The roots that the control plane is trusted by.

use data_encoding::BASE64;
use portolan_shared::model::limits;
use portolan_shared::tls::SpkiPin;
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

/// A version of the trust bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustBundle {
    /// Grows by each change.
    pub version: u64,
    /// Roots, DER; 1 to [`limits::TRUST_BUNDLE_ROOTS`].
    pub roots: Vec<CertificateDer<'static>>,
}

impl TrustBundle {
    /// A bundle within its bounds.
    ///
    /// # Errors
    /// Says which bound it breaks, or which root is no certificate.
    pub fn new(version: u64, roots: Vec<CertificateDer<'static>>) -> Result<Self, String> {
        if roots.is_empty() || roots.len() > limits::TRUST_BUNDLE_ROOTS {
            return Err(format!(
                "has {} roots, expected 1 to {}",
                roots.len(),
                limits::TRUST_BUNDLE_ROOTS
            ));
        }
        if roots.iter().map(|root| root.len()).sum::<usize>() > limits::TRUST_BUNDLE_BYTES {
            return Err(format!("is larger than {} bytes", limits::TRUST_BUNDLE_BYTES));
        }
        if let Some(at) = roots
            .iter()
            .position(|root| SpkiPin::of_certificate(root).is_none())
        {
            return Err(format!("root {} is not a certificate", at + 1));
        }
        Ok(Self { version, roots })
    }

    /// The pins of its roots.
    #[must_use]
    pub fn pins(&self) -> Vec<SpkiPin> {
        self.roots
            .iter()
            .filter_map(|root| SpkiPin::of_certificate(root))
            .collect()
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let form = Form {
            version: self.version,
            roots: self.roots.iter().map(|root| BASE64.encode(root)).collect(),
        };
        serde_json::to_vec(&form).expect("strings and numbers always have a JSON form")
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let form: Form = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let roots: Result<Vec<_>, _> = form
            .roots
            .iter()
            .map(|text| BASE64.decode(text.as_bytes()))
            .collect();
        let roots = roots.map_err(|_| "it is not base64".to_owned())?;
        Self::new(
            form.version,
            roots.into_iter().map(CertificateDer::from).collect(),
        )
    }
}

#[derive(Serialize, Deserialize)]
struct Form {
    version: u64,
    roots: Vec<String>,
}
