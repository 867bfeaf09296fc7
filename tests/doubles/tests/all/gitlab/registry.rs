//! `R`: the registry host, as the distribution specification has it and as GitLab bends it.

use std::time::Duration;

use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::registry::BlobServing;
use portolan_doubles::web::{GitLab, Mode};
use reqwest::Method;
use serde_json::json;

use super::scene::{API, CONFIG, INDEX, MANIFEST, Scene, got};
use crate::client::{ACCEPT, header};

const PRODUCT: [&str; 3] = [
    "gitlab-container-registry-version",
    "gitlab-container-registry-features",
    "gitlab-container-registry-database-enabled",
];

#[tokio::test]
async fn r01_r02_r03_the_ping_challenges_and_names_the_product_to_bearers_alone() {
    let scene = Scene::new().await;
    let ping = format!("{}/v2/", scene.gitlab.registry_url());
    let answer = scene.client.get(&ping).send().await.unwrap();
    let realm = format!("{}/jwt/auth", scene.gitlab.web_url());
    let challenge = format!("Bearer realm=\"{realm}\",service=\"container_registry\"");
    assert_eq!(header(&answer, "www-authenticate"), challenge);
    assert_eq!(header(&answer, "docker-distribution-api-version"), "registry/2.0");
    assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
    assert!(PRODUCT.iter().all(|name| header(&answer, name).is_empty()));
    assert_eq!(answer.status(), 401);
    assert_eq!(
        answer.text().await.unwrap(),
        "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\",\"detail\":null}]}\n"
    );
    for (mode, database) in [(Mode::Database, "true"), (Mode::Filesystem, "false")] {
        scene.gitlab.set_mode(mode);
        let answer = scene.registry(GitLab::FULL, &[], "/v2/").await;
        assert_eq!(header(&answer, PRODUCT[0]), "4.39.0-gitlab");
        assert_eq!(header(&answer, PRODUCT[1]), "tag_delete");
        assert_eq!(header(&answer, PRODUCT[2]), database);
        assert_eq!(header(&answer, "content-length"), "2");
        assert_eq!(
            (answer.status().as_u16(), answer.text().await.unwrap().as_str()),
            (200, "{}")
        );
    }
    scene
        .gitlab
        .web()
        .tokens()
        .set_backdated(Duration::from_secs(400));
    let expired = scene.token(GitLab::FULL, &[]).await;
    for token in ["garbage", expired.as_str()] {
        let answer = scene.with_token(token, "/v2/").await;
        assert_eq!(
            header(&answer, "www-authenticate"),
            format!("{challenge},error=\"invalid_token\"")
        );
    }
}

#[tokio::test]
async fn r04_r05_r06_the_catalog_is_for_administrators() {
    let scene = Scene::new().await;
    let catalog = ["registry:catalog:*"];
    let answer = scene.registry(GitLab::FULL, &catalog, "/v2/_catalog").await;
    let tail = ",scope=\"registry:catalog:*\",error=\"insufficient_scope\"";
    assert!(header(&answer, "www-authenticate").ends_with(tail));
    let detail =
        json!([{"Type": "registry", "Class": "", "Name": "catalog", "ProjectPath": "", "Action": "*"}]);
    assert_eq!(got(answer).await.body["errors"][0]["detail"], detail);
    let page = got(scene.registry(GitLab::ADMIN, &catalog, "/v2/_catalog?n=1").await).await;
    assert_eq!(
        (page.status, page.body),
        (200, json!({"repositories": ["acme/open"]}))
    );
    assert_eq!(page.link, "</v2/_catalog?last=acme%2Fopen&n=1>; rel=\"next\"");
    let page = got(scene
        .registry(GitLab::ADMIN, &catalog, "/v2/_catalog?n=1001")
        .await)
    .await;
    let error = &page.body["errors"][0];
    assert_eq!(
        (page.status, &error["code"]),
        (400, &json!("PAGINATION_NUMBER_INVALID"))
    );
    assert_eq!(error["detail"], "n must be no larger than 1000");
}

#[tokio::test]
async fn r07_r08_r09_tags_are_paged_by_the_database_alone() {
    let scene = Scene::new().await;
    let list = async |name: &str| {
        let scope = format!("repository:{name}:pull");
        got(scene
            .registry(GitLab::FULL, &[&scope], &format!("/v2/{name}/tags/list?n=1"))
            .await)
        .await
    };
    let page = list("acme/shop/api").await;
    assert_eq!(page.body, json!({"name": "acme/shop/api", "tags": ["1.0.0"]}));
    assert_eq!(
        page.link,
        "</v2/acme/shop/api/tags/list?last=1.0.0&n=1>; rel=\"next\""
    );
    let empty = list("acme/shop").await;
    assert_eq!(
        (empty.status, empty.body),
        (200, json!({"name": "acme/shop", "tags": null}))
    );
    let unknown = list("acme/shop/nope").await;
    let error = &unknown.body["errors"][0];
    assert_eq!((unknown.status, &error["code"]), (404, &json!("NAME_UNKNOWN")));
    assert_eq!(error["detail"], json!({"name": "acme/shop/nope"}));
    scene.gitlab.set_mode(Mode::Filesystem);
    let all = list("acme/shop/api").await;
    assert_eq!(
        all.body["tags"],
        json!(["1.0.0", "1.0.1", "latest", "legacy", "multi"])
    );
    assert_eq!(all.link, "");
}

#[tokio::test]
async fn r10_r11_r12_r13_r14_manifests_depend_on_what_is_accepted_and_known() {
    let scene = Scene::new().await;
    let token = scene.token(GitLab::FULL, &[API]).await;
    let ask = async |tag: &str, accept: &str, known: &str| {
        let url = format!("{}/v2/acme/shop/api/manifests/{tag}", scene.gitlab.registry_url());
        let mut request = scene
            .client
            .request(Method::HEAD, &url)
            .bearer_auth(&token)
            .header("accept", accept);
        if !known.is_empty() {
            request = request.header("if-none-match", known);
        }
        request.send().await.unwrap()
    };
    let answer = ask("1.0.0", ACCEPT, "").await;
    assert_eq!(answer.status(), 200);
    for (name, value) in [
        ("content-type", "application/vnd.oci.image.manifest.v1+json"),
        ("content-length", "400"),
        ("docker-content-digest", MANIFEST),
        ("etag", &format!("\"{MANIFEST}\"")),
    ] {
        assert_eq!(header(&answer, name), value);
    }
    assert_eq!(
        ask("1.0.0", ACCEPT, &format!("\"{MANIFEST}\"")).await.status(),
        304
    );
    assert_eq!(ask("1.0.0", ACCEPT, MANIFEST).await.status(), 304);
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    assert_eq!(ask("1.0.0", docker, "").await.status(), 404);
    let url = format!("{}/v2/acme/shop/api/manifests/1.0.0", scene.gitlab.registry_url());
    let answer = scene
        .client
        .get(url)
        .bearer_auth(&token)
        .header("accept", docker)
        .send()
        .await
        .unwrap();
    let error = got(answer).await.body["errors"][0].clone();
    assert_eq!(error["code"], "MANIFEST_UNKNOWN");
    assert_eq!(
        error["message"],
        "OCI manifest found, but accept header does not support OCI manifests"
    );
    let index = scene
        .with_token(&token, "/v2/acme/shop/api/manifests/multi")
        .await;
    assert_eq!(header(&index, "docker-content-digest"), INDEX);
    assert_eq!(
        index.text().await.unwrap(),
        portolan_doubles::content::FIXTURE_INDEX
    );
    let legacy = got(scene
        .with_token(&token, "/v2/acme/shop/api/manifests/legacy")
        .await)
    .await;
    let error = &legacy.body["errors"][0];
    assert_eq!((legacy.status, &error["code"]), (400, &json!("MANIFEST_INVALID")));
    assert_eq!(error["message"], "Schema 1 manifest not supported");
}

#[tokio::test]
async fn r15_r16_r17_blobs_come_from_the_registry_or_from_storage_that_wants_no_second_credential() {
    let scene = Scene::filesystem().await;
    let token = scene.token(GitLab::FULL, &[API]).await;
    let path = format!("/v2/acme/shop/api/blobs/{CONFIG}");
    let direct = scene.with_token(&token, &path).await;
    assert_eq!(header(&direct, "docker-content-digest"), CONFIG);
    assert_eq!(
        direct.text().await.unwrap(),
        portolan_doubles::content::FIXTURE_CONFIG
    );
    scene
        .gitlab
        .registry()
        .behave(|behaviour| behaviour.blobs = BlobServing::Redirect);
    let answer = scene.with_token(&token, &path).await;
    assert_eq!(answer.status(), 307);
    let location = header(&answer, "location");
    let hex = CONFIG.trim_start_matches("sha256:");
    let storage = scene.gitlab.registry().storage_address();
    assert_eq!(
        location,
        format!("http://{storage}/bucket/{hex}?X-Amz-Signature=abc&X-Amz-Expires=1200")
    );
    assert_eq!(scene.client.get(&location).send().await.unwrap().status(), 200);
    let second = scene
        .client
        .get(&location)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(second.status(), 400);
    assert!(
        second
            .text()
            .await
            .unwrap()
            .contains("<Code>InvalidArgument</Code>")
    );
}

#[tokio::test]
async fn r18_r19_without_the_right_it_is_401_and_without_the_path_404() {
    let scene = Scene::new().await;
    let scope = "repository:acme/hidden:pull";
    let answer = scene
        .registry(GitLab::FULL, &[scope], "/v2/acme/hidden/tags/list")
        .await;
    let tail = format!(",scope=\"{scope}\",error=\"insufficient_scope\"");
    assert!(header(&answer, "www-authenticate").ends_with(&tail));
    assert_eq!(answer.status(), 401);
    let path = format!("/v2/acme/shop/api/referrers/{MANIFEST}");
    let answer = scene.registry(GitLab::FULL, &[API], &path).await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.text().await.unwrap(), "404 page not found\n");
}

#[tokio::test]
async fn r20_every_second_call_goes_wrong_in_every_way() {
    let scene = Scene::new().await;
    let token = scene.token(GitLab::FULL, &[API]).await;
    for (fault, status, named) in [
        (Fault::InvalidToken, 401, "UNAUTHORIZED"),
        (Fault::too_many(1), 429, "TOOMANYREQUESTS"),
        (Fault::unavailable(), 503, "UNAVAILABLE"),
    ] {
        let faults = scene.gitlab.registry().faults();
        faults.clear();
        faults.add(Rule::on("/tags/").every(2), fault);
        let path = "/gitlab/v1/repositories/acme/shop/api/tags/list/";
        assert_eq!(scene.with_token(&token, path).await.status(), 200);
        let answer = scene.with_token(&token, path).await;
        assert_eq!(
            header(&answer, "retry-after"),
            if status == 429 { "1" } else { "" }
        );
        let answer = got(answer).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["code"]),
            (status, &json!(named))
        );
    }
    let faults = scene.gitlab.registry().faults();
    faults.clear();
    faults.add(Rule::all().once(), Fault::Reset);
    let url = format!("{}/v2/", scene.gitlab.registry_url());
    scene.client.get(&url).send().await.unwrap_err();
    assert_eq!(scene.client.get(&url).send().await.unwrap().status(), 401);
}
