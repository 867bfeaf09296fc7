//! `G`: GitLab's own API of the registry.

use portolan_doubles::registry::{Flavour, Paging};
use portolan_doubles::web::{GitLab, Mode};
use serde_json::json;

use super::scene::{CONFIG, INDEX, MANIFEST, Scene, column, got};
use crate::client::header;

const TAGS: &str = "/repositories/acme/shop/api/tags/list/";

#[tokio::test]
async fn g01_g02_g03_the_base_says_whether_there_is_a_database() {
    let scene = Scene::new().await;
    let base = format!("{}/gitlab/v1/", scene.gitlab.registry_url());
    let version = "gitlab-container-registry-version";
    for (mode, status, body) in [(Mode::Database, 200, "{}"), (Mode::Filesystem, 404, "")] {
        scene.gitlab.set_mode(mode);
        assert_eq!(
            scene.client.get(&base).send().await.unwrap().status(),
            401,
            "before anything else"
        );
        let answer = scene.registry(GitLab::FULL, &[], "/gitlab/v1/").await;
        assert_eq!(header(&answer, version), "4.39.0-gitlab");
        assert_eq!(header(&answer, "docker-distribution-api-version"), "");
        assert_eq!(
            (answer.status().as_u16(), answer.text().await.unwrap().as_str()),
            (status, body)
        );
        assert_eq!(scene.native(TAGS).await.status, status, "the whole prefix");
    }
    scene
        .gitlab
        .registry()
        .behave(|behaviour| behaviour.flavour = Flavour::Plain);
    let answer = scene.registry(GitLab::FULL, &[], "/gitlab/v1/").await;
    assert_eq!(
        (answer.status().as_u16(), header(&answer, version)),
        (404, String::new())
    );
}

#[tokio::test]
async fn g04_g05_g06_tags_come_in_pages_with_links_both_ways() {
    let scene = Scene::new().await;
    let link = |marker: &str, relation: &str| format!("</gitlab/v1{TAGS}?{marker}&n=2>; rel=\"{relation}\"");
    let page = scene.native(&format!("{TAGS}?n=2")).await;
    assert_eq!(column(&page.body, "name"), ["1.0.0", "1.0.1"]);
    assert_eq!(page.link, link("last=1.0.1", "next"));
    let page = scene.native(&format!("{TAGS}?last=1.0.1&n=2")).await;
    assert_eq!(column(&page.body, "name"), ["latest", "legacy"]);
    assert_eq!(
        page.link,
        [link("before=latest", "previous"), link("last=legacy", "next")].join(", ")
    );
    let page = scene.native(&format!("{TAGS}?last=legacy&n=2")).await;
    assert_eq!(column(&page.body, "name"), ["multi"]);
    assert_eq!(page.link, link("before=multi", "previous"));
    let page = scene.native(&format!("{TAGS}?before=multi&n=2")).await;
    assert_eq!(column(&page.body, "name"), ["latest", "legacy"]);
    assert_eq!(
        scene.native("/repositories/acme/shop/tags/list/").await.body,
        json!([])
    );
}

#[tokio::test]
async fn g04_a_tag_says_what_it_is_and_when_it_was_pushed() {
    let scene = Scene::new().await;
    let all = scene.native(TAGS).await;
    assert_eq!(
        all.body[0],
        json!({
            "name": "1.0.0",
            "digest": MANIFEST,
            "config_digest": CONFIG,
            "media_type": "application/vnd.oci.image.manifest.v1+json",
            "size_bytes": 715,
            "created_at": "2026-01-02T03:04:05.000Z",
            "updated_at": "2026-01-05T00:00:00.000Z",
            "published_at": "2026-01-05T00:00:00.000Z",
        })
    );
    let multi = all.body.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&multi["digest"], &multi["size_bytes"]),
        (&json!(INDEX), &json!(0))
    );
    for absent in ["config_digest", "updated_at", "referrers"] {
        assert!(multi.get(absent).is_none(), "{absent}");
    }
    scene.gitlab.registry().change(|content| {
        let index = content.resolve("acme/shop/api", "multi").unwrap().clone();
        content.shelf("acme/shop/api").tag("latest", &index);
    });
    let moved = scene.native(&format!("{TAGS}?name_exact=latest")).await;
    assert_eq!(moved.body[0]["updated_at"], "2026-01-02T03:04:06.000Z");
    assert_eq!(moved.body[0]["created_at"], "2026-01-02T03:04:05.000Z");
}

#[tokio::test]
async fn g04_tags_are_filtered_sorted_and_followed_by_their_time() {
    let scene = Scene::new().await;
    let names = async |query: &str| column(&scene.native(&format!("{TAGS}?{query}")).await.body, "name");
    assert_eq!(names("name=1.0").await, ["1.0.0", "1.0.1"]);
    assert_eq!(names("name_exact=nope").await, [""; 0]);
    assert_eq!(names("sort=-name&n=2").await, ["multi", "legacy"]);
    assert_eq!(names("sort=-name&n=2&last=legacy").await, ["latest", "1.0.1"]);
    assert_eq!(names("sort=-name&n=1&before=legacy").await, ["multi"]);
    for (sort, expected) in [
        ("published_at", ["1.0.1", "latest", "legacy", "multi", "1.0.0"]),
        ("-published_at", ["1.0.0", "multi", "legacy", "latest", "1.0.1"]),
    ] {
        let mut next = format!("{TAGS}?sort={sort}&n=2&name=");
        next.truncate(next.len() - "&name=".len());
        let mut found = Vec::new();
        while !next.is_empty() {
            let page = scene.native(&next).await;
            found.extend(column(&page.body, "name"));
            let forward = page
                .link
                .split(", ")
                .find(|link| link.ends_with("rel=\"next\""))
                .unwrap_or_default();
            next = forward
                .split(['<', '>'])
                .nth(1)
                .unwrap_or_default()
                .replace("/gitlab/v1", "");
        }
        assert_eq!(found, expected, "{sort}");
    }
}

#[tokio::test]
async fn g04_referrers_are_told_of_only_when_asked_for_and_links_forget_that() {
    let scene = Scene::new().await;
    let kind = "application/vnd.acme.sbom";
    scene.gitlab.registry().change(|content| {
        let subject = content.resolve("acme/shop/api", "1.0.0").unwrap().clone();
        let mut api = content.shelf("acme/shop/api");
        let subject = api.describe(&subject);
        let referrer = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": kind,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": CONFIG, "size": 2},
            "layers": [],
            "subject": subject,
        });
        api.manifest(&portolan_shared::model::MediaType::OCI_MANIFEST, &referrer);
    });
    let page = scene
        .native(&format!("{TAGS}?n=1&referrers=true&referrer_type={kind}"))
        .await;
    assert_eq!(page.body[0]["referrers"][0]["artifactType"], kind);
    assert_eq!(
        page.link,
        format!("</gitlab/v1{TAGS}?last=1.0.0&n=1>; rel=\"next\"")
    );
    let other = scene
        .native(&format!("{TAGS}?n=1&referrers=true&referrer_type=other/kind"))
        .await;
    assert!(other.body[0].get("referrers").is_none());
    assert!(
        scene.native(&format!("{TAGS}?n=1")).await.body[0]
            .get("referrers")
            .is_none()
    );
}

#[tokio::test]
async fn g07_g09_bad_parameters_and_unknown_repositories_have_codes_of_their_own() {
    let scene = Scene::new().await;
    for (query, code) in [
        ("n=0", "INVALID_QUERY_PARAMETER_VALUE"),
        ("n=1001", "INVALID_QUERY_PARAMETER_VALUE"),
        ("n=x", "INVALID_QUERY_PARAMETER_TYPE"),
        ("sort=size", "INVALID_QUERY_PARAMETER_VALUE"),
        ("last=a&before=b", "INVALID_QUERY_PARAMETER_VALUE"),
        ("name=a%2Fb", "INVALID_QUERY_PARAMETER_VALUE"),
        ("name=a&name_exact=a", "INVALID_QUERY_PARAMETER_VALUE"),
        ("referrers=yes", "INVALID_QUERY_PARAMETER_VALUE"),
        ("sort=published_at&last=1.0.0", "INVALID_QUERY_PARAMETER_VALUE"),
    ] {
        let answer = scene.native(&format!("{TAGS}?{query}")).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["code"]),
            (400, &json!(code)),
            "{query}"
        );
    }
    assert_eq!(scene.native(&format!("{TAGS}?n=1000")).await.status, 200);
    let unknown = scene.native("/repositories/acme/shop/nope/tags/list/").await;
    let error = &unknown.body["errors"][0];
    assert_eq!((unknown.status, &error["code"]), (404, &json!("NAME_UNKNOWN")));
    assert_eq!(error["detail"], json!({"name": "acme/shop/nope"}));
}

#[tokio::test]
async fn g08_without_the_slash_there_is_a_redirect_to_it() {
    let scene = Scene::new().await;
    let url = format!(
        "{}/gitlab/v1/repositories/acme/shop/api/tags/list?n=2",
        scene.gitlab.registry_url()
    );
    let answer = scene.client.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 301);
    assert_eq!(header(&answer, "location"), format!("/gitlab/v1{TAGS}?n=2"));
}

#[tokio::test]
async fn g10_g11_sizes_are_to_be_had_for_a_repository_and_not_for_what_is_below() {
    let scene = Scene::new().await;
    let one = scene.native("/repositories/acme/shop/api/?size=self").await;
    assert_eq!(
        one.body,
        json!({
            "name": "api",
            "path": "acme/shop/api",
            "created_at": "2026-01-02T03:04:05.000Z",
            "last_published_at": "2026-01-05T00:00:00.000Z",
            "size_bytes": 21,
            "size_precision": "default",
        })
    );
    assert!(
        scene
            .native("/repositories/acme/shop/api/")
            .await
            .body
            .get("size_bytes")
            .is_none()
    );
    assert_eq!(
        scene.native("/repositories/acme/shop/api/?size=all").await.status,
        400
    );
    for path in [
        "/gitlab/v1/repositories/acme/shop/?size=self_with_descendants",
        "/gitlab/v1/repository-paths/acme/shop/repositories/list/",
    ] {
        let scopes = ["repository:acme/shop:pull", "repository:acme/shop/*:pull"];
        let answer = scene.registry(GitLab::ADMIN, &scopes, path).await;
        let tail = format!(",scope=\"{}\",error=\"insufficient_scope\"", scopes.join(" "));
        assert!(header(&answer, "www-authenticate").ends_with(&tail), "{path}");
        assert_eq!(
            got(answer).await.body["errors"][0]["detail"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
    }
}

#[tokio::test]
async fn g12_a_tag_in_detail_names_the_platforms_below_it() {
    let scene = Scene::new().await;
    let multi = scene
        .native("/repositories/acme/shop/api/tags/detail/multi/")
        .await;
    assert_eq!(
        (&multi.body["repository"], &multi.body["name"]),
        (&json!("acme/shop/api"), &json!("multi"))
    );
    let child = &multi.body["image"]["manifest"]["references"][0];
    assert_eq!(child["manifest"]["digest"], MANIFEST);
    assert_eq!(
        child["config"]["platform"],
        json!({"architecture": "amd64", "os": "linux"})
    );
    assert_eq!(child["size_bytes"], 715);
    let plain = scene
        .native("/repositories/acme/shop/api/tags/detail/1.0.0/")
        .await;
    assert_eq!(plain.body["image"]["config"]["digest"], CONFIG);
    let unknown = scene
        .native("/repositories/acme/shop/api/tags/detail/nope/")
        .await;
    let error = &unknown.body["errors"][0];
    assert_eq!((unknown.status, &error["code"]), (404, &json!("TAG_UNKNOWN")));
    assert_eq!(error["detail"], json!({"tagName": "nope"}));
}

#[tokio::test]
async fn g04_pages_go_wrong_when_told_to() {
    let scene = Scene::new().await;
    let registry = scene.gitlab.registry();
    let next = async |paging| {
        registry.behave(|behaviour| behaviour.paging = paging);
        let page = scene.native(&format!("{TAGS}?n=2")).await;
        (page.link, page.body.as_array().unwrap().len())
    };
    assert_eq!(
        next(Paging::Loop).await,
        (format!("</gitlab/v1{TAGS}?n=2>; rel=\"next\""), 2)
    );
    assert!(
        next(Paging::WrongHost)
            .await
            .0
            .starts_with("<https://registry.internal.example:5443/gitlab/v1/")
    );
    let endless = format!("</gitlab/v1{TAGS}?last=made-up-000000000002&n=2>; rel=\"next\"");
    assert_eq!(next(Paging::Endless).await, (endless, 2));
    assert_eq!(next(Paging::NoLink).await, (String::new(), 2));
}
