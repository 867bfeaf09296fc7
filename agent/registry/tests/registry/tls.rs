//! Trust: private authorities, and what is said when there is none.

use std::path::Path;
use std::sync::Arc;

use portolan_registry::{Access, Fault, RegistryClient, RegistryError};
use portolan_shared::model::{CaTrust, Digest, FindingCode};
use portolan_shared::tls::{RegistryTrust, SystemRoots, provider};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::client::access;
use crate::server::{Answer, Server};

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
    pub(crate) der: CertificateDer<'static>,
}

pub(crate) fn parameters(name: &str, names: &[&str]) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.subject_alt_names = names
        .iter()
        .map(|name| match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into().unwrap()),
        })
        .collect();
    parameters
}

impl Authority {
    pub(crate) fn new(name: &str, above: Option<&Self>) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = parameters(name, &[]);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = match above {
            Some(above) => parameters.signed_by(&key, &above.issuer).unwrap(),
            None => parameters.self_signed(&key).unwrap(),
        };
        Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(parameters, key),
        }
    }

    pub(crate) fn issue(
        &self,
        parameters: &CertificateParams,
    ) -> (CertificateDer<'static>, PrivateKeyDer<'static>, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        let der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        (
            certificate.der().clone(),
            der,
            certificate.pem() + &key.serialize_pem(),
        )
    }
}

pub(crate) fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Option<&Authority>,
    protocols: &[&str],
) -> Arc<rustls::ServerConfig> {
    let builder = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(authority.der.clone()).unwrap();
            let verifier =
                rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect();
    Arc::new(config)
}

pub(crate) async fn serve(config: Arc<rustls::ServerConfig>) -> Server {
    Server::start_with(Some(config), |_| Answer::json("{}")).await
}

pub(crate) fn trust(bundle: Option<&str>, certs_dir: Option<&Path>) -> RegistryTrust {
    let ca = CaTrust {
        bundle_pem: bundle.map(str::to_owned),
        only_bundle: false,
    };
    RegistryTrust::new(SystemRoots::none(), &ca, certs_dir.map(Path::to_owned)).unwrap()
}

pub(crate) async fn ping(server: &Server, trust: RegistryTrust) -> Result<RegistryClient, RegistryError> {
    let client = RegistryClient::new(Access {
        trust,
        ..access(&server.url())
    })?;
    client.ping().await.map(|_| client)
}

pub(crate) const LOOPBACK: &[&str] = &["127.0.0.1"];

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_when_it_is_the_one_that_was_given() {
    for is_ca in [false, true] {
        let make = |names: &[&str]| {
            let key = KeyPair::generate().unwrap();
            let mut parameters = parameters("registry", names);
            if is_ca {
                parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            }
            let certificate = parameters.self_signed(&key).unwrap();
            let der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
            (certificate, der)
        };
        let (own, key) = make(LOOPBACK);
        let server = serve(config(vec![own.der().clone()], key, None, &["h2"])).await;
        ping(&server, trust(Some(&own.pem()), None)).await.unwrap();
        let other = make(LOOPBACK).0.pem();
        let error = ping(&server, trust(Some(&other), None)).await.unwrap_err();
        assert_eq!(
            error.finding().code,
            FindingCode::TlsSelfSigned,
            "CA {is_ca}: another one of the same name"
        );
        let (elsewhere, key) = make(&["other.example.com"]);
        let server = serve(config(vec![elsewhere.der().clone()], key, None, &["h2"])).await;
        let error = ping(&server, trust(Some(&elsewhere.pem()), None))
            .await
            .unwrap_err();
        assert!(
            matches!(error.fault(), Fault::Chain(_)),
            "CA {is_ca}: its name still counts"
        );
    }
}

#[tokio::test]
async fn only_the_bundle_means_only_the_bundle() {
    let root = Authority::new("Private Root", None);
    let other = Authority::new("Other Root", None);
    let (leaf, key, _) = root.issue(&parameters("registry", LOOPBACK));
    let server = serve(config(vec![leaf], key, None, &["h2"])).await;
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join(format!("127.0.0.1:{}", server.address.port()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("ca.crt"), &root.pem).unwrap();
    for (bundle, trusted) in [(&root.pem, true), (&other.pem, false)] {
        let ca = CaTrust {
            bundle_pem: Some(bundle.clone()),
            only_bundle: true,
        };
        let trust = RegistryTrust::new(SystemRoots::none(), &ca, Some(base.path().to_owned())).unwrap();
        assert_eq!(ping(&server, trust).await.is_ok(), trusted);
    }
}

#[tokio::test]
async fn plain_http_on_the_port_is_said_to_be_that() {
    let server = Server::start(|_| Answer::json("{}")).await;
    let root = Authority::new("Private Root", None);
    let url = server.url().replace("http://", "https://");
    let client = RegistryClient::new(Access {
        trust: trust(Some(&root.pem), None),
        ..access(&url)
    })
    .unwrap();
    let finding = client.ping().await.unwrap_err().finding();
    assert_eq!(finding.code, FindingCode::TlsPlainHttp);
    assert!(finding.seen.contains("plain HTTP"), "{finding}");
}

#[tokio::test]
async fn tls_on_the_port_of_a_plain_url_is_said_to_be_that() {
    let root = Authority::new("Private Root", None);
    let (leaf, key, _) = root.issue(&parameters("registry", LOOPBACK));
    let tls = serve(config(vec![leaf], key, None, &["http/1.1"])).await;
    let in_words = |words: &'static str| {
        Server::start(move |_| Answer::status(400).with("content-type", "text/html").body(words))
    };
    let nginx = in_words("<h1>400</h1>The plain HTTP request was sent to HTTPS port").await;
    let go = in_words("Client sent an HTTP request to an HTTPS server.\n").await;
    for server in [&tls, &nginx, &go] {
        let url = server.url().replace("https://", "http://");
        let finding = crate::client::client(&url).ping().await.unwrap_err().finding();
        assert_eq!(finding.code, FindingCode::TlsExpected, "{finding}");
    }
    let other = Server::start(|_| Answer::error(400, "NAME_INVALID")).await;
    let finding = crate::client::client(&other.url())
        .ping()
        .await
        .unwrap_err()
        .finding();
    assert_eq!(finding.code, FindingCode::Protocol, "{finding}");
}

#[tokio::test]
async fn one_connection_carries_many_requests_where_http2_is_offered() {
    let root = Authority::new("Private Root", None);
    let (leaf, key, _) = root.issue(&parameters("registry", LOOPBACK));
    let server = Server::start_with(Some(config(vec![leaf], key, None, &["h2", "http/1.1"])), |_| {
        Answer::status(200)
            .with("docker-content-digest", Digest::sha256_of(b"").to_string())
            .taking(std::time::Duration::from_millis(1))
    })
    .await;
    let client = ping(&server, trust(Some(&root.pem), None)).await.unwrap();
    crate::transport::resolve_many(&client, 200).await;
    let heard = server.heard();
    assert!(heard.iter().all(|heard| heard.version == hyper::Version::HTTP_2));
    assert!(
        heard.iter().all(|heard| heard.connection == 1),
        "limits of some products are by connection"
    );
    assert!(heard.iter().any(|heard| heard.at_once > 4), "and at once");
}

#[tokio::test]
async fn the_end_of_what_was_served_is_kept() {
    let root = Authority::new("Private Root", None);
    let mut made = parameters("registry", LOOPBACK);
    made.not_after = rcgen::date_time_ymd(2037, 1, 1);
    let (leaf, key, _) = root.issue(&made);
    let server = serve(config(vec![leaf], key, None, &["h2"])).await;
    let trust = trust(Some(&root.pem), None);
    let client = ping(&server, trust.clone()).await.unwrap();
    let facts = client.certificates();
    assert_eq!(facts.len(), 1);
    assert_eq!(
        (facts[0].host.as_str(), facts[0].subject.as_str()),
        (server.address.to_string().as_str(), "CN=registry")
    );
    assert_eq!(facts[0].expires_at.to_string(), "2037-01-01T00:00:00Z");
    let other = RegistryClient::new(Access {
        trust,
        ..access(&server.url())
    })
    .unwrap();
    assert_eq!(other.certificates(), [], "of this client alone");
}
