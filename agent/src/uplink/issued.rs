//! Certificates as the control plane issues them, checked before they are stored.

use jiff::Timestamp;
use portolan_proto::v1;
use portolan_shared::model::{SensorId, TenantId, limits};
use portolan_shared::tls::PeerIdentity;
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::failure::Failure;
use crate::keyring::{ContinuityToken, StoredCertificate, TlsKey, TrustBundle};

/// Longest chain that is stored.
const CHAIN: usize = 4;

/// The deployment that a certificate's URI name begins with.
pub(super) fn deployment_in(leaf: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    certificate.extensions().iter().find_map(|extension| {
        let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() else {
            return None;
        };
        let [GeneralName::URI(uri)] = names.general_names.as_slice() else {
            return None;
        };
        let (deployment, _) = uri.strip_prefix("spiffe://")?.split_once('/')?;
        Some(deployment.to_owned())
    })
}

/// A certificate from the wire: for this sensor, for this key, and with an end that lies ahead.
pub(super) fn certificate(
    wire: &v1::CertificateBundle,
    key: &TlsKey,
    deployment: &str,
    sensor: SensorId,
    tenant: TenantId,
    received_at: Timestamp,
) -> Result<StoredCertificate, Failure> {
    let wrong = |what: &str| Failure::Protocol(format!("the issued certificate {what}"));
    let leaf = wire.chain_der.first().ok_or_else(|| wrong("is missing"))?;
    if wire.chain_der.len() > CHAIN {
        return Err(wrong("has too long a chain"));
    }
    let (_, parsed) = X509Certificate::from_der(leaf).map_err(|_| wrong("cannot be read"))?;
    if parsed.tbs_certificate.subject_pki.raw != key.public_key_info() {
        return Err(wrong("is for another key"));
    }
    let peer = PeerIdentity::from_certificate(deployment, leaf).map_err(|error| wrong(&error.to_string()))?;
    if peer.sensor != sensor || peer.tenant != tenant {
        return Err(wrong("is for another sensor"));
    }
    let time = |millis| Timestamp::from_millisecond(millis).map_err(|_| wrong("has no valid time"));
    let issued_at = time(wire.server_time_ms)?;
    if peer.not_after <= issued_at {
        return Err(wrong("has ended already"));
    }
    Ok(StoredCertificate {
        chain: wire
            .chain_der
            .iter()
            .map(|der| CertificateDer::from(der.to_vec()))
            .collect(),
        key: key.pkcs8(),
        issued_at,
        received_at,
        not_after: peer.not_after,
    })
}

/// A trust bundle from the wire.
pub(super) fn trust(wire: &v1::TrustBundle) -> Result<TrustBundle, Failure> {
    if wire.roots_der.len() > limits::TRUST_BUNDLE_ROOTS {
        return Err(Failure::Protocol(
            "the trust bundle has too many roots".to_owned(),
        ));
    }
    let roots = wire
        .roots_der
        .iter()
        .map(|der| CertificateDer::from(der.to_vec()))
        .collect();
    TrustBundle::new(wire.version, roots).map_err(|why| Failure::Protocol(format!("the trust bundle {why}")))
}

/// A continuity token from the wire.
pub(super) fn continuity(wire: &[u8]) -> Result<ContinuityToken, Failure> {
    ContinuityToken::new(wire)
        .ok_or_else(|| Failure::Protocol(format!("the continuity token has {} bytes", wire.len())))
}
