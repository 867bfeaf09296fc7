//! `W14` to `W16`, `W25`: the web address taken for the registry, tokens that read about themselves, and the rate limiter.

use portolan_doubles::web::{GitLab, RateLimit};
use serde_json::json;

use super::scene::{API, Scene, column, got};
use crate::client::{header, json as body_of};

#[tokio::test]
async fn w14_the_web_address_answers_for_its_dependency_proxy() {
    let scene = Scene::new().await;
    let ping = format!("{}/v2/", scene.gitlab.web_url());
    let answer = scene.client.get(&ping).send().await.unwrap();
    let realm = format!("{}/jwt/auth", scene.gitlab.web_url());
    let challenge = format!("Bearer realm=\"{realm}\",service=\"dependency_proxy\"");
    assert_eq!(header(&answer, "www-authenticate"), challenge);
    assert!(header(&answer, "content-type").starts_with("text/plain"));
    assert_eq!(header(&answer, "docker-distribution-api-version"), "");
    assert_eq!(
        (answer.status().as_u16(), answer.text().await.unwrap().as_str()),
        (401, "")
    );
    // The trap: a login works, and then nothing is there.
    let login = scene.client.get(&realm).query(&[("service", "dependency_proxy")]);
    let login = login
        .basic_auth(GitLab::FULL.0, Some(GitLab::FULL.1))
        .send()
        .await
        .unwrap();
    let token = body_of(login).await["token"].as_str().unwrap().to_owned();
    let answer = scene.client.get(&ping).bearer_auth(&token).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.text().await.unwrap().as_str()),
        (200, "")
    );
    let tags = format!("{}/v2/acme/shop/api/tags/list", scene.gitlab.web_url());
    assert_eq!(
        scene
            .client
            .get(tags)
            .bearer_auth(&token)
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    assert_eq!(
        scene.with_token(&token, "/v2/").await.status(),
        401,
        "the registry does not take it"
    );
    let registry = scene.token(GitLab::FULL, &[API]).await;
    assert_eq!(
        scene
            .client
            .get(&ping)
            .bearer_auth(registry)
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
}

#[tokio::test]
async fn w14_before_there_was_a_dependency_proxy_it_leads_to_the_sign_in_page() {
    let scene = Scene::new().await;
    scene.gitlab.web().switch(|switches| switches.signs_in = true);
    let answer = scene
        .client
        .get(format!("{}/v2/", scene.gitlab.web_url()))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 302);
    let page = scene
        .client
        .get(header(&answer, "location"))
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 200);
    assert!(header(&page, "content-type").starts_with("text/html"));
}

#[tokio::test]
async fn w15_a_token_reads_about_itself_whatever_its_scopes() {
    let scene = Scene::new().await;
    let path = "/personal_access_tokens/self";
    for (login, scopes) in [
        (GitLab::FULL, json!(["read_api", "read_registry"])),
        (GitLab::REGISTRY_ONLY, json!(["read_registry"])),
        (GitLab::NO_SCOPE, json!(["read_user"])),
        (GitLab::BOT, json!(["read_api", "read_registry"])),
    ] {
        let answer = scene.rest(login, path).await;
        assert_eq!(
            (answer.status, &answer.body["scopes"]),
            (200, &scopes),
            "{login:?}"
        );
        assert_eq!(answer.body["active"], true);
        assert_eq!(answer.body["expires_at"], "2026-12-31");
    }
    for login in [
        GitLab::DEPLOY,
        GitLab::JOB,
        GitLab::PASSWORD,
        ("reader", "glpat-wrong"),
    ] {
        let answer = scene.rest(login, path).await;
        assert_eq!(
            (answer.status, answer.body),
            (401, json!({"message": "401 Unauthorized"})),
            "{login:?}"
        );
    }
    let url = format!("{}/api/v4{path}", scene.gitlab.web_url());
    let bearer = async |secret| got(scene.client.get(&url).bearer_auth(secret).send().await.unwrap()).await;
    assert_eq!(bearer(GitLab::FULL.1).await.body["id"], 901);
    let oauth = bearer(GitLab::OAUTH.1).await;
    assert_eq!(oauth.status, 400);
    assert!(
        oauth.body["message"]
            .as_str()
            .unwrap()
            .contains("token type to be a personal access token")
    );
    scene
        .gitlab
        .web()
        .change(|instance| instance.credential(GitLab::FULL.1).expires_at = None);
    assert_eq!(
        scene.rest(GitLab::FULL, path).await.body["expires_at"],
        json!(null)
    );
}

#[tokio::test]
async fn w15_a_token_lists_what_it_reaches_whatever_its_scopes() {
    let scene = Scene::new().await;
    let path = "/personal_access_tokens/self/associations?page=1&per_page=100";
    let reached = scene.rest(GitLab::REGISTRY_ONLY, path).await;
    assert_eq!(
        column(&reached.body["projects"], "path_with_namespace"),
        ["acme/shop"]
    );
    assert_eq!(column(&reached.body["groups"], "id"), ["7"]);
    assert_eq!(reached.body["projects"][0]["visibility"], "private");
    scene
        .gitlab
        .web()
        .switch(|switches| switches.associations = false);
    assert_eq!(scene.rest(GitLab::REGISTRY_ONLY, path).await.status, 404);
}

#[tokio::test]
async fn w16_expired_and_revoked_tokens_are_told_so() {
    let scene = Scene::new().await;
    for (login, told) in [
        (
            GitLab::EXPIRED,
            "Token is expired. You can either do re-authorization or token refresh.",
        ),
        (
            GitLab::REVOKED,
            "Token was revoked. You have to re-authorize from the user.",
        ),
    ] {
        for path in ["/personal_access_tokens/self", "/projects", "/metadata"] {
            let answer = scene.rest(login, path).await;
            let expected = json!({"error": "invalid_token", "error_description": told});
            assert_eq!((answer.status, answer.body), (401, expected));
        }
    }
}

#[tokio::test]
async fn w25_the_limiter_refuses_one_in_so_many_and_counts_aloud() {
    let scene = Scene::new().await;
    let limit = RateLimit {
        limit: 2,
        retry_after: 1,
    };
    scene
        .gitlab
        .web()
        .switch(|switches| switches.rate_limit = Some(limit));
    for (status, remaining) in [(200, "1"), (200, "0"), (429, "0"), (200, "1")] {
        let answer = scene.rest_raw(GitLab::FULL, "/projects/42").await;
        assert_eq!(answer.status(), status);
        assert_eq!(header(&answer, "ratelimit-limit"), "2");
        assert_eq!(header(&answer, "ratelimit-remaining"), remaining);
        assert_ne!(header(&answer, "ratelimit-reset"), "");
        let refused = status == 429;
        assert_eq!(header(&answer, "retry-after"), if refused { "1" } else { "" });
        assert_eq!(header(&answer, "ratelimit-resettime").ends_with(" GMT"), refused);
        if refused {
            assert_eq!(answer.text().await.unwrap(), "Retry later\n");
        }
    }
    scene.ask_token(Some(GitLab::FULL), &[]).await;
    assert_eq!(
        scene.ask_token(Some(GitLab::FULL), &[]).await.status(),
        429,
        "tokens too"
    );
}

#[tokio::test]
async fn the_version_is_told_to_tokens_that_may_read_something() {
    let scene = Scene::new().await;
    for (path, login, status) in [
        ("/metadata", GitLab::FULL, 200),
        ("/version", GitLab::FULL, 200),
        ("/version", GitLab::NO_SCOPE, 200),
        ("/version", GitLab::REGISTRY_ONLY, 403),
        ("/nothing", GitLab::FULL, 404),
    ] {
        let answer = scene.rest(login, path).await;
        assert_eq!(answer.status, status, "{path} {login:?}");
        if status == 200 {
            assert_eq!(answer.body["version"], "18.7.0-ee");
        }
    }
}

#[tokio::test]
async fn w14_hosts_have_names_and_certificates_of_their_own() {
    let outside = crate::client::Scene::new();
    let web = outside.ca.leaf(&["gitlab.acme.example"]).unwrap();
    let gitlab = GitLab::builder(portolan_doubles::Content::gitlab_fixture())
        .names("gitlab.acme.example", "registry.acme.example")
        .web_tls(web.server_config(portolan_doubles::tls::Alpn::Both).unwrap())
        .start(outside.tls(), &outside.tasks)
        .await
        .unwrap();
    let (web, registry) = (gitlab.web().address(), gitlab.registry().address());
    assert_eq!(
        gitlab.web_url(),
        format!("https://gitlab.acme.example:{}", web.port())
    );
    assert_eq!(
        gitlab.registry_url(),
        format!("https://registry.acme.example:{}", registry.port())
    );
    let answer = outside
        .get(&format!("https://{registry}/v2/"))
        .send()
        .await
        .unwrap();
    let realm = format!("Bearer realm=\"{}/jwt/auth\"", gitlab.web_url());
    assert!(header(&answer, "www-authenticate").starts_with(&realm));
    let project = outside
        .get(&format!("https://{web}/api/v4/projects/44"))
        .send()
        .await
        .unwrap();
    let prefix = format!("registry.acme.example:{}/acme/open", registry.port());
    assert_eq!(body_of(project).await["container_registry_image_prefix"], prefix);
}
