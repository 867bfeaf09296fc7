//! The agent's side towards the control plane: trusts its pins or its trust bundle, never the system's store.

use std::fmt;
use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::clock::ClockTime;
use super::pin::SpkiPin;
use super::provider::provider;
use super::served_chain::ServedCertificate;
use crate::process::Clock;

/// What the agent trusts the control plane by.
#[derive(Debug, Clone)]
pub enum ControlPlaneTrust {
    /// Before enrolment: a root in the presented chain whose key has one of these hashes.
    Pins(Vec<SpkiPin>),
    /// After enrolment: these roots, DER.
    Roots(Vec<CertificateDer<'static>>),
}

/// Why the server was not trusted. Nothing was sent to it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TrustFailure {
    /// Neither pin nor root matches.
    #[error(
        "the server is not the control plane that this sensor was invited to: it presented a certificate issued by {issuer}, expected a root with the key {expected}"
    )]
    Stranger {
        /// Who issued what was presented.
        issuer: String,
        /// The beginning of each hash that would have been accepted.
        expected: String,
    },
    /// The certificate's time is not now.
    #[error(
        "the server's certificate is valid from {not_before} to {not_after}, but the clock of this machine says {local} (off by {off}); correct the clock and try again"
    )]
    Clock {
        /// Its first moment.
        not_before: Timestamp,
        /// Its last moment.
        not_after: Timestamp,
        /// This machine's time.
        local: Timestamp,
        /// The distance to the nearer end, for people.
        off: String,
    },
    /// It is for another name.
    #[error("the server's certificate is for {names}, not for {expected}")]
    Name {
        /// The names in it.
        names: String,
        /// The name that was connected to.
        expected: String,
    },
    /// Its signatures do not hold together.
    #[error("the server's certificate chain does not hold: {why}")]
    Chain {
        /// In which way.
        why: String,
    },
}

impl TrustFailure {
    /// Finds the failure in what a connection attempt gave.
    #[must_use]
    pub fn in_error(error: &io::Error) -> Option<&Self> {
        match error.get_ref()?.downcast_ref::<Error>()? {
            Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
                inner.downcast_ref::<Self>()
            }
            _ => None,
        }
    }
}

/// The sensor's certificate and key.
pub struct ClientIdentity {
    /// Leaf first, without the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

/// TLS 1.3 only, HTTP/2 by ALPN, no resumption: a resumed session would outlive certificate and revocation.
pub fn control_plane_client(
    trust: ControlPlaneTrust,
    identity: Option<ClientIdentity>,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_details(provider(), Arc::new(ClockTime(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { trust }));
    let mut config = match identity {
        Some(identity) => builder.with_client_auth_cert(identity.chain, identity.key)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}

struct Verifier {
    trust: ControlPlaneTrust,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("trust", &self.trust).finish()
    }
}

impl Verifier {
    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), TrustFailure> {
        let chain = |why: webpki::Error| TrustFailure::Chain { why: why.to_string() };
        let roots: Vec<&CertificateDer<'_>> = match &self.trust {
            ControlPlaneTrust::Roots(roots) => roots.iter().collect(),
            ControlPlaneTrust::Pins(pins) => intermediates
                .iter()
                .filter(|der| SpkiPin::of_certificate(der).is_some_and(|pin| pins.contains(&pin)))
                .collect(),
        };
        let served: Vec<ServedCertificate> = std::iter::once(end_entity)
            .chain(intermediates)
            .take(4)
            .map(ServedCertificate::describe)
            .collect();
        let presented = &served[0];
        let stranger = || TrustFailure::Stranger {
            issuer: presented.issuer.clone(),
            expected: self.expected(),
        };
        if roots.is_empty() {
            return Err(stranger());
        }
        let anchors = roots
            .iter()
            .map(|root| webpki::anchor_from_trusted_cert(root))
            .collect::<Result<Vec<_>, _>>()
            .map_err(chain)?;
        let leaf = webpki::EndEntityCert::try_from(end_entity).map_err(chain)?;
        let usage = webpki::KeyUsage::server_auth();
        let algorithms = provider().signature_verification_algorithms.all;
        match leaf.verify_for_usage(algorithms, &anchors, intermediates, now, usage, None, None) {
            Ok(_) => {}
            Err(webpki::Error::UnknownIssuer) => return Err(stranger()),
            Err(webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. }) => {
                return Err(clock_failure(&served, now));
            }
            Err(other) => return Err(chain(other)),
        }
        leaf.verify_is_valid_for_subject_name(name)
            .map_err(|_| TrustFailure::Name {
                names: if presented.names.is_empty() {
                    "no name".to_owned()
                } else {
                    presented.names.join(", ")
                },
                expected: name.to_str().into_owned(),
            })
    }

    fn expected(&self) -> String {
        let pins: Vec<String> = match &self.trust {
            ControlPlaneTrust::Pins(pins) => {
                pins.iter().map(|pin| pin.to_string()[..16].to_owned()).collect()
            }
            ControlPlaneTrust::Roots(roots) => roots
                .iter()
                .filter_map(|root| SpkiPin::of_certificate(root))
                .map(|pin| pin.to_string()[..16].to_owned())
                .collect(),
        };
        format!("sha256:{}…", pins.join("…, sha256:"))
    }
}

fn clock_failure(served: &[ServedCertificate], now: UnixTime) -> TrustFailure {
    let local = i64::try_from(now.as_secs())
        .ok()
        .and_then(|s| Timestamp::from_second(s).ok())
        .unwrap_or_default();
    // The certificate whose time is not now: mostly the leaf.
    let at_fault = served
        .iter()
        .find(|certificate| local < certificate.not_before || local > certificate.not_after);
    let (not_before, not_after) =
        at_fault.map_or((local, local), |found| (found.not_before, found.not_after));
    let seconds = if local < not_before {
        not_before.as_second() - local.as_second()
    } else {
        local.as_second() - not_after.as_second()
    };
    let off = match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    };
    TrustFailure::Clock {
        not_before,
        not_after,
        local,
        off,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.check(end_entity, intermediates, server_name, now) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(failure) => Err(Error::InvalidCertificate(CertificateError::Other(OtherError(
                Arc::new(failure),
            )))),
        }
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
