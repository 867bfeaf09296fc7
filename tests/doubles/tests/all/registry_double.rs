//! The registry double's answers, and its memory. The labels number the pairs of request and answer that GitLab's is known by.

use std::time::Duration;

use portolan_doubles::registry::Flavour;
use portolan_doubles::token::TokenAnswer;
use portolan_doubles::{Content, RegistryDouble, TokenService};
use portolan_shared::model::Digest;
use reqwest::{Response, StatusCode};

use crate::client::{ACCEPT, READER, Scene, header, json};

const DIGEST: &str = "sha256:fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae";

pub(crate) struct Registry {
    pub(crate) scene: Scene,
    pub(crate) tokens: TokenService,
    pub(crate) double: RegistryDouble,
    pub(crate) token: String,
}

impl Registry {
    pub(crate) async fn new() -> Self {
        let scene = Scene::new();
        let tokens = scene.tokens().await;
        let builder = RegistryDouble::builder(Content::gitlab_fixture()).tokens(&tokens);
        let double = builder.start(scene.tls(), &scene.tasks).await.unwrap();
        let scopes = [
            "repository:acme/shop/api:pull",
            "repository:acme/shop:pull",
            "repository:acme/shop/nope:pull",
        ];
        let token = scene.token(&tokens, READER, &scopes).await;
        Self {
            scene,
            tokens,
            double,
            token,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.double.url())
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.get_as(&self.token, path).await
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Response {
        self.scene
            .get(&self.url(path))
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn challenges_as_gitlab_does() {
    let registry = Registry::new().await;
    let realm = registry.tokens.realm();
    let ask = async |path: &str| {
        let answer = registry.scene.get(&registry.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        (header(&answer, "www-authenticate"), answer)
    };
    let (challenge, answer) = ask("/v2/").await;
    assert_eq!(
        challenge,
        format!("Bearer realm=\"{realm}\",service=\"container_registry\""),
        "R1"
    );
    assert_eq!(
        header(&answer, "docker-distribution-api-version"),
        "registry/2.0",
        "R1"
    );
    assert_eq!(
        header(&answer, "gitlab-container-registry-version"),
        "",
        "R1: not before authorisation"
    );
    assert!(json(answer).await["errors"][0]["detail"].is_null(), "R1");
    let (challenge, answer) = ask("/v2/acme/shop/api/tags/list").await;
    assert!(
        challenge.ends_with(",scope=\"repository:acme/shop/api:pull\""),
        "{challenge}"
    );
    assert_eq!(json(answer).await["errors"][0]["detail"][0]["Action"], "pull");

    let ping = registry.get("/v2/").await;
    assert_eq!(ping.status(), StatusCode::OK, "R2");
    for name in ["version", "features", "database-enabled"] {
        assert_ne!(
            header(&ping, &format!("gitlab-container-registry-{name}")),
            "",
            "R2 {name}"
        );
    }
    assert_eq!(ping.text().await.unwrap(), "{}", "R2");
    let mut broken = registry.token.clone();
    broken.replace_range(broken.len() - 8.., "AAAAAAAA");
    for token in ["garbage", "a.b.c", &broken] {
        let answer = registry.get_as(token, "/v2/").await;
        assert!(
            header(&answer, "www-authenticate").ends_with(",error=\"invalid_token\""),
            "R3 {token}"
        );
    }
    let answer = registry.get("/v2/_catalog").await;
    let challenge = header(&answer, "www-authenticate");
    assert!(
        challenge.ends_with(",scope=\"registry:catalog:*\",error=\"insufficient_scope\""),
        "R4 {challenge}"
    );
    let detail = json(answer).await["errors"][0]["detail"][0].clone();
    let expected = serde_json::json!({"Type": "registry", "Class": "", "Name": "catalog", "ProjectPath": "", "Action": "*"});
    assert_eq!(detail, expected, "R4");
    let answer = registry.get("/v2/acme/hidden/tags/list").await;
    assert!(
        header(&answer, "www-authenticate").ends_with("insufficient_scope\""),
        "R18"
    );
}

#[tokio::test]
async fn expired_tokens_are_refused_after_the_leeway_and_opaque_ones_are_known() {
    let registry = Registry::new().await;
    registry.tokens.set_lifetime(Duration::from_secs(1));
    registry.tokens.set_backdated(Duration::from_secs(30));
    let token = registry.scene.token(&registry.tokens, READER, &[]).await;
    assert_eq!(
        registry.get_as(&token, "/v2/").await.status(),
        StatusCode::OK,
        "within 60 s of leeway"
    );
    registry
        .double
        .behave(|behaviour| behaviour.leeway = Duration::from_secs(10));
    let answer = registry.get_as(&token, "/v2/").await;
    assert!(header(&answer, "www-authenticate").ends_with("error=\"invalid_token\""));
    registry.tokens.set_backdated(Duration::ZERO);
    registry.tokens.set_answer(TokenAnswer::Opaque);
    let token = registry.scene.token(&registry.tokens, READER, &[]).await;
    assert_eq!(registry.get_as(&token, "/v2/").await.status(), StatusCode::OK);
    assert_eq!(
        registry.get_as(&format!("{token}0"), "/v2/").await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn serves_manifests_as_gitlab_does() {
    let registry = Registry::new().await;
    let manifest = registry.url("/v2/acme/shop/api/manifests/1.0.0");
    let answer = registry
        .scene
        .head(&manifest)
        .bearer_auth(&registry.token)
        .send()
        .await
        .unwrap();
    let quoted = format!("\"{DIGEST}\"");
    for (name, value) in [
        ("content-type", "application/vnd.oci.image.manifest.v1+json"),
        ("content-length", "400"),
        ("docker-content-digest", DIGEST),
        ("etag", &quoted),
    ] {
        assert_eq!(header(&answer, name), value, "R10");
    }
    for known in [DIGEST, &quoted] {
        let request = registry
            .scene
            .head(&manifest)
            .bearer_auth(&registry.token)
            .header("if-none-match", known);
        assert_eq!(
            request.send().await.unwrap().status(),
            StatusCode::NOT_MODIFIED,
            "R11"
        );
    }
    let docker_only = "application/vnd.docker.distribution.manifest.v2+json";
    let request = registry
        .scene
        .client
        .get(&manifest)
        .bearer_auth(&registry.token)
        .header("accept", docker_only);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND, "R12");
    let message = json(answer).await["errors"][0]["message"].clone();
    assert_eq!(
        message, "OCI manifest found, but accept header does not support OCI manifests",
        "R12"
    );
    let index = registry
        .get("/v2/acme/shop/api/manifests/multi")
        .await
        .bytes()
        .await
        .unwrap();
    assert!(Digest::sha256_of(&index).to_string().ends_with("c642af8"), "R13");
    let answer = registry.get("/v2/acme/shop/api/manifests/legacy").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "R14");
    registry
        .double
        .behave(|behaviour| behaviour.flavour = Flavour::Plain);
    assert_eq!(
        registry.get("/v2/acme/shop/api/manifests/legacy").await.status(),
        StatusCode::OK
    );
    for unknown in ["nope".to_owned(), format!("sha256:{}", "0".repeat(64))] {
        let answer = registry
            .get(&format!("/v2/acme/shop/api/manifests/{unknown}"))
            .await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(
        registry
            .get("/v2/acme/shop/api/manifests/sha256:0")
            .await
            .status(),
        StatusCode::BAD_REQUEST
    );
    let put = registry
        .scene
        .client
        .put(&manifest)
        .bearer_auth(&registry.token)
        .send()
        .await
        .unwrap();
    assert_eq!(put.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_client_without_lists_gets_another_digest() {
    let scene = Scene::new();
    let content = Content::every_kind(false);
    let list = content.resolve("acme/kinds", "docker-list").unwrap().to_string();
    let double = RegistryDouble::builder(content)
        .start(scene.tls(), &scene.tasks)
        .await
        .unwrap();
    let url = format!("{}/v2/acme/kinds/manifests/docker-list", double.url());
    let docker_only = "application/vnd.docker.distribution.manifest.v2+json";
    let child = scene
        .client
        .get(&url)
        .header("accept", docker_only)
        .send()
        .await
        .unwrap();
    let whole = scene
        .client
        .get(&url)
        .header("accept", ACCEPT)
        .send()
        .await
        .unwrap();
    assert_eq!(header(&whole, "docker-content-digest"), list);
    assert_eq!(header(&child, "content-type"), docker_only);
    assert_ne!(header(&child, "docker-content-digest"), list);
}

#[tokio::test]
async fn remembers_requests_and_content_changes_while_it_runs() {
    let scene = Scene::new();
    let builder = RegistryDouble::builder(Content::gitlab_fixture()).basic("reader", "secret");
    let double = builder.start(None, &scene.tasks).await.unwrap();
    let url = |reference: &str| format!("{}/v2/acme/shop/api/manifests/{reference}", double.url());
    let get = |reference: &str| {
        scene
            .get(&url(reference))
            .basic_auth("reader", Some("secret"))
            .send()
    };
    assert_eq!(
        scene.get(&url("latest")).send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    get(DIGEST).await.unwrap();
    assert!(double.log().fetched_again().is_empty());
    get(DIGEST).await.unwrap();
    assert_eq!(
        double.log().fetched_again().into_values().collect::<Vec<_>>(),
        [2]
    );
    double.change(|content| {
        let index = content.resolve("acme/shop/api", "multi").unwrap().clone();
        content
            .shelf("acme/shop/api")
            .tag("latest", &index)
            .untag("1.0.1");
    });
    assert!(header(&get("latest").await.unwrap(), "docker-content-digest").ends_with("c642af8"));
    assert_eq!(get("1.0.1").await.unwrap().status(), StatusCode::NOT_FOUND);
    double.log().reached(5).await;
    let seen = double.log().seen();
    assert_eq!(
        seen.iter().map(|seen| seen.status.unwrap()).collect::<Vec<_>>(),
        [401, 200, 200, 200, 404]
    );
    assert_eq!(seen[0].authorization, None);
    assert_eq!(seen[1].authorization.as_deref(), Some("basic"));
    double.log().clear();
    assert_eq!((double.log().total(), double.log().count(|_| true)), (0, 0));
}
