//! TLS.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::scene::{Request, Scene, Wire, private_file, scene_with};
use crate::settings::NotifyTls;
use portolan_shared::process::Clock as _;
use portolan_shared::tls::provider;

/// A private authority.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    connector: TlsConnector,
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let mut roots = RootCertStore::empty();
        roots
            .add(params.self_signed(&key).unwrap().der().clone())
            .unwrap();
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self {
            issuer: Issuer::new(params, key),
            connector: TlsConnector::from(Arc::new(config)),
        }
    }

    /// Writes a certificate and its key.
    pub(super) fn issue(&self, folder: &Path) -> NotifyTls {
        let files = NotifyTls {
            certificate: folder.join("certificate.pem"),
            key: folder.join("key.pem"),
        };
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(&files.certificate, leaf.pem()).unwrap();
        private_file(&files.key, &key.serialize_pem());
        files
    }

    async fn connect(&self, scene: &Scene) -> std::io::Result<Wire<TlsStream<TcpStream>>> {
        let stream = TcpStream::connect(scene.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        Ok(Wire(self.connector.connect(name, stream).await?))
    }
}

#[tokio::test]
async fn notifications_come_over_tls_and_never_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let files = authority.issue(folder.path());
    let scene = scene_with(folder, Some(files)).await.unwrap();
    let mut wire = authority.connect(&scene).await.unwrap();
    let (_, session) = wire.0.get_ref();
    assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    for _ in 0..2 {
        assert_eq!(wire.ask(&Request::genuine().bytes()).await.status(), 200);
    }
    let in_clear = scene.connect().await.ask(&Request::genuine().bytes()).await;
    assert!(!in_clear.0.contains("200"), "{}", in_clear.0);
    assert!(Authority::new().connect(&scene).await.is_err());
    assert_eq!(scene.told().len(), 1);
    // Who does not trust the certificate says so when it has left already.
    while scene.desk.view().unwrap().refused_elsewhere < 2 {
        tokio::task::yield_now().await;
    }
    scene.end().await;
}

#[tokio::test]
async fn a_certificate_that_was_renewed_is_shown_from_the_next_connection_on() {
    let folder = tempfile::tempdir().unwrap();
    let (former, later) = (Authority::new(), Authority::new());
    let files = former.issue(folder.path());
    let scene = scene_with(folder, Some(files)).await.unwrap();
    let mut open = former.connect(&scene).await.unwrap();
    let key = std::fs::read_to_string(scene.folder.path().join("key.pem")).unwrap();
    let renewed = later.issue(scene.folder.path());
    let new_key = std::fs::read_to_string(&renewed.key).unwrap();
    // The certificate is there, its key not yet.
    private_file(&renewed.key, &key);
    scene.files.look();
    let now = scene.clock.now();
    assert!(scene.files.warnings(now)[0].contains("is not that of the certificate"));
    assert!(former.connect(&scene).await.is_ok());
    private_file(&renewed.key, &new_key);
    scene.files.look();
    assert_eq!(scene.files.warnings(now), [""; 0]);
    assert!(former.connect(&scene).await.is_err());
    assert!(later.connect(&scene).await.is_ok());
    assert_eq!(
        open.ask(&Request::genuine().bytes()).await.status(),
        200,
        "what is open stays so"
    );
    scene.end().await;
}

#[tokio::test]
async fn a_listener_does_not_start_with_files_that_cannot_be_used() {
    let refused = async |spoil: fn(&NotifyTls)| {
        let folder = tempfile::tempdir().unwrap();
        let files = Authority::new().issue(folder.path());
        spoil(&files);
        let error = scene_with(folder, Some(files)).await.err().unwrap();
        std::error::Error::source(&error).unwrap().to_string()
    };
    let exposed = refused(|files| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o644)).unwrap();
    });
    assert!(exposed.await.contains("mode 644"));
    let exchanged = refused(|files| {
        let certificate = std::fs::read_to_string(&files.certificate).unwrap();
        private_file(&files.key, &certificate);
    });
    assert!(exchanged.await.contains("expected a private key"));
    let empty = refused(|files| std::fs::write(&files.certificate, "").unwrap());
    assert!(empty.await.contains("expected a certificate chain"));
    let missing = refused(|files| std::fs::remove_file(&files.certificate).unwrap());
    assert!(missing.await.contains("there is no file"));
}

#[tokio::test]
async fn a_certificate_that_ends_is_said_beforehand() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 2, 1);
    let leaf = params.signed_by(&key, &authority.issuer).unwrap();
    let files = NotifyTls {
        certificate: folder.path().join("c.pem"),
        key: folder.path().join("k.pem"),
    };
    std::fs::write(&files.certificate, leaf.pem()).unwrap();
    private_file(&files.key, &key.serialize_pem());
    let scene = scene_with(folder, Some(files)).await.unwrap();
    let on = |day: &str| scene.files.warnings(format!("{day}T00:00:00Z").parse().unwrap());
    assert_eq!(on("2027-01-01"), [""; 0]);
    assert!(on("2027-01-15")[0].contains("ends in 17 days"));
    assert!(on("2027-02-02")[0].contains("has ended"));
    scene.end().await;
}
