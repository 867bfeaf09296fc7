//! The token service's answers, and its memory. The labels number the pairs of request and answer that GitLab's is known by.

use std::time::Duration;

use portolan_doubles::TokenService;
use portolan_doubles::token::{Claims, TokenAnswer};
use reqwest::StatusCode;

use crate::client::{ADMIN, READER, Scene, header, json};

const DEPLOY: (&str, &str) = ("gitlab+deploy-token-1", "gldt-DDDDDDDDDDDDDDDDDDDD");

fn claims(token: &str) -> Claims {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap()
}

async fn granted(scene: &Scene, service: &TokenService, login: (&str, &str), scopes: &[&str]) -> Vec<String> {
    let token = scene.token(service, login, scopes).await;
    claims(&token)
        .access
        .iter()
        .map(portolan_doubles::token::Access::to_scope)
        .collect()
}

#[tokio::test]
async fn grants_no_more_than_the_account_may_have() {
    let scene = Scene::new();
    let service = scene.tokens().await;
    let pull = "repository:acme/shop/api:pull";
    let none: [&str; 0] = [];
    for (row, login, scopes, expected) in [
        ("W1", READER, vec![], vec![]),
        ("W2", READER, vec![pull], vec![pull]),
        ("W2", DEPLOY, vec![pull], vec![pull]),
        ("W3", READER, vec!["repository:acme/hidden:pull"], vec![]),
        (
            "W4",
            READER,
            vec![pull, "repository:acme/shop:pull"],
            vec![pull, "repository:acme/shop:pull"],
        ),
        (
            "W4",
            READER,
            vec!["repository:acme/shop/api:pull repository:acme/shop:pull"],
            vec![pull, "repository:acme/shop:pull"],
        ),
        ("W5", READER, vec!["repository:acme/shop/*:pull"], vec![]),
        ("W6", READER, vec!["registry:catalog:*"], vec![]),
        (
            "W6",
            ADMIN,
            vec!["registry:catalog:*"],
            vec!["registry:catalog:*"],
        ),
        (
            "W10",
            READER,
            vec!["repository:acme/open:pull"],
            vec!["repository:acme/open:pull"],
        ),
        (
            "less",
            READER,
            vec!["repository:acme/shop/api:pull,push"],
            vec![pull],
        ),
        (
            "other types",
            READER,
            vec!["project:acme:read", "nonsense"],
            vec![],
        ),
    ] {
        assert_eq!(granted(&scene, &service, login, &scopes).await, expected, "{row}");
    }
    assert_eq!(granted(&scene, &service, READER, &none).await, none);
}

#[tokio::test]
async fn refuses_as_gitlab_does() {
    let scene = Scene::new();
    let service = scene.tokens().await;
    let pull = ["repository:acme/shop/api:pull"];
    let wrong = Some(("reader", "glpat-wrong"));
    let foreign = Some(("reader", DEPLOY.1));
    let noscope = Some(("reader", "glpat-CCCCCCCCCCCCCCCCCCCC"));
    for (row, login, scopes, status, code) in [
        ("W7", wrong, &pull[..], StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
        ("W7", foreign, &pull[..], StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
        ("W8", noscope, &pull[..], StatusCode::FORBIDDEN, "DENIED"),
        ("W9", None, &pull[..], StatusCode::FORBIDDEN, "DENIED"),
        ("W9", None, &[][..], StatusCode::FORBIDDEN, "DENIED"),
    ] {
        let answer = scene.ask_token(&service, login, scopes).await;
        assert_eq!(answer.status(), status, "{row}");
        assert_eq!(json(answer).await["errors"][0]["code"], code, "{row}");
    }
    let open = scene
        .ask_token(&service, None, &["repository:acme/open:pull"])
        .await;
    assert_eq!(open.status(), StatusCode::OK, "W10");
    let other = scene
        .client
        .get(service.realm())
        .query(&[("service", "other")])
        .send()
        .await
        .unwrap();
    assert_eq!(
        (other.status(), other.content_length()),
        (StatusCode::NOT_FOUND, Some(0)),
        "W11"
    );
    let post = scene.client.post(service.realm()).send().await.unwrap();
    assert_eq!(post.status(), StatusCode::NOT_FOUND, "W12");
    let ping = scene
        .client
        .get(service.realm().replace("jwt/auth", "v2/"))
        .send()
        .await
        .unwrap();
    assert_eq!(ping.status(), StatusCode::UNAUTHORIZED, "W14");
    assert!(
        header(&ping, "www-authenticate").ends_with("service=\"dependency_proxy\""),
        "W14"
    );
    service.set_ban_after(Some(3));
    for _ in 0..3 {
        scene.ask_token(&service, wrong, &[]).await;
    }
    let banned = scene.ask_token(&service, Some(READER), &[]).await;
    assert_eq!(banned.status(), StatusCode::FORBIDDEN, "W13");
    assert!(header(&banned, "content-type").starts_with("text/plain"), "W13");
    service.set_ban_after(None);
    assert_eq!(
        scene.ask_token(&service, Some(READER), &[]).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn tokens_live_as_long_as_they_are_told_and_come_in_every_form() {
    let scene = Scene::new();
    let service = Scene::accounts()
        .lifetime(Duration::from_secs(5))
        .start(scene.tls(), &scene.tasks)
        .await
        .unwrap();
    let token = scene.token(&service, READER, &[]).await;
    let body = claims(&token);
    assert_eq!((body.exp - body.iat, body.iat - body.nbf), (5, 5));
    assert_eq!(
        (body.iss.as_str(), body.aud.as_str()),
        ("omnibus-gitlab-issuer", "container_registry")
    );
    assert_eq!(body.sub.as_deref(), Some("reader"));
    service.set_lifetime(Duration::from_secs(300));
    service.set_backdated(Duration::from_secs(60));
    let backdated = claims(&scene.token(&service, DEPLOY, &[]).await);
    assert_eq!(backdated.exp - backdated.iat, 300);
    assert!(backdated.iat <= body.iat - 50);
    assert_eq!(backdated.sub, None);
    for (form, members) in [
        (TokenAnswer::GitLab, vec!["token"]),
        (
            TokenAnswer::Full,
            vec!["access_token", "expires_in", "issued_at", "token"],
        ),
        (
            TokenAnswer::AccessToken,
            vec!["access_token", "expires_in", "token_type"],
        ),
        (TokenAnswer::Opaque, vec!["token"]),
    ] {
        service.set_answer(form);
        let answer = json(scene.ask_token(&service, Some(READER), &[]).await).await;
        let mut found: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, members, "{form:?}");
        assert_eq!(
            form == TokenAnswer::Opaque,
            answer["token"].as_str().is_some_and(|token| !token.contains('.'))
        );
    }
}

#[tokio::test]
async fn remembers_who_asked_for_what() {
    let scene = Scene::new();
    let service = scene.tokens().await;
    let pull = "repository:acme/shop/api:pull";
    scene.token(&service, READER, &[pull]).await;
    scene.token(&service, ADMIN, &[pull, "registry:catalog:*"]).await;
    assert_eq!(service.calls_for(pull), 2);
    assert_eq!(service.calls_for("registry:catalog:*"), 1);
    assert_eq!(service.requests()[1].login.as_deref(), Some("root"));
    assert!(service.asked_beyond_reading().is_empty());
    for scope in [
        "repository:acme/shop:pull,push",
        "repository:acme/shop:delete",
        "repository:acme/shop:*",
    ] {
        scene.token(&service, READER, &[scope]).await;
        assert_eq!(
            service.asked_beyond_reading().last().map(String::as_str),
            Some(scope)
        );
    }
    service.set_secret("root", "glpat-rotated");
    assert_eq!(
        scene.ask_token(&service, Some(ADMIN), &[]).await.status(),
        StatusCode::UNAUTHORIZED
    );
}
