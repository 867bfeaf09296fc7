//! The doubles against real programs: a registry by other people takes our tokens, and a client by other people sees our content.

use std::collections::{BTreeMap, BTreeSet};

use portolan_doubles::content::BenchShape;
use portolan_doubles::token::Access;
use portolan_doubles::{Content, DockerRegistry, RegistryDouble, Skopeo, TokenService};
use portolan_shared::model::TagName;
use reqwest::StatusCode;

use crate::client::{ADMIN, READER, Scene, header, json};

async fn real(scene: &Scene, tokens: &TokenService, content: &Content) -> DockerRegistry {
    let builder = DockerRegistry::builder()
        .tls(&scene.leaf)
        .tokens(tokens)
        .access_log();
    builder.start(content, &scene.tasks).await.unwrap()
}

/// Tag digests by HEAD of every tag in `content`.
async fn digests(
    scene: &Scene,
    url: &str,
    token: &str,
    content: &Content,
) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for (repository, tag) in content.expected().into_keys() {
        let answer = scene
            .head(&format!("{url}/v2/{repository}/manifests/{tag}"))
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{repository}:{tag}");
        found.insert((repository, tag), header(&answer, "docker-content-digest"));
    }
    found
}

fn everything(content: &Content) -> Vec<Access> {
    content
        .repositories()
        .keys()
        .map(|name| Access::pull(name.as_str()))
        .collect()
}

#[tokio::test]
async fn docker_registry_takes_the_tokens_of_the_service_and_no_others() {
    let scene = Scene::new();
    let tokens = scene.tokens().await;
    let content = Content::gitlab_fixture();
    let registry = real(&scene, &tokens, &content).await;
    let tags = format!("{}/v2/acme/shop/api/tags/list", registry.url());
    let answer = scene.get(&tags).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let challenge = header(&answer, "www-authenticate");
    assert!(
        challenge.contains(&format!("realm=\"{}\"", tokens.realm())),
        "{challenge}"
    );
    assert!(
        challenge.contains("service=\"container_registry\""),
        "{challenge}"
    );

    let token = scene
        .token(&tokens, READER, &["repository:acme/shop/api:pull"])
        .await;
    let list = json(scene.get(&tags).bearer_auth(&token).send().await.unwrap()).await;
    assert_eq!(list["tags"].as_array().unwrap().len(), 5);
    let hidden = format!("{}/v2/acme/hidden/tags/list", registry.url());
    let answer = scene.get(&hidden).bearer_auth(&token).send().await.unwrap();
    assert!(header(&answer, "www-authenticate").contains("insufficient_scope"));

    // The same claims under another key.
    let stranger = scene.tokens().await;
    let forged = scene
        .token(&stranger, READER, &["repository:acme/shop/api:pull"])
        .await;
    let answer = scene.get(&tags).bearer_auth(&forged).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(header(&answer, "www-authenticate").contains("invalid_token"));

    // Sixty seconds beyond its expiry, and no longer.
    tokens.set_lifetime(std::time::Duration::from_secs(5));
    tokens.set_backdated(std::time::Duration::from_secs(66));
    let expired = scene
        .token(&tokens, READER, &["repository:acme/shop/api:pull"])
        .await;
    let answer = scene.get(&tags).bearer_auth(&expired).send().await.unwrap();
    assert!(header(&answer, "www-authenticate").contains("invalid_token"));
    let requests = registry.requests();
    assert!(
        requests.contains(&"GET /v2/acme/shop/api/tags/list 200".to_owned()),
        "{requests:?}"
    );
}

#[tokio::test]
async fn the_double_and_docker_registry_serve_the_same_digests() {
    let scene = Scene::new();
    let tokens = scene.tokens().await;
    for content in [Content::demo(), Content::every_kind(false)] {
        let registry = real(&scene, &tokens, &content).await;
        let double = RegistryDouble::builder(content.clone()).tokens(&tokens);
        let double = double.start(scene.tls(), &scene.tasks).await.unwrap();
        let mut access = everything(&content);
        access.push(Access::catalog());
        let token = tokens.mint("root", access).unwrap();
        let expected: BTreeMap<_, _> = content
            .expected()
            .into_iter()
            .map(|(place, digest)| (place, digest.to_string()))
            .collect();
        assert_eq!(digests(&scene, &registry.url(), &token, &content).await, expected);
        assert_eq!(digests(&scene, &double.url(), &token, &content).await, expected);
        for url in [registry.url(), double.url()] {
            let catalog = scene
                .get(&format!("{url}/v2/_catalog?n=1000"))
                .bearer_auth(&token)
                .send()
                .await
                .unwrap();
            let names = json(catalog).await["repositories"].clone();
            let expected: Vec<_> = content.repositories().keys().map(ToString::to_string).collect();
            assert_eq!(names, serde_json::json!(expected), "{url}");
        }
        for url in [registry.url(), double.url()] {
            for (name, repository) in content.repositories() {
                let list = format!("{url}/v2/{name}/tags/list?n=1000");
                let answer = scene.get(&list).bearer_auth(&token).send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::OK, "{list}");
                let list = json(answer).await["tags"].clone();
                // A repository without tags has null or an empty list.
                let count = list.as_array().map_or(0, Vec::len);
                assert_eq!(count, repository.tags().len(), "{name}");
            }
        }
        // Every manifest and config byte for byte, from the real one.
        for (name, repository) in content.repositories() {
            let manifests = repository.manifests().iter().map(|digest| ("manifests", digest));
            let blobs = repository.blobs().iter().map(|digest| ("blobs", digest));
            for (kind, digest) in manifests.chain(blobs) {
                let url = format!("{}/v2/{name}/{kind}/{digest}", registry.url());
                let answer = scene.get(&url).bearer_auth(&token).send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::OK, "{url}");
                digest.verify(&answer.bytes().await.unwrap()).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn skopeo_sees_what_the_content_says_on_both() {
    let scene = Scene::new();
    let tokens = scene.tokens().await;
    let content = Content::every_kind(false);
    let registry = real(&scene, &tokens, &content).await;
    let double = RegistryDouble::builder(content.clone()).tokens(&tokens);
    let double = double.start(scene.tls(), &scene.tasks).await.unwrap();
    let expected = content.repository("acme/kinds").unwrap().tags();
    for address in [registry.address(), double.address()] {
        let witness = Skopeo::new(address, Some(&scene.ca), Some(ADMIN)).unwrap();
        let tags: BTreeSet<TagName> = witness
            .list_tags("acme/kinds")
            .await
            .unwrap()
            .into_iter()
            .collect();
        assert_eq!(tags, expected.keys().cloned().collect());
        for tag in [
            "image",
            "index",
            "docker-list",
            "helm-chart",
            "sbom",
            "build-cache-index",
            "wasm",
        ] {
            let digest = witness.digest("acme/kinds", tag).await.unwrap();
            assert_eq!(&digest, &expected[tag], "{tag}");
            assert_eq!(
                witness.digest("acme/kinds", &digest.to_string()).await.unwrap(),
                digest
            );
        }
        let stranger = Skopeo::new(address, Some(&scene.ca), Some(("root", "wrong"))).unwrap();
        let error = stranger.list_tags("acme/kinds").await.unwrap_err().to_string();
        assert!(error.contains("skopeo list-tags"), "{error}");
    }
    assert!(tokens.asked_beyond_reading().is_empty());
}

#[tokio::test]
async fn ten_thousand_tags_are_there_without_pushing_and_tags_move_while_it_runs() {
    let scene = Scene::new();
    let content = Content::bench(BenchShape::default());
    let registry = DockerRegistry::builder()
        .start(&content, &scene.tasks)
        .await
        .unwrap();
    let mut tags = 0;
    for name in content.repositories().keys() {
        let list = json(
            scene
                .get(&format!("{}/v2/{name}/tags/list", registry.url()))
                .send()
                .await
                .unwrap(),
        )
        .await;
        tags += list["tags"].as_array().unwrap().len();
    }
    assert_eq!(tags, 10_000);
    let url = format!("{}/v2/bench/042/manifests/v00007", registry.url());
    let now = async || header(&scene.head(&url).send().await.unwrap(), "docker-content-digest");
    assert_eq!(
        now().await,
        content.resolve("bench/042", "v00007").unwrap().to_string()
    );
    let other = content.resolve("bench/042", "v00099").unwrap();
    registry.tag("bench/042", "v00007", other).unwrap();
    assert_eq!(now().await, other.to_string());
    registry.untag("bench/042", "v00007").unwrap();
    assert_eq!(
        scene.head(&url).send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
    let mut more = Content::new();
    let mut shelf = more.shelf("bench/new");
    let chart = shelf.helm_chart("new", "1.0.0");
    shelf.tag("1.0.0", &chart);
    registry.add(&more).unwrap();
    let answer = scene
        .head(&format!("{}/v2/bench/new/manifests/1.0.0", registry.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(header(&answer, "docker-content-digest"), chart.to_string());
}

#[tokio::test]
async fn docker_registry_asks_for_a_login_out_of_htpasswd_and_dies_when_dropped() {
    let scene = Scene::new();
    // reader:secret, bcrypt with the least cost.
    let lines = "reader:$2b$04$abcdefghijklmnopqrstuuVtmcH29f/uUSMb6uwYqI8NdPd6MIG8O\n";
    let builder = DockerRegistry::builder().tls(&scene.leaf).htpasswd(lines);
    let registry = builder
        .start(&Content::gitlab_fixture(), &scene.tasks)
        .await
        .unwrap();
    let answer = scene
        .get(&format!("{}/v2/", registry.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(header(&answer, "www-authenticate").starts_with("Basic "));
    let address = registry.address();
    let folder = registry.folder();
    drop(registry);
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(!folder.exists());
    scene.tasks.ended().await;
}
