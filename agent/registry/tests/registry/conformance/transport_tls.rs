//! Transport: certificates (case 55), and what only shows over TLS.

use portolan_registry::{Access, Fault, RegistryClient};
use portolan_shared::model::{Digest, FindingCode, ReferenceTarget};
use portolan_shared::tls::ChainProblem;

use crate::client::access;
use crate::server::{Answer, Server};
use crate::tls::{Authority, LOOPBACK, config, parameters, ping, serve, trust};

#[tokio::test]
async fn c55_private_authority_over_both_http_versions() {
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
async fn c55_private_authority_that_is_not_trusted() {
    let root = Authority::new("Private Root", None);
    let middle = Authority::new("Private Issuing CA", Some(&root));
    let stranger = Authority::new("Other Root", None);
    let (leaf, key, _) = middle.issue(&parameters("registry", LOOPBACK));
    for (chain, code, missing) in [
        (
            vec![leaf.clone()],
            FindingCode::TlsChainIncomplete,
            "the authority \"CN=Private Issuing CA\", which issued \"CN=registry\", was neither presented nor is it trusted",
        ),
        (
            vec![leaf.clone(), middle.der.clone()],
            FindingCode::TlsPrivateCa,
            "the authority \"CN=Private Root\", which issued \"CN=Private Issuing CA\", was neither",
        ),
        (
            vec![leaf.clone(), middle.der.clone(), root.der.clone()],
            FindingCode::TlsPrivateCa,
            "the authority \"CN=Private Root\" was presented but is not trusted",
        ),
    ] {
        let presented = chain.len();
        let server = serve(config(chain, key.clone_key(), None, &["h2"])).await;
        let error = ping(&server, trust(Some(&stranger.pem), None)).await.unwrap_err();
        let finding = error.finding();
        assert_eq!(finding.code, code, "{error:?}");
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
async fn c55_expired_early_misnamed_and_common_name_alone() {
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
        let code = match problem {
            ChainProblem::Expired => FindingCode::TlsExpired,
            ChainProblem::NotYetValid => FindingCode::TlsNotYetValid,
            _ => FindingCode::TlsWrongName,
        };
        assert_eq!(finding.code, code);
        assert!(finding.seen.contains(seen), "{finding}");
    }
}

#[tokio::test]
async fn c55_client_certificate_required() {
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

#[tokio::test]
async fn c51_go_away_in_mid_walk() {
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
async fn c50_redirect_to_http() {
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

async fn certs_d(server: &Server, root: &Authority, clients: &Authority) {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join(format!("127.0.0.1:{}", server.address.port()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("ca.crt"), &root.pem).unwrap();
    let error = ping(server, trust(None, Some(base.path()))).await.unwrap_err();
    assert_eq!(
        error.finding().code,
        FindingCode::TlsClientCertificate,
        "{error:?}"
    );
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
