//! Authentication: tokens and who gives them (cases 20 to 29).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portolan_registry::{Access, Credential, Fault, Head, Login, RegistryClient};
use portolan_shared::model::FindingCode;
use portolan_shared::secret::Secret;

use crate::auth::{content, read, registry, resolve, usual};
use crate::client::{BASIC, TestResolver, access, access_by_name, client, login, with_login};
use crate::server::{Answer, Heard, Server};

#[tokio::test]
async fn c20_token_alone_access_token_alone_and_both() {
    for body in [
        r#"{"token":"t"}"#,
        r#"{"access_token":"t"}"#,
        r#"{"token":"t","access_token":"t"}"#,
        r#"{"token":"","access_token":"t"}"#,
    ] {
        let server = registry(usual, move |_| Answer::json(body), |sent| sent == "Bearer t").await;
        read(&with_login(&server.url())).await.unwrap();
    }
}

/// How long a token of this answer lives for us: its requests are counted while time goes by.
async fn life(body: &'static str) -> Duration {
    let server = registry(usual, move |_| Answer::json(body), |sent| sent == "Bearer t").await;
    let client = with_login(&server.url());
    assert_eq!(client.token_life(), None);
    read(&client).await.unwrap();
    client.token_life().unwrap()
}

#[tokio::test]
async fn c21_lifetimes_that_are_missing_zero_text_or_by_another_clock() {
    for (body, seconds) in [
        (r#"{"token":"t"}"#, 60),
        (r#"{"token":"t","expires_in":0}"#, 60),
        (r#"{"token":"t","expires_in":"300"}"#, 300),
        (
            r#"{"token":"t","expires_in":300,"issued_at":"2999-01-01T00:00:00Z"}"#,
            300,
        ),
        (
            r#"{"token":"t","expires_in":300,"issued_at":"1999-01-01T00:00:00Z"}"#,
            300,
        ),
    ] {
        assert_eq!(life(body).await, Duration::from_secs(seconds), "{body}");
    }
}

#[tokio::test]
async fn c22_a_grant_that_is_less_than_was_asked_for() {
    // The token is no error; what it does not grant is refused when it is used, and costs nobody else anything.
    let server = registry(
        usual,
        |heard| {
            Answer::json(format!(
                r#"{{"token":"{}"}}"#,
                heard.parameter("scope").unwrap().len()
            ))
        },
        |sent| sent != "Bearer 19",
    )
    .await;
    let client = with_login(&server.url());
    let error = read(&client).await.unwrap_err();
    assert!(error.is_denied() && !error.concerns_whole_registry(), "{error:?}");
    assert_eq!(
        server.count("/v2/a/b"),
        2,
        "asked without and with the token, and no more"
    );
    let other = "other/c".parse().unwrap();
    client.tags(&other).next_page().await.unwrap();
}

#[tokio::test]
async fn c23_only_the_first_scope_counts() {
    let server = registry(
        usual,
        |heard| {
            let first = heard.parameter("scope").unwrap();
            Answer::json(format!(r#"{{"token":"{}"}}"#, first.replace([':', '/'], ".")))
        },
        |sent| sent.ends_with("pull"),
    )
    .await;
    let client = with_login(&server.url());
    for name in ["a/b", "c/d", "e/f"] {
        client.tags(&name.parse().unwrap()).next_page().await.unwrap();
    }
    for heard in server.heard().iter().filter(|heard| heard.path == "/token") {
        assert_eq!(heard.parameters("scope").len(), 1, "one scope a token");
    }
}

#[tokio::test]
async fn c24_bad_request_for_an_expired_token() {
    // Amazon's public registry: 400, no challenge.
    let issued = AtomicUsize::new(0);
    let server = Server::start(move |heard| {
        if heard.path == "/token" {
            let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
            return Answer::json(format!(r#"{{"token":"t{number}","expires_in":3600}}"#));
        }
        match heard.header("authorization") {
            None => Answer::status(401).with("www-authenticate", usual(heard.header("host").unwrap())),
            // It ends sooner than it was said to.
            Some("Bearer t1") if heard.path.ends_with("/manifests/later") => Answer::status(400),
            Some(_) => content(heard),
        }
    })
    .await;
    let client = with_login(&server.url());
    read(&client).await.unwrap();
    assert_eq!(server.count("/token"), 1);
    assert!(matches!(resolve(&client, "later").await.unwrap(), Head::Found(_)));
    let heard = server.heard();
    let sent: Vec<_> = heard
        .iter()
        .filter(|heard| heard.path.ends_with("/manifests/later"))
        .map(|heard| (heard.method.as_str(), heard.header("authorization").unwrap()))
        .collect();
    assert_eq!(
        sent,
        [("HEAD", "Bearer t1"), ("HEAD", "Bearer t2")],
        "the fresh token is what made the difference"
    );
    assert_eq!(server.count("/token"), 2);
    // One that lasts is no matter of the token.
    let gone = Server::start(|heard| match heard.header("authorization") {
        _ if heard.path == "/token" => Answer::json(r#"{"token":"t","expires_in":3600}"#),
        None => Answer::status(401).with("www-authenticate", usual(heard.header("host").unwrap())),
        Some(_) if heard.path.ends_with("/manifests/ended") => Answer::status(400),
        Some(_) => content(heard),
    })
    .await;
    let client = with_login(&gone.url());
    resolve(&client, "fine").await.unwrap();
    assert!(resolve(&client, "ended").await.is_err());
    let is_ended = |heard: &&Heard| heard.method == "HEAD" && heard.path.ends_with("/ended");
    let heads = gone.heard().iter().filter(is_ended).count();
    assert_eq!(
        (gone.count("/token"), heads),
        (3, 2),
        "one more token for each way of asking: HEAD, and then GET, which would tell why"
    );
}

#[tokio::test]
async fn c25_refused_for_ever() {
    let server = registry(usual, |_| Answer::json(r#"{"token":"t"}"#), |_| false).await;
    let client = with_login(&server.url());
    let error = read(&client).await.unwrap_err();
    assert!(
        error.is_denied(),
        "the token was issued, and grants nothing: {error:?}"
    );
    assert_eq!(error.finding().code, FindingCode::Denied);
    assert_eq!((server.count("/token"), server.count("/v2/")), (1, 2));
}

#[tokio::test]
async fn c26_realm_with_a_user_name_or_another_scheme() {
    for realm in [
        "http://user:pass@registry.example.com/token",
        "ftp://registry.example.com/",
    ] {
        let server = Server::start(move |_| {
            Answer::status(401).with("www-authenticate", format!(r#"Bearer realm="{realm}""#))
        })
        .await;
        let client = RegistryClient::new(access_by_name(&server.url_as("registry.example.com"))).unwrap();
        let error = read(&client).await.unwrap_err();
        assert!(matches!(error.fault(), Fault::Realm { .. }), "{realm}: {error:?}");
    }
}

#[tokio::test]
async fn c27_what_a_token_service_can_answer() {
    for (answer, code) in [
        (
            Answer::json("<html>login</html>").with("content-type", "text/html"),
            FindingCode::TokenUnreadable,
        ),
        (Answer::json("{}"), FindingCode::TokenUnreadable),
        (Answer::status(404), FindingCode::TokenUnreadable),
        (
            Answer::error(401, "UNAUTHORIZED"),
            FindingCode::AuthenticationFailed,
        ),
        (Answer::error(403, "DENIED"), FindingCode::AuthenticationFailed),
        (Answer::status(500), FindingCode::Unavailable),
        (Answer::json("x".repeat(2 << 20)), FindingCode::TooLarge),
    ] {
        let status = answer.status;
        let server = registry(usual, move |_| answer.clone(), |_| false).await;
        let error = read(&with_login(&server.url())).await.unwrap_err();
        assert_eq!(error.finding().code, code, "{status}: {error:?}");
    }
    // A busy one is waited for.
    let busy = AtomicUsize::new(0);
    let server = registry(
        usual,
        move |_| {
            if busy.fetch_add(1, Ordering::SeqCst) < 5 {
                Answer::status(429).with("retry-after", "0")
            } else {
                Answer::json(r#"{"access_token":"t","issued_at":"2999-01-01T00:00:00Z","expires_in":"300"}"#)
            }
        },
        |sent| sent == "Bearer t",
    )
    .await;
    read(&with_login(&server.url())).await.unwrap();
}

#[tokio::test]
async fn c28_basic_alone() {
    let server = Server::start(|heard| match heard.header("authorization") {
        Some(BASIC) => content(heard),
        _ => Answer::status(401).with("www-authenticate", "Basic"),
    })
    .await;
    let client = with_login(&server.url());
    let ping = client.ping().await.unwrap();
    assert_eq!((ping.login, ping.accepted), (Login::Basic, true));
    read(&client).await.unwrap();
    let last = server.heard().pop().unwrap();
    assert_eq!(
        last.header("authorization"),
        Some(BASIC),
        "sent ahead once the registry has asked for it"
    );
    assert!(
        read(&crate::client::client(&server.url()))
            .await
            .unwrap_err()
            .is_denied()
    );
}

#[tokio::test]
async fn c25_a_fresh_token_that_is_called_invalid() {
    let server = registry(
        |host| format!(r#"Bearer realm="http://{host}/token",service="r",error="invalid_token""#),
        |_| Answer::json(r#"{"token":"t"}"#),
        |_| false,
    )
    .await;
    let error = read(&with_login(&server.url())).await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::TokenRefused, "{error:?}");
    assert_eq!((server.count("/token"), server.count("/v2/")), (1, 2));
}

#[tokio::test]
async fn c26_realm_on_a_foreign_host_or_a_private_address() {
    let registry = |realm: &'static str| {
        Server::start(move |_| {
            Answer::status(401).with("www-authenticate", format!("Bearer realm=\"{realm}\""))
        })
    };
    for realm in [
        "http://evil.example.net/token",
        "http://10.0.0.1/token",
        "http://169.254.169.254/token",
    ] {
        let server = registry(realm).await;
        let client = RegistryClient::new(Access {
            credentials: Arc::new(login()),
            ..access_by_name(&server.url_as("registry.example.com"))
        })
        .unwrap();
        let error = read(&client).await.unwrap_err();
        assert_eq!(
            error.finding().code,
            FindingCode::RealmRefused,
            "{realm}: {error:?}"
        );
    }
    // A stranger has nothing to lose, but nobody is sent to the metadata service.
    for realm in [
        "http://169.254.169.254/token",
        "http://metadata.example.net/token",
    ] {
        let server = registry(realm).await;
        let resolver = TestResolver::default().name("metadata.example.net", &[&["169.254.169.254"]]);
        let client = RegistryClient::new(Access {
            resolver: Arc::new(resolver),
            ..access_by_name(&server.url_as("registry.example.com"))
        })
        .unwrap();
        let error = read(&client).await.unwrap_err();
        assert_eq!(
            error.finding().code,
            FindingCode::AddressRefused,
            "{realm}: {error:?}"
        );
    }
}

#[tokio::test]
async fn c27_a_token_service_that_does_not_know_post() {
    let server = registry(
        usual,
        |heard| {
            assert_eq!(
                heard.method, "POST",
                "the secret of a form is never put into a URL"
            );
            Answer::status(404)
        },
        |_| false,
    )
    .await;
    let client = RegistryClient::new(Access {
        credentials: Arc::new(Credential::IdentityToken(Secret::new("refresh".into()))),
        ..access(&server.url())
    })
    .unwrap();
    let error = read(&client).await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::TokenUnreadable, "{error:?}");
    assert_eq!(server.count("/token"), 1);
}

#[tokio::test]
async fn c29_anonymous_pull_with_the_catalog_denied() {
    let server = registry(
        usual,
        |heard| match heard.parameter("scope") {
            Some(scope) if scope.starts_with("registry:") => Answer::error(403, "DENIED"),
            _ => Answer::json(r#"{"token":"t"}"#),
        },
        |sent| sent == "Bearer t",
    )
    .await;
    let client = client(&server.url());
    let error = client.catalog().next_page().await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::CatalogDenied, "{error:?}");
    read(&client).await.unwrap();
    resolve(&client, "1").await.unwrap();
    assert!(
        server
            .heard()
            .iter()
            .all(|heard| heard.header("authorization") != Some(BASIC))
    );
}
