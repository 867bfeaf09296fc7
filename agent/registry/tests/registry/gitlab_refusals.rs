//! What GitLab's refusals mean, told apart as far as they can be.

use portolan_registry::{Registry, RegistryError};
use portolan_shared::model::{CredentialKind, FindingCode};

use crate::gitlab::{DEPLOY, TOKEN, client_of, forbidden, open, registry, unauthorised};
use crate::server::{Answer, Heard, Server};

const SELF: &str = "/api/v4/personal_access_tokens/self";

/// GitLab whose token service and whose word on the token are given.
async fn gitlab(tokens: fn() -> Answer, of_token: fn() -> Answer) -> Server {
    Server::start(move |heard| match heard.path.as_str() {
        "/jwt/auth" => tokens(),
        SELF => of_token(),
        _ => registry(heard),
    })
    .await
}

fn scopes(scopes: &str) -> Answer {
    Answer::json(format!(
        r#"{{"id":901,"name":"inventory","revoked":false,"scopes":[{scopes}],"user_id":77,"active":true,"expires_at":"2026-12-31"}}"#
    ))
}

fn expired() -> Answer {
    Answer::json(
        r#"{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}"#,
    )
    .but(401)
}

fn revoked() -> Answer {
    Answer::json(
        r#"{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}"#,
    )
    .but(401)
}

fn silent() -> Answer {
    Answer::json(r#"{"message":"401 Unauthorized"}"#).but(401)
}

fn not_its_kind() -> Answer {
    Answer::json(
        r#"{"message":"400 Bad request - This endpoint requires token type to be a personal access token"}"#,
    )
    .but(400)
}

async fn refusal(server: &Server, username: &str, secret: &str) -> RegistryError {
    Registry::open(client_of(server, username, secret))
        .await
        .err()
        .unwrap()
}

#[tokio::test]
async fn every_refusal_of_a_login_has_its_finding() {
    use FindingCode as Code;
    type Answers = fn() -> Answer;
    let banned: Answers = || Answer::status(403).body("Forbidden\n");
    let page: Answers = || {
        Answer::status(403)
            .with("content-type", "text/html")
            .body("<html>")
    };
    let disabled: Answers = || Answer::error(404, "UNAVAILABLE");
    let rows: [(&str, &str, &str, Answers, Answers, Code); 16] = [
        (
            "wrong name",
            "reader",
            DEPLOY,
            unauthorised,
            silent,
            Code::GitLabDeployTokenName,
        ),
        (
            "a legacy deploy token",
            "gitlab+deploy-token-7",
            "x",
            unauthorised,
            silent,
            Code::GitLabDeployTokenName,
        ),
        (
            "a password",
            "reader",
            "correct horse",
            unauthorised,
            silent,
            Code::GitLabTwoFactor,
        ),
        (
            "wrong token",
            "reader",
            TOKEN,
            unauthorised,
            silent,
            Code::AuthenticationFailed,
        ),
        (
            "expired",
            "reader",
            TOKEN,
            unauthorised,
            expired,
            Code::CredentialExpired,
        ),
        (
            "revoked",
            "reader",
            TOKEN,
            unauthorised,
            revoked,
            Code::CredentialRevoked,
        ),
        (
            "a runner's",
            "reader",
            "glrt-x",
            unauthorised,
            silent,
            Code::CredentialUnfit,
        ),
        (
            "a feed's",
            "reader",
            "glft-x",
            unauthorised,
            silent,
            Code::CredentialUnfit,
        ),
        (
            "read_repository",
            "reader",
            TOKEN,
            forbidden,
            || scopes(r#""read_repository""#),
            Code::GitLabScopeMissing,
        ),
        (
            "read_user",
            "reader",
            TOKEN,
            forbidden,
            || scopes(r#""read_user""#),
            Code::GitLabScopeMissing,
        ),
        (
            "stripped at one place",
            "reader",
            TOKEN,
            forbidden,
            || scopes(r#""read_registry""#),
            Code::GitLabAuthorizationStripped,
        ),
        (
            "stripped everywhere",
            "reader",
            TOKEN,
            forbidden,
            silent,
            Code::GitLabAuthorizationStripped,
        ),
        (
            "cannot be told",
            "gitlab+deploy-token-1",
            DEPLOY,
            forbidden,
            silent,
            Code::GitLabAccessForbidden,
        ),
        (
            "nor here",
            "oauth2",
            "0123",
            forbidden,
            not_its_kind,
            Code::GitLabAccessForbidden,
        ),
        ("banned", "reader", TOKEN, banned, silent, Code::AddressBanned),
        (
            "no registry",
            "reader",
            TOKEN,
            disabled,
            silent,
            Code::GitLabRegistryDisabled,
        ),
    ];
    for (what, username, secret, tokens, of_token, code) in rows {
        let server = gitlab(tokens, of_token).await;
        let error = refusal(&server, username, secret).await;
        let finding = error.finding();
        assert_eq!(finding.code, code, "{what}: {finding}");
        for hidden in [secret, "Access denied", "jwt"] {
            assert!(!finding.seen.contains(hidden), "{what}: {finding}");
        }
        assert_eq!(server.count("/jwt/auth"), 1, "{what}");
        assert!(server.count("/api/") <= 1, "{what}");
    }
    let server = gitlab(page, silent).await;
    let error = refusal(&server, "reader", TOKEN).await;
    assert_eq!(
        error.finding().code,
        Code::AddressBanned,
        "a page is not GitLab's own answer either"
    );
}

#[tokio::test]
async fn a03_after_a_refusal_the_login_is_not_tried_again() {
    for (tokens, of_token) in [
        (unauthorised as fn() -> Answer, silent as fn() -> Answer),
        (forbidden, || scopes(r#""read_user""#)),
    ] {
        let server = gitlab(tokens, of_token).await;
        let client = client_of(&server, "reader", TOKEN);
        for _ in 0..3 {
            let error = Registry::open(client.clone()).await.err().unwrap();
            assert!(error.concerns_whole_registry());
        }
        let mut registry = Registry::recognise(client).await.unwrap();
        registry.log_in().await.unwrap_err();
        let error = registry
            .tags(&"acme/shop".parse().unwrap())
            .next_page()
            .await
            .unwrap_err();
        registry.explain(&error).await;
        assert_eq!(server.count("/jwt/auth"), 1);
        for heard in server.heard() {
            let is_self = heard.path == SELF;
            assert!(
                is_self
                    || heard
                        .header("authorization")
                        .is_none_or(|_| heard.path == "/jwt/auth")
            );
        }
    }
}

#[tokio::test]
async fn the_token_of_a_job_is_refused_before_anybody_sees_it() {
    for (username, secret) in [("gitlab-ci-token", "glcbt-64_x"), ("gitlab-ci-token", "legacy")] {
        let server = gitlab(|| Answer::json(r#"{"token":"x"}"#), silent).await;
        let error = refusal(&server, username, secret).await;
        assert_eq!(error.finding().code, FindingCode::CredentialOfJob);
        assert!(
            server
                .heard()
                .iter()
                .all(|heard| heard.header("authorization").is_none())
        );
    }
}

#[tokio::test]
async fn a_token_that_the_registry_does_not_accept_is_told_from_one_without_rights() {
    let server = Server::start(|heard: &Heard| match heard.path.as_str() {
        "/v2/" if heard.header("authorization").is_some() => {
            let challenge =
                r#"Bearer realm="http://HOST/jwt/auth",service="container_registry",error="invalid_token""#;
            let host = heard.header("host").unwrap_or_default();
            Answer::error(401, "UNAUTHORIZED").with("www-authenticate", challenge.replace("HOST", host))
        }
        _ => registry(heard),
    })
    .await;
    let error = refusal(&server, "reader", TOKEN).await;
    assert_eq!(error.finding().code, FindingCode::TokenRefused);
}

#[tokio::test]
async fn what_the_api_says_of_a_token_becomes_facts() {
    let server = gitlab(
        || Answer::json(r#"{"token":"x"}"#),
        || scopes(r#""read_api","read_registry""#),
    )
    .await;
    let registry = open(&server, "group_7_bot_4ffca233d8298ea1", TOKEN).await;
    let facts = registry.facts().await;
    assert_eq!(facts.detection.as_ref(), Some(registry.detection()));
    let credential = facts.credential.unwrap();
    assert_eq!(credential.kind, CredentialKind::GroupAccessToken);
    assert_eq!(
        credential.owner.as_deref(),
        Some("group_7_bot_4ffca233d8298ea1 (user 77, token inventory)")
    );
    assert_eq!(credential.scopes, ["read_api", "read_registry"]);
    assert_eq!(credential.expires_at.unwrap().to_string(), "2026-12-31T00:00:00Z");
    registry.facts().await;
    assert_eq!(server.count("/api/"), 1, "asked once");
    assert!(registry.remarks().await.is_empty());
}

#[tokio::test]
async fn what_nobody_says_is_told_by_the_form_alone() {
    let server = gitlab(|| Answer::json(r#"{"token":"x"}"#), not_its_kind).await;
    for (username, secret, kind) in [
        ("gitlab+deploy-token-1", DEPLOY, CredentialKind::DeployToken),
        ("oauth2", "0123", CredentialKind::OauthToken),
        ("reader", "correct horse", CredentialKind::Unknown),
    ] {
        let registry = open(&server, username, secret).await;
        let credential = registry.credential().await.unwrap().unwrap();
        assert_eq!(
            (credential.kind, credential.owner.as_deref()),
            (kind, Some(username))
        );
    }
    let registry = open(&server, "group_7_bot_x", DEPLOY).await;
    let remarks = registry.remarks().await;
    assert_eq!(remarks.len(), 1);
    assert_eq!(remarks[0].code, FindingCode::CredentialNameUnusual);
    assert!(!remarks[0].seen.contains("gldt-"));
}

#[tokio::test]
async fn a_token_that_ends_while_the_registry_still_takes_it_is_an_error_of_the_credential() {
    let server = gitlab(|| Answer::json(r#"{"token":"x"}"#), expired).await;
    let registry = open(&server, "reader", TOKEN).await;
    let error = registry.credential().await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::CredentialExpired);
    assert_eq!(
        registry.explain(&error).await.code,
        FindingCode::CredentialExpired
    );
    assert_eq!(registry.facts().await.credential, None);
}

#[tokio::test]
async fn a_root_that_is_denied_leaves_single_repositories_open() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/v2/" => match heard.header("authorization") {
            Some(_) => Answer::error(403, "DENIED"),
            None => registry(heard),
        },
        "/v2/acme/shop/tags/list" => Answer::json(r#"{"tags":["1"]}"#),
        "/gitlab/v1/repositories/acme/shop/tags/list/" => Answer::status(404),
        _ => registry(heard),
    })
    .await;
    let mut registry = Registry::recognise(client_of(&server, "reader", TOKEN))
        .await
        .unwrap();
    assert!(!registry.log_in().await.unwrap());
    let page = registry.tags(&"acme/shop".parse().unwrap()).next_page().await;
    assert_eq!(page.unwrap().unwrap().tags.len(), 1);
}

#[tokio::test]
async fn cleanup_policies_that_do_nothing_are_pointed_out() {
    let server = Server::start(|heard| {
        let policy =
            |policy: &str| Answer::json(format!(r#"{{"id":42,"container_expiration_policy":{policy}}}"#));
        match heard.path.as_str() {
            "/api/v4/projects/acme%2Fempty" => {
                policy(r#"{"enabled":true,"name_regex":"","name_regex_keep":null}"#)
            }
            "/api/v4/projects/acme%2Fbroken" => {
                policy(r#"{"enabled":true,"name_regex":"(?!release).*","name_regex_keep":"(a"}"#)
            }
            "/api/v4/projects/acme%2Foff" => policy(r#"{"enabled":false,"name_regex":""}"#),
            "/api/v4/projects/acme%2Fnone" => policy("null"),
            "/api/v4/projects/acme%2Fgood" => policy(r#"{"enabled":true,"name_regex":".*"}"#),
            _ => registry(heard),
        }
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    let codes = async |repository: &str| -> Vec<FindingCode> {
        let findings = registry.advisories(&repository.parse().unwrap()).await;
        findings.iter().map(|finding| finding.code).collect()
    };
    assert_eq!(
        codes("acme/empty").await,
        [FindingCode::GitLabCleanupMatchesNothing]
    );
    assert_eq!(
        codes("acme/empty/some/image").await,
        [FindingCode::GitLabCleanupMatchesNothing],
        "the project is up to two components above"
    );
    assert_eq!(
        codes("acme/broken/x").await,
        [FindingCode::GitLabCleanupInvalid; 2]
    );
    for fine in ["acme/off", "acme/none", "acme/good", "acme/unknown", "top"] {
        assert_eq!(codes(fine).await, [], "{fine}");
    }
}
