//! The TLS handshake, with the same trust as everything else, and the certificates that were served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portolan_shared::model::{CertificateFacts, Finding, FindingCode, limits};
use portolan_shared::tls::{ChainProblem, ChainRefused, ServedChain};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ProtocolVersion, SignatureScheme};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::chain;
use super::examination::Examination;
use super::notes::Notes;
use crate::client::RegistryClient;
use crate::error::Fault;

/// How long a server that asked for a certificate of ours is given to say that it cannot do without: with TLS 1.3 it says so after the
/// handshake.
const SECOND_THOUGHTS: Duration = Duration::from_secs(1);

impl Examination {
    /// Shakes hands on the connection of the stage before.
    pub(super) async fn tls(&mut self, notes: &mut Notes) {
        if !self.origin.https {
            // A server that serves one after the other must not wait for us to say something on this one.
            self.connection = None;
            return notes.skip("http: nothing is encrypted, whoever is on the way reads along");
        }
        let Some(stream) = self.connection.take() else {
            return notes.skip("no connection of our own to look at");
        };
        let origin = &self.origin;
        let trust = self
            .access
            .trust
            .client_config(&origin.host, origin.port, origin.port == 443);
        let mut config = match trust {
            Ok(config) => config,
            Err(error) => return notes.find(self.finding(Fault::Trust(error))),
        };
        let asked = AskedForCertificate::listen(&mut config);
        let host = origin.host.trim_matches(['[', ']']).to_owned();
        let Ok(name) = ServerName::try_from(host) else {
            return notes.find(self.finding(Fault::Tls {
                problem: "the host is no name that a certificate could be made for",
            }));
        };
        let connector = TlsConnector::from(Arc::new(config));
        let shaken = tokio::time::timeout(self.access.limits.connect, connector.connect(name, stream)).await;
        match shaken {
            Ok(Ok(mut stream)) => {
                self.look_at(&stream, notes);
                if asked.in_vain() {
                    notes.see("it asks for a client certificate, and there is none for it");
                    if let Some(fault) = second_thoughts(&mut stream).await {
                        notes.find(self.finding(fault));
                    }
                }
            }
            Ok(Err(error)) => {
                if let Some(refused) = ChainRefused::find_in(&error) {
                    self.refused(refused, notes);
                }
                notes.find(self.finding(Fault::of_handshake(&error)));
            }
            Err(_) => notes.find(self.finding(Fault::Tls {
                problem: "the handshake was not answered in time",
            })),
        }
    }

    fn look_at(&mut self, stream: &TlsStream<TcpStream>, notes: &mut Notes) {
        let (_, connection) = stream.get_ref();
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        };
        let protocol = match connection.alpn_protocol() {
            Some(b"h2") => "HTTP/2",
            Some(_) => "HTTP/1.1",
            None => "no word on HTTP/2",
        };
        notes.see(format!("{version}, {protocol}"));
        let Some([leaf, rest @ ..]) = connection.peer_certificates() else {
            return;
        };
        let chain = ServedChain::describe(leaf, rest);
        for line in chain::lines(&chain, self.access.clock.now()) {
            notes.see(line);
        }
        self.ending_certificates(notes);
    }

    /// Certificates that end soon, of the registry and of the hosts that it sent us to so far; each in the stage that met it first.
    pub(super) fn ending_certificates(&mut self, notes: &mut Notes) {
        let now = self.access.clock.now();
        let mut served = self.access.trust.served().facts();
        served.extend(self.client.iter().flat_map(RegistryClient::certificates));
        for certificate in served {
            if self.facts.certificates.contains(&certificate) {
                continue;
            }
            let left = chain::days_left(now, certificate.expires_at);
            if left <= limits::EXPIRES_SOON_DAYS {
                let CertificateFacts {
                    host,
                    subject,
                    expires_at,
                } = &certificate;
                let seen = format!("{host}: {subject} is valid until {expires_at}, {left} days");
                notes.find(Finding::new(FindingCode::CertificateExpiresSoon, &seen));
            }
            self.facts.certificates.push(certificate);
        }
    }

    fn refused(&self, refused: &ChainRefused, notes: &mut Notes) {
        for line in chain::lines(&refused.chain, self.access.clock.now()) {
            notes.see(line);
        }
        if refused.problem == ChainProblem::Untrusted
            && let Some(line) = chain::to_give(&refused.chain)
        {
            notes.see(line);
        }
    }
}

/// What a server that has shaken hands says about the certificate that it did not get; `None` if it can do without.
async fn second_thoughts(stream: &mut TlsStream<TcpStream>) -> Option<Fault> {
    let said = tokio::time::timeout(SECOND_THOUGHTS, stream.read_u8())
        .await
        .ok()?;
    // Anything but an alert, an HTTP/2 greeting for one, means that we are in.
    said.err().map(|error| Fault::of_handshake(&error))
}

/// Notices whether the server asks for a client certificate.
#[derive(Debug)]
struct AskedForCertificate {
    inner: Arc<dyn ResolvesClientCert>,
    asked: AtomicBool,
}

impl AskedForCertificate {
    fn listen(config: &mut ClientConfig) -> Arc<Self> {
        let listening = Arc::new(Self {
            inner: Arc::clone(&config.client_auth_cert_resolver),
            asked: AtomicBool::new(false),
        });
        config.client_auth_cert_resolver = Arc::clone(&listening) as Arc<dyn ResolvesClientCert>;
        listening
    }

    fn in_vain(&self) -> bool {
        self.asked.load(Ordering::Relaxed) && !self.inner.has_certs()
    }
}

impl ResolvesClientCert for AskedForCertificate {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.inner.resolve(hints, schemes)
    }

    fn only_raw_public_keys(&self) -> bool {
        self.inner.only_raw_public_keys()
    }

    fn has_certs(&self) -> bool {
        self.inner.has_certs()
    }
}
