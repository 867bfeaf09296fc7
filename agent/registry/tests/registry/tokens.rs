//! Tokens over time: fetched once, renewed ahead of their end, and when the registry says that they have ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portolan_registry::{Access, RegistryClient};
use portolan_shared::process::ManualClock;

use crate::auth::{registry, resolve, usual};
use crate::client::{access, login, with_login};
use crate::server::Answer;

#[tokio::test]
async fn a_token_is_fetched_once_for_many_requests_at_once() {
    let server = registry(
        usual,
        |_| Answer::json(r#"{"token":"t"}"#),
        |sent| sent == "Bearer t",
    )
    .await;
    let client = with_login(&server.url());
    client.ping().await.unwrap();
    let before = server.count("/token");
    let tags: Vec<String> = (0..50).map(|tag| format!("t{tag}")).collect();
    futures::future::try_join_all(tags.iter().map(|tag| resolve(&client, tag)))
        .await
        .unwrap();
    assert_eq!(server.count("/token") - before, 1);
}

#[tokio::test]
async fn a_token_that_ends_in_mid_walk_is_renewed_once() {
    // The registry accepts the newest token only.
    let issued = Arc::new(AtomicUsize::new(0));
    let (mint, check) = (Arc::clone(&issued), Arc::clone(&issued));
    let server = registry(
        usual,
        move |_| {
            Answer::json(format!(
                r#"{{"token":"t{}"}}"#,
                mint.fetch_add(1, Ordering::SeqCst) + 1
            ))
        },
        move |sent| sent == format!("Bearer t{}", check.load(Ordering::SeqCst)),
    )
    .await;
    let client = with_login(&server.url());
    resolve(&client, "a").await.unwrap();
    assert_eq!(
        issued.fetch_add(1, Ordering::SeqCst),
        1,
        "now the token that we hold has ended"
    );
    resolve(&client, "b").await.unwrap();
    assert_eq!(server.count("/token"), 2);
    resolve(&client, "c").await.unwrap();
    assert_eq!(server.count("/token"), 2);
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end() {
    let clock = Arc::new(ManualClock::at_unix_seconds(1_000_000));
    let server = registry(
        usual,
        |_| Answer::json(r#"{"token":"t","expires_in":300}"#),
        |s| s == "Bearer t",
    )
    .await;
    let client = RegistryClient::new(Access {
        clock: Arc::clone(&clock) as _,
        credentials: Arc::new(login()),
        ..access(&server.url())
    })
    .unwrap();
    for (after, tokens) in [(0, 1), (239, 1), (1, 2), (239, 2), (1000, 3)] {
        clock.advance(Duration::from_secs(after));
        resolve(&client, "a").await.unwrap();
        assert_eq!(server.count("/token"), tokens, "after {after} s more");
    }
    let refusals = server
        .heard()
        .iter()
        .filter(|heard| heard.header("authorization").is_none())
        .count();
    assert_eq!(
        refusals, 1,
        "only the very first request was sent without a token"
    );
}
