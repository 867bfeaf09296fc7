//! The listener's certificate and key, in files that somebody else renews.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use portolan_shared::model::limits;
use portolan_shared::tls::{SwappableCertificate, provider};
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::secret_file::{Audience, FileFault, Stamp, read_file};
use crate::settings::NotifyTls;

/// A file with a certificate chain or a key, in bytes: refused above.
const PEM_BYTES: u64 = 256 * 1024;

/// A certificate that is read again when its files change.
pub(super) struct TlsFiles {
    files: NotifyTls,
    certificate: Arc<SwappableCertificate>,
    held: Mutex<Held>,
}

struct Held {
    stamps: [Option<Stamp>; 2],
    not_after: Option<Timestamp>,
    fault: Option<String>,
}

impl TlsFiles {
    pub(super) fn open(files: NotifyTls) -> Result<Self, FileFault> {
        // Before they are read: what changes in between is looked at again.
        let stamps = stamps(&files);
        let certified = load(&files)?;
        Ok(Self {
            files,
            held: Mutex::new(Held {
                stamps,
                not_after: not_after(&certified),
                fault: None,
            }),
            certificate: Arc::new(SwappableCertificate::new(certified)),
        })
    }

    /// TLS 1.2 or newer: registries of all ages come here. HTTP/1.1, and nothing is resumed.
    pub(super) fn server_config(&self) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.certificate) as Arc<_>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(config)
    }

    /// Reads the files again if they have changed. While they cannot be used the certificate that is in force stays so: the two are not replaced at the
    /// same moment.
    pub(super) fn look(&self) {
        let stamps = stamps(&self.files);
        if self.held().stamps == stamps {
            return;
        }
        let loaded = load(&self.files);
        let mut held = self.held();
        held.stamps = stamps;
        held.fault = loaded.as_ref().err().map(FileFault::with_causes);
        match loaded {
            Ok(certified) => {
                held.not_after = not_after(&certified);
                self.certificate.swap(certified);
                tracing::info!("the certificate for notifications was read again");
            }
            Err(fault) => {
                tracing::error!(
                    fault = fault.with_causes(),
                    "the certificate for notifications cannot be read again"
                );
            }
        }
    }

    /// What somebody should look at.
    pub(super) fn warnings(&self, now: Timestamp) -> Vec<String> {
        let held = self.held();
        let file = self.files.certificate.display();
        let left = held.not_after.map(|end| end.duration_since(now).as_hours() / 24);
        let ends = match left {
            Some(..0) => Some(format!(
                "the certificate for notifications, {file}, has ended: registries refuse it"
            )),
            Some(days) if days < limits::EXPIRES_SOON_DAYS => Some(format!(
                "the certificate for notifications, {file}, ends in {days} days"
            )),
            _ => None,
        };
        held.fault.iter().cloned().chain(ends).collect()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamps(files: &NotifyTls) -> [Option<Stamp>; 2] {
    [Stamp::of(&files.certificate), Stamp::of(&files.key)]
}

fn load(files: &NotifyTls) -> Result<Arc<CertifiedKey>, FileFault> {
    let wrong = |path: &PathBuf, expected| FileFault::Pem {
        path: path.clone(),
        expected,
    };
    const CHAIN: &str = "a certificate chain, the listener's own certificate first";
    let chain = read_file(&files.certificate, PEM_BYTES, Audience::Everybody)?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .map_err(|_| wrong(&files.certificate, CHAIN))?;
    if chain.is_empty() {
        return Err(wrong(&files.certificate, CHAIN));
    }
    let key = read_file(&files.key, PEM_BYTES, Audience::Agent)?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| wrong(&files.key, "a private key"))?;
    let certified = CertifiedKey::from_der(chain, key, &provider());
    let certified = certified.map_err(|source| FileFault::Pair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    })?;
    Ok(Arc::new(certified))
}

fn not_after(certified: &CertifiedKey) -> Option<Timestamp> {
    let (_, parsed) = X509Certificate::from_der(certified.cert.first()?).ok()?;
    Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()
}
