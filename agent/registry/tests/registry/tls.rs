//! Trust: private authorities, and what is said when there is none.

use std::path::Path;
use std::sync::Arc;

use portolan_registry::{Access, Fault, RegistryClient, RegistryError};
use portolan_shared::model::{CaTrust, Digest, FindingCode, ReferenceTarget};
use portolan_shared::tls::{ChainProblem, RegistryTrust, SystemRoots, provider};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::client::access;
use crate::server::{Answer, Server};

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

fn parameters(name: &str, names: &[&str]) -> CertificateParams {
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
    fn new(name: &str, above: Option<&Self>) -> Self {
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

    fn issue(
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

fn config(
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

async fn serve(config: Arc<rustls::ServerConfig>) -> Server {
    Server::start_with(Some(config), |_| Answer::json("{}")).await
}

fn trust(bundle: Option<&str>, certs_dir: Option<&Path>) -> RegistryTrust {
    let ca = CaTrust {
        bundle_pem: bundle.map(str::to_owned),
        only_bundle: false,
    };
    RegistryTrust::new(SystemRoots::none(), &ca, certs_dir.map(Path::to_owned)).unwrap()
}

async fn ping(server: &Server, trust: RegistryTrust) -> Result<RegistryClient, RegistryError> {
    let client = RegistryClient::new(Access {
        trust,
        ..access(&server.url())
    })?;
    client.ping().await.map(|_| client)
}

const LOOPBACK: &[&str] = &["127.0.0.1"];

#[tokio::test]
async fn a_private_authority_is_trusted_over_both_http_versions() {
    let root = Authority::new("Private Root", None);
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], hyper::Version::HTTP_2),
        (&["http/1.1"][..], hyper::Version::HTTP_11),
        (&[][..], hyper::Version::HTTP_11),
    ] {
        let (leaf, key, _) = root.issue(&parameters("registry", LOOPBACK));
        let server = serve(config(vec![leaf], key, None, protocols)).await;
        ping(&server, trust(Some(&root.pem), None)).await.unwrap();
        assert_eq!(server.heard()[0].version, version);
    }
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let root = Authority::new("Private Root", None);
    let middle = Authority::new("Private Issuing CA", Some(&root));
    let stranger = Authority::new("Other Root", None);
    let (leaf, key, _) = middle.issue(&parameters("registry", LOOPBACK));
    for (chain, missing) in [
        (
            vec![leaf.clone()],
            "the authority \"CN=Private Issuing CA\", which issued \"CN=registry\", was neither presented nor is it trusted",
        ),
        (
            vec![leaf.clone(), middle.der.clone()],
            "the authority \"CN=Private Root\", which issued \"CN=Private Issuing CA\", was neither",
        ),
        (
            vec![leaf.clone(), middle.der.clone(), root.der.clone()],
            "the authority \"CN=Private Root\" was presented but is not trusted",
        ),
    ] {
        let presented = chain.len();
        let server = serve(config(chain, key.clone_key(), None, &["h2"])).await;
        let error = ping(&server, trust(Some(&stranger.pem), None)).await.unwrap_err();
        let finding = error.finding();
        assert_eq!(finding.code, FindingCode::TlsUntrusted, "{error:?}");
        assert!(finding.seen.contains(missing), "{finding}");
        let Fault::Chain(refused) = error.fault() else {
            panic!("{error:?}")
        };
        assert_eq!(refused.chain.certificates.len(), presented);
        let shown = refused.chain.to_string();
        for part in [
            "subject  CN=registry",
            "issuer   CN=Private Issuing CA",
            "names    127.0.0.1",
            "sha256   ",
            "valid    ",
        ] {
            assert!(shown.contains(part), "{part} in\n{shown}");
        }
        assert!(!error.is_transient() && error.concerns_whole_registry());
        assert_eq!(server.heard().len(), 0, "nothing was sent");
    }
    let server = serve(config(vec![leaf, middle.der.clone()], key, None, &["h2"])).await;
    ping(&server, trust(Some(&root.pem), None)).await.unwrap();
}

#[tokio::test]
async fn certificates_that_do_not_fit_are_refused_with_their_reason() {
    let root = Authority::new("Private Root", None);
    let mut expired = parameters("registry", LOOPBACK);
    expired.not_before = rcgen::date_time_ymd(2019, 1, 1);
    expired.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let mut early = parameters("registry", LOOPBACK);
    early.not_before = rcgen::date_time_ymd(4000, 1, 1);
    for (leaf, problem, seen) in [
        (expired, ChainProblem::Expired, "valid until 2020-01-01T00:00:00Z"),
        (
            early,
            ChainProblem::NotYetValid,
            "valid from 4000-01-01T00:00:00Z",
        ),
        (
            parameters("registry", &["other.example.com"]),
            ChainProblem::WrongName,
            "made for other.example.com",
        ),
        (
            parameters("127.0.0.1", &[]),
            ChainProblem::WrongName,
            "names no host at all (its subject \"CN=127.0.0.1\" does not count)",
        ),
    ] {
        let (leaf, key, _) = root.issue(&leaf);
        let server = serve(config(vec![leaf], key, None, &["h2"])).await;
        let error = ping(&server, trust(Some(&root.pem), None)).await.unwrap_err();
        let Fault::Chain(refused) = error.fault() else {
            panic!("{error:?}")
        };
        assert_eq!(refused.problem, problem);
        let finding = error.finding();
        assert_eq!(finding.code, FindingCode::TlsInvalid);
        assert!(finding.seen.contains(seen), "{finding}");
    }
}

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
            FindingCode::TlsUntrusted,
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
async fn certs_d_gives_authorities_and_client_certificates() {
    let root = Authority::new("Private Root", None);
    let clients = Authority::new("Client CA", None);
    let (leaf, key, _) = root.issue(&parameters("registry", LOOPBACK));
    for protocols in [&["h2"][..], &["http/1.1"][..]] {
        let server = serve(config(
            vec![leaf.clone()],
            key.clone_key(),
            Some(&clients),
            protocols,
        ))
        .await;
        certs_d(&server, &root, &clients).await;
    }
}

async fn certs_d(server: &Server, root: &Authority, clients: &Authority) {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join(format!("127.0.0.1:{}", server.address.port()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("ca.crt"), &root.pem).unwrap();
    let error = ping(server, trust(None, Some(base.path()))).await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::TlsFailed, "{error:?}");
    assert!(
        error.finding().seen.contains("client certificate"),
        "{}",
        error.finding()
    );
    let (_, _, both) = clients.issue(&parameters("reader", &[]));
    std::fs::write(folder.join("client.cert"), &both).unwrap();
    let error = ping(server, trust(None, Some(base.path()))).await.unwrap_err();
    assert!(
        matches!(error.fault(), Fault::Trust(_)),
        "half a pair is an error: {error:?}"
    );
    std::fs::write(folder.join("client.key"), &both).unwrap();
    ping(server, trust(None, Some(base.path()))).await.unwrap();
    std::fs::remove_file(folder.join("client.cert")).unwrap();
    let error = ping(server, trust(None, Some(base.path()))).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::Trust(_)), "{error:?}");
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
    assert_eq!(finding.code, FindingCode::TlsFailed);
    assert!(finding.seen.contains("plain HTTP"), "{finding}");
}

#[tokio::test]
async fn connections_that_are_told_to_go_away_lose_nothing() {
    let root = Authority::new("Private Root", None);
    for protocols in [&["h2"][..], &["http/1.1"][..]] {
        let (leaf, key, _) = root.issue(&parameters("registry", LOOPBACK));
        let server = Server::start_impatient(config(vec![leaf], key, None, protocols), 10, |_| {
            Answer::status(200).with("docker-content-digest", Digest::sha256_of(b"").to_string())
        })
        .await;
        let client = RegistryClient::new(Access {
            trust: trust(Some(&root.pem), None),
            ..access(&server.url())
        })
        .unwrap();
        let repository = crate::client::repository();
        let target = ReferenceTarget::Tag("1".parse().unwrap());
        let asked = (0..200).map(|_| client.head_manifest(&repository, &target, None));
        futures::future::try_join_all(asked).await.unwrap();
        assert!(server.heard().len() >= 200);
    }
}

#[tokio::test]
async fn https_never_leads_to_http() {
    let root = Authority::new("Private Root", None);
    let (leaf, key, _) = root.issue(&parameters("registry", LOOPBACK));
    let plain = Server::start(|_| Answer::json("{}")).await;
    let (location, realm) = (plain.url(), format!("Bearer realm=\"{}/token\"", plain.url()));
    let server = Server::start_with(Some(config(vec![leaf], key, None, &["h2"])), move |heard| {
        if heard.path == "/v2/" {
            Answer::status(307).with("location", location.clone())
        } else {
            Answer::status(401).with("www-authenticate", realm.clone())
        }
    })
    .await;
    let client = RegistryClient::new(Access {
        trust: trust(Some(&root.pem), None),
        ..access(&server.url())
    })
    .unwrap();
    assert!(matches!(
        client.ping().await.unwrap_err().fault(),
        Fault::Redirect {
            why: "from https to http",
            ..
        }
    ));
    let error = client
        .tags(&crate::client::repository())
        .next_page()
        .await
        .unwrap_err();
    assert!(matches!(error.fault(), Fault::Realm { .. }), "{error:?}");
    assert_eq!(plain.heard().len(), 0);
}
