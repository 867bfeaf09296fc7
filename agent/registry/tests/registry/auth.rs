//! Logging in, as registries and token services demand it.

use std::sync::Arc;

use portolan_registry::{Access, Head, RegistryClient, RegistryError};
use portolan_shared::model::{Digest, ReferenceTarget};

use crate::client::{BASIC, TestGate, TestResolver, access, login, repository};
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
