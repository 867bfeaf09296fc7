//! Registries that keep lists and manifests on another host, as registry.k8s.io does: followed as blobs are, without the login, where the
//! gate lets us.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portolan_registry::{
    Access, Credential, CredentialError, Credentials, Fault, Head, RegistryClient, WalkEnd,
};
use portolan_shared::model::{Digest, FindingCode, ReferenceTarget};

use crate::auth::resolve;
use crate::client::{BASIC, TestGate, access_by_name, login, repository};
use crate::paging::walk;
use crate::server::{Answer, Server};

const REGISTRY: &str = "registry.example.com";
const BACKEND: &str = "backend.example.net";

/// Asks for a login, and redirects whoever has it to the same path on another host.
async fn front(backend: &Server) -> Server {
    let away = backend.url_as(BACKEND);
    Server::start(move |heard| match heard.header("authorization") {
        Some(BASIC) => {
            let mut location = format!("{away}{}", heard.path);
            if !heard.query.is_empty() {
                location = format!("{location}?{}", heard.query);
            }
            Answer::status(307).with("location", location)
        }
        _ => Answer::status(401).with("www-authenticate", "Basic"),
    })
    .await
}

fn access(front: &Server) -> Access {
    Access {
        credentials: Arc::new(login()),
        ..access_by_name(&front.url_as(REGISTRY))
    }
}

fn client(front: &Server) -> RegistryClient {
    RegistryClient::new(access(front)).unwrap()
}

/// Every request to the other host came without anything of the login.
fn nothing_was_given_away(backend: &Server) {
    for heard in backend.heard() {
        assert_eq!(heard.header("authorization"), None, "{heard:?}");
        let everything = format!("{heard:?}");
        for secret in ["s3cret", "cmVhZGVy", "reader"] {
            assert!(!everything.contains(secret), "{everything}");
        }
    }
}

#[tokio::test]
async fn pages_of_another_host_are_followed_and_their_links_stay_at_the_registry() {
    for link in [
        // As the other host would be reached, as somebody else would, and relative.
        "http://backend.example.net/v2/a/b/tags/list?last=b&n=2",
        "http://169.254.169.254/v2/a/b/tags/list?last=b&n=2",
        "?last=b&n=2",
    ] {
        let backend = Server::start(move |heard| match heard.parameter("last").as_deref() {
            None => Answer::json(r#"{"tags":["a","b"]}"#).with("link", format!("<{link}>; rel=\"next\"")),
            Some("b") => Answer::json(r#"{"tags":["c"]}"#),
            Some(_) => Answer::json(r#"{"tags":[]}"#),
        })
        .await;
        let front = front(&backend).await;
        let mut tags = client(&front).tags(&repository());
        assert_eq!(walk(&mut tags).await.unwrap(), ["a", "b", "c"], "{link}");
        assert_eq!(tags.end(), Some(WalkEnd::Complete));
        assert_eq!(
            tags.note(),
            None,
            "links of another host say nothing of the registry's proxy"
        );
        let asked: Vec<String> = front
            .heard()
            .into_iter()
            .filter(|heard| heard.header("authorization").is_some())
            .map(|heard| format!("{}?{}", heard.path, heard.query))
            .collect();
        assert_eq!(
            asked.len(),
            backend.heard().len(),
            "each page was asked for at the registry"
        );
        assert!(
            asked.iter().any(|url| url == "/v2/a/b/tags/list?last=b&n=2"),
            "{asked:?}"
        );
        nothing_was_given_away(&backend);
    }
}

#[tokio::test]
async fn the_catalog_and_manifests_are_followed_too_and_verified_as_ever() {
    let digest = Digest::sha256_of(b"{}");
    let named = digest.to_string();
    let backend = Server::start(move |heard| {
        if heard.path.ends_with("/_catalog") {
            Answer::json(r#"{"repositories":["a/b"]}"#)
        } else {
            Answer::status(200)
                .with("docker-content-digest", named.clone())
                .body("{}")
        }
    })
    .await;
    let front = front(&backend).await;
    let client = client(&front);
    let catalog = client.catalog().next_page().await.unwrap().unwrap();
    assert_eq!(catalog.items, [repository()]);
    let Head::Found(found) = resolve(&client, "1").await.unwrap() else {
        panic!("not found")
    };
    assert_eq!(found.digest, digest);
    client.get_manifest(&repository(), &digest).await.unwrap();
    let other = Digest::sha256_of(b"other");
    let error = client.get_manifest(&repository(), &other).await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::DigestMismatch, "{error:?}");
    nothing_was_given_away(&backend);
}

#[tokio::test]
async fn what_the_gate_refuses_is_not_followed() {
    let backend = Server::start(|_| Answer::json(r#"{"tags":["a"]}"#)).await;
    let front = front(&backend).await;
    let gate = Arc::new(TestGate {
        loopback: true,
        refused: vec![BACKEND],
        ..TestGate::default()
    });
    let client = RegistryClient::new(Access {
        gate: Arc::clone(&gate) as _,
        ..access(&front)
    })
    .unwrap();
    let mut tags = client.tags(&repository());
    let error = tags.next_page().await.unwrap_err();
    assert!(matches!(error.fault(), Fault::Policy { rule, .. } if rule == "test.host"));
    assert_eq!(error.finding().code, FindingCode::RedirectRefused);
    assert!(!tags.is_complete());
    let target = ReferenceTarget::Tag("1".parse().unwrap());
    let error = client
        .head_manifest(&repository(), &target, None)
        .await
        .unwrap_err();
    assert_eq!(error.finding().code, FindingCode::RedirectRefused);
    assert_eq!(backend.heard().len(), 0, "not even a connection");
    let asked = gate.asked.lock().unwrap();
    assert!(
        asked.contains(&format!("storage {BACKEND}")),
        "as storage: {asked:?}"
    );
}

#[tokio::test]
async fn what_another_host_refuses_is_not_the_registrys_word() {
    for (answer, code) in [
        (Answer::error(404, "NAME_UNKNOWN"), FindingCode::RedirectRefused),
        (Answer::error(401, "UNAUTHORIZED"), FindingCode::RedirectRefused),
        (Answer::error(403, "DENIED"), FindingCode::RedirectRefused),
        (
            Answer::status(200)
                .with("content-type", "text/html")
                .body("<!doctype html>"),
            FindingCode::WebPage,
        ),
        (Answer::json(r#"{"message":"signed in"}"#), FindingCode::Protocol),
    ] {
        let status = answer.status;
        let backend = Server::start(move |_| answer.clone()).await;
        let front = front(&backend).await;
        let mut tags = client(&front).tags(&repository());
        let error = tags.next_page().await.unwrap_err();
        assert_eq!(error.finding().code, code, "{status}: {error:?}");
        assert!(!error.is_unknown_repository() && !error.is_missing(), "{status}");
        assert!(!tags.is_complete());
        nothing_was_given_away(&backend);
    }
}

#[tokio::test]
async fn lists_are_redirected_so_often_and_no_more() {
    for (redirects, followed) in [(5, true), (6, false)] {
        let backend = Server::start(move |heard| {
            let hop: usize = heard.parameter("hop").map_or(1, |hop| hop.parse().unwrap());
            if hop < redirects {
                Answer::status(307).with("location", format!("?hop={}", hop + 1))
            } else {
                Answer::json(r#"{"tags":["a"]}"#)
            }
        })
        .await;
        let front = front(&backend).await;
        let outcome = client(&front).tags(&repository()).next_page().await;
        match outcome {
            Ok(page) => assert!(followed && page.is_some(), "{redirects}"),
            Err(error) => {
                assert!(!followed, "{redirects}: {error:?}");
                assert_eq!(error.finding().code, FindingCode::RedirectRefused);
            }
        }
        assert_eq!(backend.heard().len(), 5);
        nothing_was_given_away(&backend);
    }
}

/// Counts how often its login was let in.
#[derive(Default)]
struct Counted(AtomicUsize);

#[async_trait::async_trait]
impl Credentials for Counted {
    async fn current(&self) -> Result<Option<Credential>, CredentialError> {
        Ok(Some(login()))
    }

    fn accepted(&self, _login: &Credential) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn whoever_redirects_a_login_has_not_accepted_it() {
    for redirects in [true, false] {
        let backend = Server::start(|_| Answer::json(r#"{"tags":["a"]}"#)).await;
        let front = if redirects {
            front(&backend).await
        } else {
            Server::start(|heard| match heard.header("authorization") {
                Some(BASIC) => Answer::json(r#"{"tags":["a"]}"#),
                _ => Answer::status(401).with("www-authenticate", "Basic"),
            })
            .await
        };
        let credentials = Arc::new(Counted::default());
        let client = RegistryClient::new(Access {
            credentials: Arc::clone(&credentials) as _,
            ..access(&front)
        })
        .unwrap();
        let page = client.tags(&repository()).next_page().await.unwrap();
        assert!(page.is_some());
        let accepted = credentials.0.load(Ordering::SeqCst);
        assert_eq!(accepted, usize::from(!redirects), "redirects: {redirects}");
    }
}
