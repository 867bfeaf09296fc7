//! Logging in, as registries and token services demand it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portolan_registry::{Access, Fault, Head, Login, RegistryClient, RegistryError};
use portolan_shared::model::{Digest, FindingCode, ReferenceTarget};

use crate::client::{
    BASIC, TestGate, TestResolver, access, access_by_name, client, login, repository, with_login,
};
use crate::server::{Answer, Heard, Server};

/// A registry that wants a token, in one server with its token service at `/token`. Accepts the tokens that `accepts` says.
pub(crate) async fn registry(
    challenge: impl Fn(&str) -> String + Send + Sync + 'static,
    token: impl Fn(&Heard) -> Answer + Send + Sync + 'static,
    accepts: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> Server {
    Server::start(move |heard| {
        let host = heard.header("host").unwrap().to_owned();
        if heard.path == "/token" {
            return token(heard);
        }
        match heard.header("authorization") {
            Some(sent) if accepts(sent) => content(heard),
            _ => Answer::error(401, "UNAUTHORIZED").with("www-authenticate", challenge(&host)),
        }
    })
    .await
}

pub(crate) fn content(heard: &Heard) -> Answer {
    match heard.path.as_str() {
        "/v2/" => Answer::json("{}"),
        path if path.ends_with("/tags/list") => Answer::json(r#"{"tags":["1"]}"#),
        _ => Answer::status(200).with("docker-content-digest", Digest::sha256_of(b"{}").to_string()),
    }
}

pub(crate) fn usual(host: &str) -> String {
    format!(r#"Bearer realm="http://{host}/token",service="r",scope="repository:a/b:pull""#)
}

pub(crate) async fn read(client: &RegistryClient) -> Result<(), RegistryError> {
    client.tags(&repository()).next_page().await.map(|_| ())
}

pub(crate) async fn resolve(client: &RegistryClient, tag: &str) -> Result<Head, RegistryError> {
    let target = ReferenceTarget::Tag(tag.parse().unwrap());
    client.head_manifest(&repository(), &target, None).await
}

#[tokio::test]
async fn every_form_of_challenge_leads_to_a_token_for_reading() {
    type Form = fn(&str) -> String;
    let forms: [(&str, Form); 11] = [
        ("usual", usual),
        ("push is never asked for", |h| {
            format!(r#"Bearer realm="http://{h}/token",service="r",scope="repository:a/b:pull,push""#)
        }),
        ("two in a line", |h| {
            format!(r#"Bearer realm="http://{h}/token",service="r",scope="*",Basic realm="r""#)
        }),
        ("the other order", |h| {
            format!(r#"Basic realm="r", Bearer realm="http://{h}/token",service="r""#)
        }),
        ("odd case", |h| {
            format!(r#"bEARER REALM="http://{h}/token",Service="r""#)
        }),
        ("unquoted", |h| format!("Bearer realm=http://{h}/token,service=r")),
        ("relative", |_| r#"Bearer realm="/token",service="r""#.to_owned()),
        ("no scope", |h| {
            format!(r#"Bearer realm="http://{h}/token",service="r""#)
        }),
        ("empty scope", |h| {
            format!(r#"Bearer realm="http://{h}/token",service="r",scope="""#)
        }),
        ("several scopes", |h| {
            format!(
                r#"Bearer realm="http://{h}/token",service="r",scope="registry:catalog:* repository:a/b:pull""#
            )
        }),
        ("escaped", |h| {
            format!(r#"Bearer realm="http://{h}\/token",service="\r""#)
        }),
    ];
    for (what, form) in forms {
        let server = registry(
            form,
            |_| Answer::json(r#"{"token":"t"}"#),
            |sent| sent == "Bearer t",
        )
        .await;
        read(&with_login(&server.url())).await.unwrap();
        let heard = server.heard();
        let asked = heard.iter().find(|heard| heard.path == "/token").unwrap();
        assert_eq!(asked.parameters("scope"), ["repository:a/b:pull"], "{what}");
        assert_eq!(asked.parameters("service"), ["r"], "{what}");
        assert_eq!(asked.parameters("account"), ["reader"], "{what}");
        assert_eq!(asked.header("authorization"), Some(BASIC), "{what}");
        let sent: Vec<_> = heard.iter().filter(|heard| heard.path != "/token").collect();
        assert_eq!(sent.len(), 2, "{what}");
        assert_eq!(
            sent[0].header("authorization"),
            None,
            "{what}: nothing is sent before it is asked for"
        );
    }
}

#[tokio::test]
async fn two_headers_and_no_service() {
    let server = Server::start(
        |heard| match (heard.path.as_str(), heard.header("authorization")) {
            ("/token", _) => Answer::json(r#"{"token":"t"}"#),
            (_, Some("Bearer t")) => content(heard),
            _ => Answer::status(401)
                .with("www-authenticate", "Bearer realm=\"/token\"")
                .and("www-authenticate", "Basic"),
        },
    )
    .await;
    read(&client(&server.url())).await.unwrap();
    let asked = server
        .heard()
        .into_iter()
        .find(|heard| heard.path == "/token")
        .unwrap();
    assert!(asked.parameter("service").is_none());
    assert_eq!(asked.header("authorization"), None, "a stranger asks as one");
}

#[tokio::test]
async fn a_registry_that_never_accepts_is_left_alone() {
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
async fn a_scope_that_the_registry_corrects_is_asked_for_once_more() {
    let server = registry(
        |host| {
            format!(
                r#"Bearer realm="http://{host}/token",service="r",scope="repository:proxy/a/b:pull",error="insufficient_scope""#
            )
        },
        |heard| Answer::json(format!(r#"{{"token":"{}"}}"#, heard.parameter("scope").unwrap().replace([':', '/'], "."))),
        |sent| sent == "Bearer repository.proxy.a.b.pull",
    )
    .await;
    let client = with_login(&server.url());
    read(&client).await.unwrap();
    read(&client).await.unwrap();
    assert_eq!(server.count("/token"), 1, "and remembered");
}

#[tokio::test]
async fn refusals_without_a_challenge_use_the_one_that_is_known() {
    let server = Server::start(
        |heard| match (heard.path.as_str(), heard.header("authorization")) {
            ("/token", _) => Answer::json(r#"{"token":"t"}"#),
            (_, Some("Bearer t")) => content(heard),
            ("/v2/", _) => {
                Answer::status(401).with("www-authenticate", "Bearer realm=\"/token\",service=\"r\"")
            }
            _ => Answer::status(401),
        },
    )
    .await;
    let client = with_login(&server.url());
    client.ping().await.unwrap();
    read(&client).await.unwrap();
}

#[tokio::test]
async fn what_a_token_service_can_answer() {
    for (answer, code) in [
        (
            Answer::json("<html>login</html>").with("content-type", "text/html"),
            FindingCode::Protocol,
        ),
        (Answer::json("{}"), FindingCode::Protocol),
        (Answer::status(404), FindingCode::Protocol),
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
async fn strangers_may_ask_for_tokens_anywhere() {
    let tokens = Server::start(|_| Answer::json(r#"{"token":"t"}"#)).await;
    let realm = tokens.url_as("auth.elsewhere.example");
    let registry = Server::start(move |heard| match heard.header("authorization") {
        Some("Bearer t") => content(heard),
        _ => Answer::status(401).with("www-authenticate", format!(r#"Bearer realm="{realm}/token""#)),
    })
    .await;
    let client = RegistryClient::new(access_by_name(&registry.url_as("registry.example.com"))).unwrap();
    let ping = client.ping().await.unwrap();
    assert!(!ping.accepted && matches!(ping.login, Login::Bearer { .. }));
    assert_eq!(
        tokens.heard().len(),
        0,
        "a stranger needs no token to learn what the API is"
    );
    read(&client).await.unwrap();
    assert_eq!(tokens.heard()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_realm_without_tls_or_with_a_user_name_is_refused() {
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
async fn a_realm_that_the_gate_names_may_have_the_login() {
    let tokens = Server::start(|_| Answer::json(r#"{"token":"t"}"#)).await;
    let realm = tokens.url_as("login.elsewhere.example");
    let registry = Server::start(move |heard| match heard.header("authorization") {
        Some("Bearer t") => content(heard),
        _ => Answer::status(401).with("www-authenticate", format!(r#"Bearer realm="{realm}/token""#)),
    })
    .await;
    let client = RegistryClient::new(Access {
        credentials: Arc::new(login()),
        resolver: Arc::new(TestResolver::default()),
        gate: Arc::new(TestGate {
            loopback: true,
            realms: vec!["login.elsewhere.example"],
            ..TestGate::default()
        }),
        ..access(&registry.url_as("registry.example.com"))
    })
    .unwrap();
    read(&client).await.unwrap();
    assert_eq!(tokens.heard()[0].header("authorization"), Some(BASIC));
}
