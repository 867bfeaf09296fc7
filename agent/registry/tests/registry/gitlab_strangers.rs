//! GitLab when nobody, or nothing, says what is needed: no credential, no word on the token, no way to the REST API.

use portolan_registry::Registry;
use portolan_shared::model::{DiscoveryMethod, FindingCode};

use crate::client::client;
use crate::gitlab::{TOKEN, client_of, climb, forbidden, open, registry, wanted};
use crate::server::{Answer, Server};

#[tokio::test]
async fn a_stranger_is_told_that_a_credential_is_needed() {
    for plain in [false, true] {
        let server = Server::start(move |heard| match heard.path.as_str() {
            "/jwt/auth" if plain => Answer::status(403).body("Forbidden\n"),
            _ => registry(heard),
        })
        .await;
        let registry = Registry::open(client(&server.url())).await.unwrap();
        let error = registry
            .tags(&"acme/shop".parse().unwrap())
            .next_page()
            .await
            .unwrap_err();
        let finding = registry.explain(&error).await;
        assert_eq!(finding.code, FindingCode::CredentialNeeded, "{finding}");
        assert!(finding.seen.contains("403"), "{finding}");
    }
}

#[tokio::test]
async fn silence_about_a_token_is_remembered() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/jwt/auth" => forbidden(),
        path if path.starts_with("/api/") => Answer::json(r#"{"message":"400 Bad request"}"#).but(400),
        _ => registry(heard),
    })
    .await;
    let mut registry = Registry::recognise(client_of(&server, "reader", TOKEN))
        .await
        .unwrap();
    for _ in 0..3 {
        let error = registry.log_in().await.unwrap_err();
        assert_eq!(error.finding().code, FindingCode::GitLabAccessForbidden);
    }
    registry.facts().await;
    assert_eq!(server.count("/api/"), 1);
}

#[tokio::test]
async fn where_the_api_is_not_known_it_is_said_that_it_was_not_asked() {
    let server = Server::start(|heard| {
        let mut heard = heard.clone();
        match heard.path.as_str() {
            "/other/tokens" => {
                heard.path = "/jwt/auth".into();
                registry(&heard)
            }
            "/v2/" if heard.header("authorization").is_none() => {
                let host = heard.header("host").unwrap_or_default();
                let challenge =
                    format!(r#"Bearer realm="http://{host}/other/tokens",service="container_registry""#);
                Answer::error(401, "UNAUTHORIZED")
                    .with("docker-distribution-api-version", "registry/2.0")
                    .with("gitlab-container-registry-version", "4.39.0-gitlab")
                    .with("www-authenticate", challenge)
            }
            _ => registry(&heard),
        }
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    let (_, steps, complete) = climb(registry.repositories(&wanted(&["acme/*"]))).await;
    assert!(!complete);
    assert_eq!(steps[0].method, DiscoveryMethod::GitLabProjects);
    let finding = steps[0].finding.as_ref().unwrap();
    assert_eq!(finding.code, FindingCode::NativeApiNotAsked);
    assert!(finding.seen.contains("/jwt/auth"), "{finding}");
    assert_eq!(server.count("/api/"), 0);
}
