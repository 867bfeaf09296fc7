//! GitLab, scripted: both of its hosts on one address. What the whole of it does is tested against the double, in `gitlab_double`.

use std::sync::Arc;

use portolan_registry::{Credential, Ladder, Registry, RegistryClient, Wanted};
use portolan_shared::model::{DiscoveryStep, RepositoryName, RepositoryPatterns};
use portolan_shared::secret::Secret;

use crate::client::access;
use crate::server::{Answer, Heard, Server};

pub(crate) const TOKEN: &str = "glpat-AAAAAAAAAAAAAAAAAAAA";
pub(crate) const DEPLOY: &str = "gldt-DDDDDDDDDDDDDDDDDDDD";

pub(crate) fn client_of(server: &Server, username: &str, secret: &str) -> RegistryClient {
    let mut access = access(&server.url());
    access.credentials = Arc::new(Credential::Login {
        username: username.into(),
        secret: Secret::new(secret.into()),
    });
    RegistryClient::new(access).unwrap()
}

pub(crate) async fn open(server: &Server, username: &str, secret: &str) -> Registry {
    Registry::open(client_of(server, username, secret)).await.unwrap()
}

/// The registry's host and the token service, as GitLab has them: every login gets a token, and that grants what was asked.
pub(crate) fn registry(heard: &Heard) -> Answer {
    let host = heard.header("host").unwrap_or_default();
    let challenge = format!(r#"Bearer realm="http://{host}/jwt/auth",service="container_registry""#);
    match heard.path.as_str() {
        "/jwt/auth" if heard.header("authorization").is_none() => forbidden(),
        "/jwt/auth" => {
            let scope = heard.parameters("scope").join(" ");
            Answer::json(format!(r#"{{"token":"for {scope}"}}"#))
        }
        "/api/v4/user" => Answer::json(r#"{"id":77,"username":"reader"}"#),
        path if path.starts_with("/v2/") || path.starts_with("/gitlab/v1/") => {
            match heard.header("authorization") {
                None => Answer::error(401, "UNAUTHORIZED")
                    .with("docker-distribution-api-version", "registry/2.0")
                    .with("www-authenticate", challenge),
                Some(_) if path == "/v2/" => Answer::json("{}")
                    .with("docker-distribution-api-version", "registry/2.0")
                    .with("gitlab-container-registry-version", "4.39.0-gitlab"),
                Some(token) if path == "/v2/_catalog" => {
                    let scope = r#"scope="registry:catalog:*",error="insufficient_scope""#;
                    assert!(!token.contains("push"), "{token}");
                    Answer::error(401, "UNAUTHORIZED")
                        .with("www-authenticate", format!("{challenge},{scope}"))
                }
                Some(_) => Answer::error(404, "NAME_UNKNOWN"),
            }
        }
        _ => Answer::status(404).body(r#"{"message":"404 Not Found"}"#),
    }
}

/// `/jwt/auth` for a login without the right, or no login.
pub(crate) fn forbidden() -> Answer {
    Answer::json(r#"{"errors":[{"code":"DENIED","message":"access forbidden"}],"http_status":403}"#).but(403)
}

/// `/jwt/auth` for a wrong secret.
pub(crate) fn unauthorised() -> Answer {
    Answer::json(
        r#"{"errors":[{"code":"UNAUTHORIZED","message":"HTTP Basic: Access denied. See https://x"}]}"#,
    )
    .but(401)
}

/// The REST API for a token without the scope.
pub(crate) fn scope_missing() -> Answer {
    Answer::json(
        r#"{"error":"insufficient_scope","error_description":"The request requires higher privileges.","scope":"api read_api"}"#,
    )
    .but(403)
}

pub(crate) fn wanted(patterns: &[&str]) -> Wanted {
    let patterns = patterns.iter().map(ToString::to_string).collect();
    Wanted {
        patterns: RepositoryPatterns::new(patterns).unwrap(),
        names: Vec::<RepositoryName>::new(),
    }
}

/// Every name that the ladder gives, and the steps that it took.
pub(crate) async fn climb(mut ladder: Ladder) -> (Vec<String>, Vec<DiscoveryStep>, bool) {
    let mut names = Vec::new();
    while let Some(page) = ladder.next_page().await.unwrap() {
        names.extend(page.iter().map(ToString::to_string));
    }
    (names, ladder.steps().to_vec(), ladder.is_complete())
}

pub(crate) fn paths(server: &Server) -> Vec<String> {
    server.heard().into_iter().map(|heard| heard.path).collect()
}
