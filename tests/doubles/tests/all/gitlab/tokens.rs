//! `W1` to `W13`: the token service.

use portolan_doubles::web::GitLab;
use serde_json::json;

use super::scene::{API, Login, Scene, got};
use crate::client::header;

#[tokio::test]
async fn w01_w02_w03_w04_w05_w06_no_more_is_granted_than_the_credential_may() {
    let scene = Scene::new().await;
    let none: [&str; 0] = [];
    let shop = "repository:acme/shop:pull";
    let both = format!("{API} {shop}");
    let catalog = "registry:catalog:*";
    for (pair, login, scopes, expected) in [
        ("W1", GitLab::FULL, vec![], none.to_vec()),
        ("W2", GitLab::FULL, vec![API], vec![API]),
        ("W2", GitLab::REGISTRY_ONLY, vec![API], vec![API]),
        ("W2", GitLab::DEPLOY, vec![API], vec![API]),
        ("W2", GitLab::BOT, vec![API], vec![API]),
        ("W2", GitLab::PROJECT_BOT, vec![API], vec![API]),
        ("W2", GitLab::JOB, vec![API], vec![API]),
        ("W2", GitLab::OAUTH, vec![API], vec![API]),
        ("W2", GitLab::PASSWORD, vec![API], vec![API]),
        ("W3", GitLab::FULL, vec!["repository:acme/hidden:pull"], vec![]),
        ("W4", GitLab::FULL, vec![API, shop], vec![API, shop]),
        ("W4", GitLab::FULL, vec![&both], vec![API, shop]),
        ("W5", GitLab::FULL, vec!["repository:acme/shop/*:pull"], vec![]),
        ("W6", GitLab::FULL, vec![catalog], vec![]),
        ("W6", GitLab::ADMIN, vec![catalog], vec![catalog]),
        (
            "never",
            GitLab::ADMIN,
            vec!["repository:acme/shop:pull,push,delete"],
            vec![shop],
        ),
    ] {
        assert_eq!(scene.granted(login, &scopes).await, expected, "{pair} {login:?}");
    }
    let answer = got(scene.ask_token(Some(GitLab::FULL), &[]).await).await;
    assert_eq!(
        answer.body.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["token"],
        "W1"
    );
}

#[tokio::test]
async fn w02_the_login_counts_for_deploy_and_job_tokens_and_passwords_alone() {
    let scene = Scene::new().await;
    let under = async |login: &'static str, (_, secret): Login| {
        scene
            .ask_token(Some((login, secret)), &[])
            .await
            .status()
            .as_u16()
    };
    for credential in [GitLab::FULL, GitLab::BOT, GitLab::PROJECT_BOT, GitLab::OAUTH] {
        assert_eq!(under("anything", credential).await, 200, "{credential:?}");
    }
    for credential in [GitLab::DEPLOY, GitLab::JOB, GitLab::PASSWORD] {
        assert_eq!(under("anything", credential).await, 401, "{credential:?}");
    }
}

#[tokio::test]
async fn w07_w08_w09_w10_what_is_refused_says_in_which_way() {
    let scene = Scene::new().await;
    let wrong = ("reader", "glpat-wrong");
    for (pair, login, status, code) in [
        ("W7", Some(wrong), 401, "UNAUTHORIZED"),
        ("W7", Some(("reader", GitLab::DEPLOY.1)), 401, "UNAUTHORIZED"),
        ("W7", Some(GitLab::EXPIRED), 401, "UNAUTHORIZED"),
        ("W7", Some(GitLab::REVOKED), 401, "UNAUTHORIZED"),
        ("W7", Some(GitLab::TWO_FACTOR), 401, "UNAUTHORIZED"),
        ("W8", Some(GitLab::NO_SCOPE), 403, "DENIED"),
        ("W8", Some(GitLab::REPOSITORY_SCOPE), 403, "DENIED"),
        ("W9", None, 403, "DENIED"),
    ] {
        for scopes in [&[API][..], &[]] {
            let answer = got(scene.ask_token(login, scopes).await).await;
            let error = &answer.body["errors"][0];
            assert_eq!(
                (answer.status, &error["code"]),
                (status, &json!(code)),
                "{pair} {login:?}"
            );
            let message = error["message"].as_str().unwrap();
            if status == 401 {
                assert!(message.starts_with("HTTP Basic: Access denied."), "{pair}");
            } else {
                assert_eq!(
                    (message, &answer.body["http_status"]),
                    ("access forbidden", &json!("forbidden"))
                );
            }
        }
    }
    assert_eq!(
        scene
            .ask_token(None, &["repository:acme/open:pull"])
            .await
            .status(),
        200,
        "W10"
    );
}

#[tokio::test]
async fn w11_w12_other_services_and_methods_are_not_there() {
    let scene = Scene::new().await;
    let url = format!("{}/jwt/auth", scene.gitlab.web_url());
    let other = scene
        .client
        .get(&url)
        .query(&[("service", "other")])
        .send()
        .await
        .unwrap();
    assert_eq!(
        (other.status().as_u16(), other.text().await.unwrap().as_str()),
        (404, "")
    );
    let post = scene
        .client
        .post(&url)
        .query(&[("service", "container_registry")])
        .send()
        .await
        .unwrap();
    assert_eq!(post.status(), 404);
}

#[tokio::test]
async fn w13_too_many_failures_ban_the_address_without_json() {
    let scene = Scene::new().await;
    scene.gitlab.web().tokens().set_ban_after(Some(30));
    for _ in 0..30 {
        assert_eq!(
            scene
                .ask_token(Some(("reader", "glpat-wrong")), &[])
                .await
                .status(),
            401
        );
    }
    let banned = scene.ask_token(Some(GitLab::FULL), &[]).await;
    assert_eq!(banned.status(), 403);
    assert!(serde_json::from_str::<serde_json::Value>(&banned.text().await.unwrap()).is_err());
}

#[tokio::test]
async fn w09_a_stripped_header_looks_like_no_credential_and_a_missing_registry_like_nothing_else() {
    let scene = Scene::new().await;
    let web = scene.gitlab.web();
    web.switch(|switches| switches.authorization_stripped = true);
    let answer = got(scene.ask_token(Some(GitLab::FULL), &[API]).await).await;
    assert_eq!(
        (answer.status, &answer.body["errors"][0]["code"]),
        (403, &json!("DENIED"))
    );
    assert_eq!(
        web.log().seen().last().unwrap().authorization.as_deref(),
        Some("basic"),
        "it was sent"
    );
    web.switch(|switches| {
        switches.authorization_stripped = false;
        switches.registry_enabled = false;
    });
    let answer = got(scene.ask_token(Some(GitLab::FULL), &[API]).await).await;
    let error = &answer.body["errors"][0];
    assert_eq!((answer.status, &error["code"]), (404, &json!("UNAVAILABLE")));
    assert_eq!(error["message"], "registry not enabled");
    web.switch(|switches| switches.registry_enabled = true);
    assert_eq!(scene.granted(GitLab::FULL, &[API]).await, [API]);
}

#[tokio::test]
async fn w02_rights_follow_the_projects_while_it_runs() {
    let scene = Scene::new().await;
    let web = scene.gitlab.web();
    let open = "repository:acme/open:pull";
    assert_eq!(scene.granted(GitLab::FULL, &[open]).await, [open]);
    web.change(|instance| {
        use portolan_doubles::web::RegistryAccess::{Disabled, Private};
        instance.project("acme/open").registry = Private;
        instance.project("acme/shop").registry = Disabled;
    });
    assert_eq!(scene.granted(GitLab::FULL, &[open, API]).await, [""; 0]);
    assert_eq!(scene.ask_token(None, &[open]).await.status(), 403);
    assert_eq!(scene.granted(GitLab::ADMIN, &[open, API]).await, [open]);
    web.change(|instance| instance.credential(GitLab::ADMIN.1).role = 10);
    assert_eq!(
        header(&scene.ask_token(Some(GitLab::ADMIN), &[]).await, "content-type"),
        "application/json; charset=utf-8"
    );
}
