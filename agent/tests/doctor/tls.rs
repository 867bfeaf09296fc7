//! Certificates.

use std::sync::Arc;

use portolan_doubles::tls::LeafFault;
use portolan_doubles::{Content, PrivateCa, RegistryDouble};
use portolan_shared::model::{Diagnosis, FindingCode, Stage, Verdict};
use portolan_shared::process::{Clock as _, ManualClock, SystemClock};
use portolan_shared::tls::provider;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;

use crate::scene::{Scene, access, examine, found, provoked, report};
use crate::scripted::{self, Answer};

provoked! {
    a_certificate_that_signed_itself: TlsSelfSigned at Tls = faulty(LeafFault::SelfSigned);
    a_private_authority_that_nobody_gave: TlsPrivateCa at Tls = stranger("Other");
    the_intermediate_is_missing: TlsChainIncomplete at Tls = faulty(LeafFault::MissingIntermediate);
    the_certificate_has_expired: TlsExpired at Tls = faulty(LeafFault::Expired);
    the_certificate_is_for_later: TlsNotYetValid at Tls = faulty(LeafFault::NotYetValid);
    the_certificate_is_for_another_name: TlsWrongName at Tls = faulty(LeafFault::WrongName);
    a_common_name_is_no_name: TlsWrongName at Tls = faulty(LeafFault::CommonNameOnly);
    somebody_inspects_the_traffic: TlsIntercepted at Tls = inspected();
    the_certificate_is_for_clients: TlsInvalid at Tls = for_clients_only();
    nobody_is_trusted_at_all: TlsFailed at Tls = no_roots();
    plain_http_behind_https: TlsPlainHttp at Tls = scheme("https", None);
    tls_behind_http: TlsExpected at Api = speaks_tls();
    a_web_server_says_that_it_wants_tls: TlsExpected at Api = says_so();
    the_certificate_ends_soon: CertificateExpiresSoon at Tls = ends_soon();
    clients_need_a_certificate: TlsClientCertificate at Tls = client_certificate(&[&rustls::version::TLS13]);
    clients_need_a_certificate_by_tls_1_2: TlsClientCertificate at Tls = client_certificate(&[&rustls::version::TLS12]);
}

async fn registry(scene: &Scene, tls: Option<Arc<rustls::ServerConfig>>) -> RegistryDouble {
    RegistryDouble::builder(Content::gitlab_fixture())
        .start(tls, &scene.tasks)
        .await
        .unwrap()
}

async fn faulty(fault: LeafFault) -> Diagnosis {
    let scene = Scene::new();
    let registry = registry(&scene, Some(scene.server(Some(fault)))).await;
    let diagnosis = examine(scene.access(&registry.url())).await;
    let seen = report(&diagnosis, Stage::Tls).seen.join("\n");
    for part in ["[0] ", "    for ", "    valid ", "    sha256 "] {
        assert!(seen.contains(part), "{seen}");
    }
    assert_eq!(registry.log().total(), 0, "nothing was asked");
    diagnosis
}

/// Trusts another authority than the one that issued the server's certificate.
async fn stranger(organisation: &str) -> Diagnosis {
    let scene = Scene::new();
    let registry = registry(&scene, Some(scene.server(None))).await;
    let other = PrivateCa::new(organisation, &SystemClock).unwrap();
    let diagnosis = examine(access(&registry.url(), Some(&other.root_pem()))).await;
    let tls = report(&diagnosis, Stage::Tls);
    let last = tls.seen.last().unwrap();
    assert!(
        last.contains("the certificate of \"CN=Acme Root, O=Acme\" by --ca-file"),
        "{last}"
    );
    assert!(tls.findings[0].detail.as_ref().unwrap().contains("sha256"));
    diagnosis
}

async fn inspected() -> Diagnosis {
    let mut scene = Scene::new();
    let trusted = scene.ca.root_pem();
    scene.ca = PrivateCa::new("Zscaler Inc.", &SystemClock).unwrap();
    let registry = registry(&scene, Some(scene.server(None))).await;
    examine(access(&registry.url(), Some(&trusted))).await
}

fn issued(usage: ExtendedKeyUsagePurpose) -> (String, rcgen::Certificate, KeyPair) {
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = root.self_signed(&root_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(root, root_key);
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    leaf.extended_key_usages = vec![usage];
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    (pem, leaf, key)
}

async fn for_clients_only() -> Diagnosis {
    let scene = Scene::new();
    let (pem, leaf, key) = issued(ExtendedKeyUsagePurpose::ClientAuth);
    let config = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let registry = registry(&scene, Some(Arc::new(config))).await;
    examine(access(&registry.url(), Some(&pem))).await
}

async fn client_certificate(versions: &[&'static rustls::SupportedProtocolVersion]) -> Diagnosis {
    let scene = Scene::new();
    let (pem, leaf, key) = issued(ExtendedKeyUsagePurpose::ServerAuth);
    let mut clients = rustls::RootCertStore::empty();
    clients.add(scene.ca.root_der()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(clients), provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let registry = registry(&scene, Some(Arc::new(config))).await;
    examine(access(&registry.url(), Some(&pem))).await
}

async fn no_roots() -> Diagnosis {
    let scene = Scene::new();
    let registry = registry(&scene, Some(scene.server(None))).await;
    examine(access(&registry.url(), None)).await
}

async fn scheme(scheme: &str, tls: Option<Arc<rustls::ServerConfig>>) -> Diagnosis {
    let scene = Scene::new();
    let registry = registry(&scene, tls).await;
    examine(scene.access(&format!("{scheme}://{}", registry.address()))).await
}

async fn speaks_tls() -> Diagnosis {
    let tls = Scene::new().server(None);
    let diagnosis = scheme("http", Some(tls)).await;
    assert_eq!(report(&diagnosis, Stage::Tls).verdict, Verdict::Skipped);
    diagnosis
}

/// A TLS port of nginx notices plain HTTP, and answers it.
async fn says_so() -> Diagnosis {
    let scene = Scene::new();
    let url = scripted::registry(&scene.tasks, |_, _| {
        let page = "<center>The plain HTTP request was sent to HTTPS port</center>";
        let headers = vec![("content-type", "text/html".to_owned())];
        Some(Answer(400, headers, page.to_owned()))
    })
    .await;
    examine(scene.access(&url)).await
}

async fn ends_soon() -> Diagnosis {
    let scene = Scene::new();
    let registry = registry(&scene, Some(scene.server(None))).await;
    // The private authority's certificates end with the next year.
    let year = SystemClock
        .now()
        .strftime("%Y")
        .to_string()
        .parse::<i32>()
        .unwrap()
        + 1;
    let clock = ManualClock::at_unix_seconds(0);
    clock.jump_to(format!("{year}-12-20T00:00:00Z").parse().unwrap());
    let mut access = scene.access(&registry.url());
    access.clock = Arc::new(clock);
    let diagnosis = examine(access).await;
    let tls = report(&diagnosis, Stage::Tls);
    assert_eq!(tls.verdict, Verdict::Warned);
    assert!(tls.findings[0].seen.contains("11 days"), "{tls:?}");
    diagnosis
}

#[tokio::test]
async fn a_sound_chain_is_shown_too() {
    let scene = Scene::new();
    let registry = registry(&scene, Some(scene.server(None))).await;
    let diagnosis = examine(scene.access(&registry.url())).await;
    let tls = report(&diagnosis, Stage::Tls);
    assert_eq!(tls.verdict, Verdict::Passed);
    assert_eq!(tls.seen[0], "TLS 1.3, HTTP/2");
    let seen = tls.seen.join("\n");
    assert!(
        seen.contains("[0] CN=localhost, issued by CN=Acme Issuing CA 1, O=Acme"),
        "{seen}"
    );
    assert!(
        seen.contains("[1] CN=Acme Issuing CA 1, O=Acme, issued by CN=Acme Root, O=Acme"),
        "{seen}"
    );
    assert_eq!(diagnosis.facts.certificates[0].subject, "CN=localhost");
    assert_eq!(
        diagnosis.facts.certificates[0].host,
        registry.address().to_string()
    );
}

#[tokio::test]
async fn a_finding_on_the_certificate_keeps_the_whole_chain() {
    let diagnosis = faulty(LeafFault::Expired).await;
    let finding = found(&diagnosis, Stage::Tls, FindingCode::TlsExpired);
    let detail = finding.detail.as_ref().unwrap();
    assert!(detail.contains("[1] subject  CN=Acme Issuing CA 1"), "{detail}");
}
