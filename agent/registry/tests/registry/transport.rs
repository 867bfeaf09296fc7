//! Redirects, retries, limits of requests in flight, HTTP versions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portolan_registry::{Access, Fault, RegistryClient};
use portolan_shared::model::{Budget, Digest, FindingCode, ReferenceTarget};
use tokio::sync::Semaphore;

use crate::client::{BASIC, TestGate, access, access_by_name, client, login, repository};
use crate::server::{Answer, Server};

pub(crate) const BLOB: &str = "{}";

pub(crate) fn digest() -> Digest {
    Digest::sha256_of(BLOB.as_bytes())
}

pub(crate) async fn blob(client: &RegistryClient) -> Result<(), Fault> {
    match client.get_blob(&repository(), &digest(), 100).await {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.fault() {
            Fault::Redirect { to, why } => Fault::Redirect { to: to.clone(), why },
            Fault::RateLimited { status } => Fault::RateLimited { status: *status },
            Fault::Unavailable { status } => Fault::Unavailable { status: *status },
            other => panic!("{other:?}"),
        }),
    }
}

#[tokio::test]
async fn the_login_stays_along_within_the_registry_and_never_comes_back() {
    let registry = Arc::new(std::sync::OnceLock::<String>::new());
    let back = Arc::clone(&registry);
    let elsewhere = Server::start(move |_| {
        Answer::status(307).with("location", format!("{}/moved", back.get().unwrap()))
    })
    .await;
    let away = elsewhere.url_as("elsewhere.example.net");
    let server = Server::start(
        move |heard| match (heard.path.as_str(), heard.header("authorization")) {
            ("/v2/", None) => Answer::status(401).with("www-authenticate", "Basic"),
            ("/v2/", Some(_)) => Answer::json("{}"),
            ("/moved", _) => Answer::status(200).body(BLOB),
            (path, _) if path.contains("/blobs/") && heard.query.is_empty() => {
                Answer::status(307).with("location", format!("{path}?there=1"))
            }
            _ => Answer::status(307).with("location", format!("{away}/x")),
        },
    )
    .await;
    let url = server.url_as("registry.example.com");
    registry.set(url.clone()).unwrap();
    let client = RegistryClient::new(Access {
        credentials: Arc::new(login()),
        ..access_by_name(&url)
    })
    .unwrap();
    client.ping().await.unwrap();
    blob(&client).await.unwrap();
    let sent = |path: &str, query: &str| {
        let heard = server.heard();
        let heard = heard
            .iter()
            .find(|heard| heard.path.contains(path) && heard.query == query)
            .unwrap();
        heard.header("authorization").map(str::to_owned)
    };
    assert_eq!(
        sent("/blobs/", "there=1").as_deref(),
        Some(BASIC),
        "the same origin"
    );
    assert_eq!(sent("/moved", ""), None, "back again from elsewhere");
}

#[tokio::test]
async fn a_redirect_to_a_refused_host_is_a_finding() {
    let storage = Server::start(|_| Answer::status(200).body(BLOB)).await;
    let location = storage.url_as("storage.example.net");
    let server = Server::start(move |_| Answer::status(307).with("location", location.clone())).await;
    let gate = Arc::new(TestGate {
        loopback: true,
        refused: vec!["storage.example.net"],
        ..TestGate::default()
    });
    let client = RegistryClient::new(Access {
        gate: Arc::clone(&gate) as _,
        ..access_by_name(&server.url_as("registry.example.com"))
    })
    .unwrap();
    let error = client.get_blob(&repository(), &digest(), 100).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::Policy { rule, .. } if rule == "test.host"));
    assert_eq!(error.finding().code, FindingCode::RedirectRefused);
    assert_eq!(storage.heard().len(), 0);
    assert_eq!(
        *gate.asked.lock().unwrap(),
        ["registry registry.example.com", "storage storage.example.net"]
    );
}

#[tokio::test]
async fn patience_has_an_end() {
    let server = Server::start(|_| Answer::status(429)).await;
    let mut access = access(&server.url());
    access.limits.patience = Duration::from_millis(50);
    let client = RegistryClient::new(access).unwrap();
    assert!(matches!(
        blob(&client).await.unwrap_err(),
        Fault::RateLimited { .. }
    ));
}

#[tokio::test]
async fn failures_that_may_pass_are_tried_again_and_others_are_not() {
    for (status, requests) in [
        (500, 4),
        (502, 4),
        (503, 4),
        (504, 4),
        (408, 4),
        (400, 1),
        (403, 1),
        (404, 1),
        (412, 1),
    ] {
        let server = Server::start(move |_| Answer::status(status)).await;
        let error = client(&server.url())
            .get_blob(&repository(), &digest(), 100)
            .await
            .unwrap_err();
        assert_eq!(server.heard().len(), requests, "{status}: {error:?}");
        assert_eq!(error.is_transient(), requests > 1, "{status}");
    }
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let server = Server::start(|_| Answer::status(200)).await;
    let url = server.url();
    drop(server);
    // The listener closes when its task has ended.
    loop {
        match client(&url).ping().await {
            Err(error) if error.finding().code == FindingCode::PortClosed => {
                assert!(error.is_transient());
                break;
            }
            _ => tokio::task::yield_now().await,
        }
    }
}

/// Resolves a tag so many times, all at once as far as the client lets them.
pub(crate) async fn resolve_many(client: &RegistryClient, times: usize) {
    let repository = repository();
    let target = ReferenceTarget::Tag("1".parse().unwrap());
    let asked = (0..times).map(|_| client.head_manifest(&repository, &target, None));
    futures::future::try_join_all(asked).await.unwrap();
}

pub(crate) fn resolved() -> Answer {
    Answer::status(200).with("docker-content-digest", digest().to_string())
}

#[tokio::test]
async fn the_budget_bounds_what_is_in_flight() {
    for budget in [1, 3, 12] {
        let server = Server::start(|_| resolved().taking(Duration::from_millis(1))).await;
        let mut access = access(&server.url());
        access.budget = Budget {
            concurrency: budget,
            ..Budget::default()
        };
        let client = RegistryClient::new(access).unwrap();
        resolve_many(&client, 300).await;
        let most = server.heard().iter().map(|heard| heard.at_once).max().unwrap();
        assert_eq!(
            most,
            usize::from(budget),
            "as many as the budget says, and no more"
        );
        assert_eq!(
            (client.counts().concurrency, client.counts().requests),
            (most, 300)
        );
    }
}

#[tokio::test]
async fn errors_never_repeat_what_the_server_said() {
    let server = Server::start(|_| {
        Answer::json(r#"{"errors":[{"code":"DENIED","message":"internal-host-7 says no","detail":"x"}]}"#)
            .but(403)
            .with("x-internal", "internal-host-7")
    })
    .await;
    let error = client(&server.url())
        .get_blob(&repository(), &digest(), 100)
        .await
        .unwrap_err();
    let finding = error.finding();
    let everything = format!("{error} {error:?} {finding} {}", error.fault());
    assert!(!everything.contains("internal-host-7"), "{everything}");
    assert!(
        finding.seen.contains("DENIED") && finding.seen.contains("403"),
        "{finding}"
    );
    assert_eq!(finding.code, FindingCode::Denied);
}

#[tokio::test]
async fn t28_no_retry_and_no_redirect_is_sent_before_the_gate_is_ready() {
    let failures = AtomicUsize::new(0);
    let server = Server::start(move |heard| match heard.path.as_str() {
        "/elsewhere" => Answer::status(200).body(BLOB),
        _ if failures.fetch_add(1, Ordering::SeqCst) == 0 => Answer::status(500),
        _ => Answer::status(307).with("location", "/elsewhere"),
    })
    .await;
    let ready = Arc::new(Semaphore::new(1));
    let gate = Arc::new(TestGate {
        loopback: true,
        ready: Some(Arc::clone(&ready)),
        ..TestGate::default()
    });
    let mut waits = gate.waits.subscribe();
    let client = RegistryClient::new(Access {
        gate,
        ..access(&server.url())
    })
    .unwrap();
    // The first one fails and is tried again; the second one redirects. Either time the next one waits, and nothing is sent until it may.
    let release = async {
        for sent in 1..=2 {
            waits.wait_for(|waits| *waits == sent + 1).await.unwrap();
            assert_eq!(server.heard().len(), sent);
            ready.add_permits(1);
        }
    };
    let (outcome, ()) = tokio::join!(blob(&client), release);
    outcome.unwrap();
    assert_eq!(server.heard().len(), 3);
}

#[tokio::test]
async fn waiting_for_permission_to_follow_a_redirect_costs_a_request_none_of_its_time() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/elsewhere" => Answer::status(200).body(BLOB),
        _ => Answer::status(307).with("location", "/elsewhere"),
    })
    .await;
    let ready = Arc::new(Semaphore::new(1));
    let gate = Arc::new(TestGate {
        loopback: true,
        ready: Some(Arc::clone(&ready)),
        ..TestGate::default()
    });
    let mut waits = gate.waits.subscribe();
    let access = Access {
        gate,
        ..access(&server.url())
    };
    let longer = access.limits.total * 2;
    let client = RegistryClient::new(access).unwrap();
    let release = async {
        waits.wait_for(|waits| *waits == 2).await.unwrap();
        tokio::time::pause();
        tokio::time::advance(longer).await;
        tokio::time::resume();
        ready.add_permits(1);
    };
    let (outcome, ()) = tokio::join!(blob(&client), release);
    outcome.unwrap();
    assert_eq!(server.heard().len(), 2);
}
