//! The control plane's side towards sensors.

use std::fmt;
use std::sync::{Arc, RwLock};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, ServerConfig,
    SignatureScheme,
};

use super::clock::ClockTime;
use super::peer::PeerIdentity;
use super::provider::provider;
use crate::model::SensorId;
use crate::process::Clock;

/// Says which sensors are shut out.
pub trait DeniedSensors: Send + Sync {
    /// Whether this sensor is.
    fn is_denied(&self, sensor: SensorId) -> bool;
}

/// A server certificate that can be exchanged while connections are open.
pub struct SwappableCertificate(RwLock<Arc<CertifiedKey>>);

impl SwappableCertificate {
    /// Begins with this certificate.
    #[must_use]
    pub fn new(certificate: Arc<CertifiedKey>) -> Self {
        Self(RwLock::new(certificate))
    }

    /// From now on, new connections get this certificate.
    pub fn swap(&self, certificate: Arc<CertifiedKey>) {
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = certificate;
    }

    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl fmt::Debug for SwappableCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SwappableCertificate")
    }
}

impl ResolvesServerCert for SwappableCertificate {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

/// Verifies sensors' certificates: path to a sensor root, our form of name, client authentication alone, a life we would give, not shut
/// out. A connection without a certificate is let in as a stranger, which can only enrol.
pub struct SensorVerifier {
    deployment: String,
    roots: Vec<CertificateDer<'static>>,
    denied: Arc<dyn DeniedSensors>,
}

impl SensorVerifier {
    /// Trusts these roots, DER.
    #[must_use]
    pub fn new(
        deployment: String,
        roots: Vec<CertificateDer<'static>>,
        denied: Arc<dyn DeniedSensors>,
    ) -> Self {
        Self {
            deployment,
            roots,
            denied,
        }
    }
}

impl fmt::Debug for SensorVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SensorVerifier")
            .field("deployment", &self.deployment)
            .finish_non_exhaustive()
    }
}

impl ClientCertVerifier for SensorVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let bad = |error: CertificateError| Error::InvalidCertificate(error);
        let anchors = self
            .roots
            .iter()
            .map(|root| webpki::anchor_from_trusted_cert(root))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| bad(CertificateError::UnknownIssuer))?;
        let leaf =
            webpki::EndEntityCert::try_from(end_entity).map_err(|_| bad(CertificateError::BadEncoding))?;
        let algorithms = provider().signature_verification_algorithms.all;
        let usage = webpki::KeyUsage::client_auth();
        leaf.verify_for_usage(algorithms, &anchors, intermediates, now, usage, None, None)
            .map_err(|error| match error {
                webpki::Error::CertExpired { .. } => bad(CertificateError::Expired),
                webpki::Error::CertNotValidYet { .. } => bad(CertificateError::NotValidYet),
                webpki::Error::UnknownIssuer => bad(CertificateError::UnknownIssuer),
                _ => bad(CertificateError::BadSignature),
            })?;
        let identity = PeerIdentity::from_certificate(&self.deployment, end_entity)
            .map_err(|error| bad(CertificateError::Other(OtherError(Arc::new(error)))))?;
        if self.denied.is_denied(identity.sensor) {
            return Err(bad(CertificateError::Revoked));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// TLS 1.3 only, HTTP/2 by ALPN, no tickets, no session store, no early data: with rustls's defaults an expired or revoked certificate
/// would be accepted again by resumption.
pub fn sensor_server(
    certificate: Arc<SwappableCertificate>,
    verifier: Arc<SensorVerifier>,
    clock: Arc<dyn Clock>,
) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(ClockTime(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(config)
}
