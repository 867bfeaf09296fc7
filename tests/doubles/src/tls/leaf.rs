//! A server's certificate and key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use portolan_shared::tls::provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What can be wrong with a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafFault {
    /// Its last day was in the year before last.
    Expired,
    /// Its first day is in the year after next.
    NotYetValid,
    /// It is for `somewhere-else.example` alone.
    WrongName,
    /// It has the right common name and no subject alternative name.
    CommonNameOnly,
    /// The server does not send the intermediate that signed it.
    MissingIntermediate,
    /// It signed itself.
    SelfSigned,
}

/// Which protocols a server offers by ALPN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    /// HTTP/2, then HTTP/1.1.
    Both,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone.
    Http2,
    /// Says nothing, as servers that know no ALPN.
    Silent,
}

/// A server's certificate chain and key.
#[derive(Debug, Clone)]
pub struct Leaf {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) chain_pem: String,
    pub(super) key_pem: String,
    pub(super) key: Arc<PrivateKeyDer<'static>>,
}

impl Leaf {
    /// The chain as served, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The chain as served, in PEM.
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// A rustls server with this certificate: TLS 1.2 and 1.3, no client certificates, and no post-quantum key exchange, like most
    /// registries that are in service.
    ///
    /// The last also keeps several servers on one address usable for clients that resume sessions: rustls remembers tickets and key
    /// exchange by name without the port, offers one server's ticket to the next, has to withdraw it when that one asks for
    /// another key exchange, and rustls as a server refuses the withdrawal (`missing_extension`).
    pub fn server_config(&self, alpn: Alpn) -> anyhow::Result<Arc<rustls::ServerConfig>> {
        let mut ordinary = rustls::crypto::CryptoProvider::clone(&provider());
        ordinary
            .kx_groups
            .retain(|group| group.name() != rustls::NamedGroup::X25519MLKEM768);
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(ordinary))
            .with_safe_default_protocol_versions()
            .context("choose protocol versions")?
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .context("use a server's certificate")?;
        let protocols: &[&[u8]] = match alpn {
            Alpn::Both => &[b"h2", b"http/1.1"],
            Alpn::Http1 => &[b"http/1.1"],
            Alpn::Http2 => &[b"h2"],
            Alpn::Silent => &[],
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config))
    }

    /// Writes `server.pem` and `server.key` into `folder`, for servers that are other programs.
    pub fn write(&self, folder: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
        let (chain, key) = (folder.join("server.pem"), folder.join("server.key"));
        std::fs::write(&chain, &self.chain_pem).with_context(|| format!("write {}", chain.display()))?;
        portolan_shared::process::write_atomically(&key, self.key_pem.as_bytes())?;
        Ok((chain, key))
    }
}
