//! Certificates of the two listeners.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::process::{Clock, Shutdown, read_bounded};
use portolan_shared::tls::{SwappableCertificate, provider};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::StartError;
use crate::app::App;
use crate::ca::{Authority, CaError};
use crate::settings::HttpTls;

/// How often it is looked whether a certificate is due; a clock that was set is noticed within that time.
const LOOK: Duration = Duration::from_secs(60);
/// Largest certificate or key file, in bytes: refused above.
const MAX_BYTES: u64 = 256 * 1024;

/// The certificate of the sensors' listener, replaced at half of its life while connections stay open.
pub(super) struct ServerCertificate {
    authority: Arc<Authority>,
    clock: Arc<dyn Clock>,
    names: Vec<String>,
    replace_at: Timestamp,
    pub(super) current: Arc<SwappableCertificate>,
}

impl ServerCertificate {
    /// Issues the first one.
    pub(super) fn issue(
        authority: Arc<Authority>,
        clock: Arc<dyn Clock>,
        names: Vec<String>,
    ) -> Result<Self, CaError> {
        authority.refresh(clock.now())?;
        let issued = authority.issue_server(&names, clock.now())?;
        Ok(Self {
            current: Arc::new(SwappableCertificate::new(issued.certified)),
            replace_at: issued.replace_at,
            authority,
            clock,
            names,
        })
    }

    /// Replaces it when it is time, until draining begins.
    pub(super) async fn keep(mut self, app: Arc<App>, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = shutdown.draining() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            if self.clock.now() < self.replace_at {
                continue;
            }
            match self.replace() {
                Ok(()) => {
                    tracing::info!("the certificate of the sensors' listener was replaced");
                    if let Err(error) = app.note_authority(&self.authority).await {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(error, "a new issuing CA is told of with the next start");
                    }
                }
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the certificate of the sensors' listener was not replaced"
                    );
                }
            }
        }
    }

    fn replace(&mut self) -> Result<(), CaError> {
        let now = self.clock.now();
        self.authority.refresh(now)?;
        let issued = self.authority.issue_server(&self.names, now)?;
        self.current.swap(issued.certified);
        self.replace_at = issued.replace_at;
        Ok(())
    }
}

/// TLS of the people's listener: 1.2 or newer, since browsers and tools of all ages come here.
pub(super) fn people_tls(files: &HttpTls) -> Result<ServerConfig, StartError> {
    let wrong = |path: &std::path::Path, what| StartError::TlsFile {
        path: path.to_owned(),
        what,
    };
    let read = |path: &std::path::Path, what| {
        read_bounded(path, MAX_BYTES)
            .ok()
            .flatten()
            .ok_or_else(|| wrong(path, what))
    };
    let chain = read(&files.certificate, "a certificate chain that can be read")?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .map_err(|_| wrong(&files.certificate, "a certificate chain"))?;
    if chain.is_empty() {
        return Err(wrong(&files.certificate, "a certificate chain"));
    }
    let key = read(&files.key, "a private key that can be read")?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| wrong(&files.key, "a private key"))?;
    let tls = |source| StartError::Tls {
        listener: "people's",
        source,
    };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(tls)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
