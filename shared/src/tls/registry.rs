//! The agent's side towards registries: whom to trust, and what to say when trust fails.
//!
//! Roots are the system's store, a CA bundle given for the registry, or only that bundle; and what an administrator put into
//! `/etc/docker/certs.d/HOST:PORT/` (Docker's convention: `*.crt` are extra authorities, `NAME.cert` with `NAME.key` a client
//! certificate). Nothing here, and nothing elsewhere, turns verification off.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::certs_dir::HostFolder;
use super::provider;
use super::refusal::explain;
use super::served::ServedCertificates;
use super::served_chain::ServedChain;
use crate::model::{CaTrust, limits};

/// Trust in a registry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The CA bundle holds something that is no certificate.
    #[error("certificate {index} of the CA bundle cannot be used: {problem}")]
    Bundle {
        /// Which one, from 1.
        index: usize,
        /// Why not.
        problem: String,
    },
    /// The CA bundle holds nothing.
    #[error("the CA bundle holds no certificate")]
    EmptyBundle,
    /// The bundle is larger than it may be.
    #[error("the CA bundle is larger than {} bytes", limits::CA_BUNDLE_BYTES)]
    LargeBundle,
    /// No root at all.
    #[error(
        "there is no trusted certificate authority: the system's store is empty and no CA bundle was given"
    )]
    NoRoots,
    /// A file of a `certs.d` folder is not usable.
    #[error("{} {problem}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The TLS library refused the configuration.
    #[error("the TLS configuration was refused")]
    Tls(#[from] rustls::Error),
}

/// The certificate authorities that the machine trusts. Loaded once per process and shared.
#[derive(Debug, Clone)]
pub struct SystemRoots(Arc<RootCertStore>);

impl SystemRoots {
    /// Reads the system's store. Certificates that cannot be used are left out, and an unreadable store is an empty one: whether that
    /// matters shows when a registry is trusted through it.
    #[must_use]
    pub fn load() -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self(Arc::new(store))
    }

    /// No authority at all, for tests and for machines whose store must not count.
    #[must_use]
    pub fn none() -> Self {
        Self(Arc::new(RootCertStore::empty()))
    }
}

/// Whom to trust when speaking to one registry and to the hosts that it sends us to.
#[derive(Debug, Clone)]
pub struct RegistryTrust {
    system: SystemRoots,
    bundle: Vec<CertificateDer<'static>>,
    only_bundle: bool,
    certs_dir: Option<PathBuf>,
    served: Arc<ServedCertificates>,
}

impl RegistryTrust {
    /// Docker's folder of per-registry certificates.
    pub const CERTS_DIR: &'static str = "/etc/docker/certs.d";

    /// Reads `ca`. `certs_dir` is the folder of per-registry certificates, if any is honoured.
    pub fn new(system: SystemRoots, ca: &CaTrust, certs_dir: Option<PathBuf>) -> Result<Self, TrustError> {
        let bundle = match &ca.bundle_pem {
            Some(pem) => read_bundle(pem)?,
            None => Vec::new(),
        };
        if ca.only_bundle && bundle.is_empty() {
            return Err(TrustError::EmptyBundle);
        }
        Ok(Self {
            system,
            bundle,
            only_bundle: ca.only_bundle,
            certs_dir,
            served: Arc::default(),
        })
    }

    /// The same trust, with a memory of its own of the certificates that are served: otherwise clones share one.
    #[must_use]
    pub fn remembering_anew(self) -> Self {
        Self {
            served: Arc::default(),
            ..self
        }
    }

    /// The certificates that were served and trusted so far.
    #[must_use]
    pub fn served(&self) -> &ServedCertificates {
        &self.served
    }

    /// The TLS configuration for one host. Application protocols are set here too: HTTP/2, then HTTP/1.1.
    ///
    /// A client certificate is taken from the host's own folder only, so that no other host ever sees it. With `only_bundle`, the
    /// authorities in that folder do not count.
    pub fn client_config(
        &self,
        host: &str,
        port: u16,
        https_default: bool,
    ) -> Result<ClientConfig, TrustError> {
        let found = match &self.certs_dir {
            Some(base) => HostFolder::of(base, host, port, https_default)?,
            None => HostFolder::default(),
        };
        let mut pinned = self.bundle.clone();
        if !self.only_bundle {
            pinned.extend(found.authorities);
        }
        let roots = if self.only_bundle {
            store_of(RootCertStore::empty(), &pinned)?
        } else if pinned.is_empty() {
            Arc::clone(&self.system.0)
        } else {
            store_of(RootCertStore::clone(&self.system.0), &pinned)?
        };
        if roots.is_empty() {
            return Err(TrustError::NoRoots);
        }
        let webpki = WebPkiServerVerifier::builder_with_provider(roots, provider())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let verifier = Arc::new(ExplainingVerifier {
            webpki,
            pinned,
            host: format!("{host}:{port}"),
            served: Arc::clone(&self.served),
        });
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match found.client {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn read_bundle(pem: &str) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    if pem.len() > limits::CA_BUNDLE_BYTES {
        return Err(TrustError::LargeBundle);
    }
    let mut bundle = Vec::new();
    for (index, item) in CertificateDer::pem_slice_iter(pem.as_bytes()).enumerate() {
        let unusable = |problem: String| TrustError::Bundle {
            index: index + 1,
            problem,
        };
        let certificate = item.map_err(|error| unusable(error.to_string()))?;
        webpki::anchor_from_trusted_cert(&certificate).map_err(|error| unusable(error.to_string()))?;
        bundle.push(certificate);
    }
    if bundle.is_empty() {
        Err(TrustError::EmptyBundle)
    } else {
        Ok(bundle)
    }
}

fn store_of(
    mut store: RootCertStore,
    certificates: &[CertificateDer<'static>],
) -> Result<Arc<RootCertStore>, TrustError> {
    for certificate in certificates {
        store.add(certificate.clone())?;
    }
    Ok(Arc::new(store))
}

/// Why a served chain was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainProblem {
    /// No path leads to a trusted authority.
    Untrusted,
    /// The validity of a certificate has ended.
    Expired,
    /// The validity of a certificate has not begun.
    NotYetValid,
    /// The server's certificate is not made for the name it was asked for by.
    WrongName,
    /// Anything else: malformed, wrong purpose, weak signature.
    Invalid,
}

/// A server's certificate was refused. Travels inside the TLS library's error; [`ChainRefused::find_in`] gets it out again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the certificate presented for {host} was refused: {reason}")]
pub struct ChainRefused {
    /// The name that the server was asked for by.
    pub host: String,
    /// Why, for a program.
    pub problem: ChainProblem,
    /// Why, for people, in one sentence; names what is missing.
    pub reason: String,
    /// What was presented.
    pub chain: ServedChain,
}

impl ChainRefused {
    /// Finds the refusal in an error and its sources, if there is one.
    #[must_use]
    pub fn find_in<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found);
            }
            if let Some(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(other)))) =
                error.downcast_ref::<rustls::Error>()
            {
                return other.downcast_ref::<Self>();
            }
            // `std::io::Error` hides the error it carries behind its own accessor.
            let carried = error
                .downcast_ref::<std::io::Error>()
                .and_then(std::io::Error::get_ref)
                .map(|carried| carried as &(dyn StdError + 'static));
            next = carried.or_else(|| error.source());
        }
        None
    }
}

/// The usual verification, which explains itself when it refuses.
#[derive(Debug)]
struct ExplainingVerifier {
    webpki: Arc<WebPkiServerVerifier>,
    /// Certificates that an administrator gave for this registry by hand.
    pinned: Vec<CertificateDer<'static>>,
    /// `HOST:PORT` that is spoken to.
    host: String,
    served: Arc<ServedCertificates>,
}

impl ExplainingVerifier {
    /// A self-signed server certificate that says it is a CA (what `openssl req -x509` makes) is refused by the path validation, even
    /// where the administrator gave exactly this certificate as the one to trust. Then name and validity are still checked here,
    /// and the handshake still proves possession of its key.
    fn accepts_as_pinned(&self, leaf: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> bool {
        if !self.pinned.contains(leaf) {
            return false;
        }
        let named = webpki::EndEntityCert::try_from(leaf)
            .is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(name).is_ok());
        let valid = x509_parser::parse_x509_certificate(leaf).is_ok_and(|(_, certificate)| {
            let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            let validity = certificate.validity();
            validity.not_before.timestamp() <= now && now <= validity.not_after.timestamp()
        });
        named && valid
    }
}

impl ServerCertVerifier for ExplainingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let error =
            match self
                .webpki
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            {
                Ok(verified) => {
                    self.served.remember(&self.host, end_entity);
                    return Ok(verified);
                }
                Err(_) if self.accepts_as_pinned(end_entity, server_name, now) => {
                    self.served.remember(&self.host, end_entity);
                    return Ok(ServerCertVerified::assertion());
                }
                Err(error) => error,
            };
        let chain = ServedChain::describe(end_entity, intermediates);
        let (problem, reason) = explain(&error, &chain);
        let refused = ChainRefused {
            host: server_name.to_str().into_owned(),
            problem,
            reason,
            chain,
        };
        Err(CertificateError::Other(OtherError(Arc::new(refused))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
