//! The budget of requests, and what servers say of theirs.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use portolan_registry::{Access, Fault, RegistryClient};
use portolan_shared::model::{Budget, FindingCode, ReferenceTarget};
use portolan_shared::process::ManualClock;

use crate::auth::{content, read, resolve};
use crate::client::{BASIC, access, access_by_name, login, repository};
use crate::server::{Answer, Server};
use crate::transport::{BLOB, digest, resolved};

#[tokio::test]
async fn nothing_is_sent_once_the_budget_is_spent() {
    let server = Server::start(
        |heard| match (heard.path.as_str(), heard.header("authorization")) {
            ("/token", Some(BASIC)) => Answer::json(r#"{"token":"t"}"#),
            (path, Some("Bearer t")) if path.contains("/manifests/moved") && heard.query.is_empty() => {
                Answer::status(307).with("location", format!("{path}?there=1"))
            }
            (_, Some("Bearer t")) => content(heard),
            _ => Answer::status(401).with("www-authenticate", "Bearer realm=\"/token\""),
        },
    )
    .await;
    for left in 0..=6 {
        let client = RegistryClient::new(Access {
            credentials: Arc::new(login()),
            requests_left: Some(left),
            ..access(&server.url())
        })
        .unwrap();
        let before = server.heard().len();
        // The refusal, the token, the answer; then the redirect and what it leads to. Each of them counts.
        let outcome = match read(&client).await {
            Ok(()) => resolve(&client, "moved").await.map(|_| ()),
            Err(error) => Err(error),
        };
        let sent = u64::try_from(server.heard().len() - before).unwrap();
        assert_eq!((sent, outcome.is_ok()), (left.min(5), left >= 5), "{left}");
        if let Err(error) = outcome {
            assert!(matches!(error.fault(), Fault::BudgetSpent), "{error:?}");
            assert_eq!(error.finding().code, FindingCode::BudgetSpent);
            assert!(error.concerns_whole_registry() && !error.is_transient());
        }
    }
}

#[tokio::test]
async fn requests_are_begun_at_the_pace_of_the_budget() {
    let server = Server::start(|_| resolved()).await;
    let client = RegistryClient::new(Access {
        budget: Budget {
            concurrency: 64,
            per_second: NonZeroU16::new(500),
            ..Budget::default()
        },
        ..access(&server.url())
    })
    .unwrap();
    let begun = tokio::time::Instant::now();
    crate::transport::resolve_many(&client, 150).await;
    // A tenth of a second's worth goes at once, the others one after another.
    let least = Duration::from_millis((150 - 50) * 2);
    assert!(begun.elapsed() >= least, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_waited_for_before_anybody_is_refused() {
    let server = Server::start(|_| {
        resolved()
            .with("ratelimit-remaining", "0")
            .with("ratelimit-reset", "0.1")
    })
    .await;
    let client = RegistryClient::new(access(&server.url())).unwrap();
    let begun = tokio::time::Instant::now();
    for _ in 0..3 {
        resolve(&client, "a").await.unwrap();
    }
    assert!(
        begun.elapsed() >= Duration::from_millis(200),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        (client.counts().retries, server.heard().len()),
        (0, 3),
        "nobody was refused"
    );
}

#[tokio::test]
async fn a_server_that_never_has_anything_left_is_given_up() {
    for (remaining, reset) in [
        ("ratelimit-remaining", "ratelimit-reset"),
        ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ] {
        let server = Server::start(move |_| resolved().with(remaining, "0").with(reset, "3600")).await;
        let mut access = access(&server.url());
        access.limits.longest_wait = Duration::from_millis(40);
        access.limits.patience = Duration::from_millis(100);
        let client = RegistryClient::new(access).unwrap();
        let mut answered = 0;
        let error = loop {
            match resolve(&client, "a").await {
                Ok(_) => answered += 1,
                Err(error) => break error,
            }
        };
        assert!(
            answered >= 3,
            "{remaining}: {answered} after waiting for each but the first"
        );
        assert!(matches!(error.fault(), Fault::QuotaUsedUp { .. }), "{error:?}");
        assert_eq!(error.finding().code, FindingCode::RateLimited);
        assert!(error.is_transient() && !error.concerns_whole_registry());
        assert_eq!(
            server.heard().len(),
            answered,
            "what is not waited for is not sent"
        );
    }
}

#[tokio::test]
async fn a_quota_of_pulls_lets_tags_be_resolved() {
    let server = Server::start(|_| resolved().with("ratelimit-remaining", "0;w=21600").body(BLOB)).await;
    let client = RegistryClient::new(access(&server.url())).unwrap();
    resolve(&client, "a").await.unwrap();
    let (repository, digest) = (repository(), digest());
    let pull = client.get_manifest(&repository, &digest);
    let others = async {
        for _ in 0..20 {
            resolve(&client, "a").await.unwrap();
        }
        client.get_blob(&repository, &digest, 100).await.unwrap();
    };
    tokio::select! {
        biased;
        early = pull => panic!("{early:?}"),
        () = others => {}
    }
    assert!(
        server
            .heard()
            .iter()
            .all(|heard| heard.method == "HEAD" || heard.path.contains("/blobs/"))
    );
    // It is waited for no longer than for anything else.
    let mut access = access(&server.url());
    access.limits.longest_wait = Duration::from_millis(50);
    let client = RegistryClient::new(access).unwrap();
    resolve(&client, "a").await.unwrap();
    client.get_manifest(&repository, &digest).await.unwrap();
}

#[tokio::test]
async fn a_pull_that_is_refused_stops_pulls_alone_and_not_for_ever() {
    let server = Server::start(|heard| {
        if heard.method == "HEAD" {
            resolved()
        } else {
            Answer::status(429).with("ratelimit-remaining", "0;w=21600")
        }
    })
    .await;
    let mut access = access(&server.url());
    access.limits.longest_wait = Duration::from_millis(40);
    access.limits.patience = Duration::from_millis(100);
    let client = RegistryClient::new(access).unwrap();
    let error = client.get_manifest(&repository(), &digest()).await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::RateLimited, "{error:?}");
    assert!(
        (3..6).contains(&server.heard().len()),
        "{} tries",
        server.heard().len()
    );
    resolve(&client, "a").await.unwrap();
}

#[tokio::test]
async fn quotas_of_another_host_are_its_own() {
    let storage = Server::start(|_| {
        Answer::status(200)
            .with("x-ratelimit-remaining", "0")
            .with("x-ratelimit-reset", "3600")
            .body(BLOB)
    })
    .await;
    let location = storage.url_as("storage.example.net");
    let server = Server::start(move |heard| {
        if heard.path.contains("/blobs/") {
            Answer::status(307).with("location", location.clone())
        } else {
            resolved()
        }
    })
    .await;
    let client = RegistryClient::new(Access {
        clock: Arc::new(ManualClock::at_unix_seconds(1_700_000_000)),
        ..access_by_name(&server.url_as("registry.example.com"))
    })
    .unwrap();
    client.get_blob(&repository(), &digest(), 100).await.unwrap();
    let target = ReferenceTarget::Tag("1".parse().unwrap());
    client.head_manifest(&repository(), &target, None).await.unwrap();
}

#[tokio::test]
async fn a_product_that_bears_less_than_the_budget_gets_less() {
    let server = Server::start(|_| resolved().taking(Duration::from_millis(1))).await;
    let mut access = access(&server.url());
    access.budget.concurrency = 32;
    let client = RegistryClient::new(access).unwrap();
    client.narrow(6);
    crate::transport::resolve_many(&client, 300).await;
    let most = server.heard().iter().map(|heard| heard.at_once).max().unwrap();
    assert_eq!((most, client.counts().concurrency), (6, 6));
}

#[tokio::test]
async fn the_difference_between_the_clocks_is_known() {
    let server = Server::start(|_| Answer::json("{}").with("date", "Tue, 14 Nov 2023 22:15:20 GMT")).await;
    let client = RegistryClient::new(Access {
        clock: Arc::new(ManualClock::at_unix_seconds(1_700_000_000)),
        ..access(&server.url())
    })
    .unwrap();
    assert_eq!(client.clock_skew(), None);
    client.ping().await.unwrap();
    assert_eq!(client.clock_skew(), Some(jiff::SignedDuration::from_secs(120)));
}
