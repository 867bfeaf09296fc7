//! `W20` to `W24`, `W26`: repositories, tags and their rules by the REST API.

use portolan_doubles::Content;
use portolan_doubles::web::{GitLab, Mode};
use serde_json::json;

use super::scene::{MANIFEST, Scene, column};
use crate::client::header;

#[tokio::test]
async fn w20_repositories_of_a_project_come_by_offset() {
    let scene = Scene::new().await;
    let path = "/projects/42/registry/repositories";
    for (page, id, next) in [(1, 1, "2"), (2, 2, "")] {
        let answer = scene
            .rest_raw(GitLab::FULL, &format!("{path}?per_page=1&page={page}"))
            .await;
        assert_eq!(header(&answer, "x-next-page"), next);
        assert_eq!(header(&answer, "link").contains("rel=\"next\""), page == 1);
        let rows = crate::client::json(answer).await;
        assert_eq!(column(&rows, "id"), [id.to_string()]);
    }
    let all = scene
        .rest(GitLab::FULL, &format!("{path}?tags=true&tags_count=true"))
        .await
        .body;
    let prefix = scene.gitlab.image_prefix();
    assert_eq!(
        (&all[0]["name"], &all[0]["path"]),
        (&json!(""), &json!("acme/shop"))
    );
    assert_eq!(
        (&all[1]["name"], &all[1]["project_id"]),
        (&json!("api"), &json!(42))
    );
    assert_eq!(all[1]["location"], format!("{prefix}/acme/shop/api"));
    assert_eq!(
        (&all[1]["tags_count"], all[1]["tags"].as_array().unwrap().len()),
        (&json!(5), 5)
    );
    assert!(scene.rest(GitLab::FULL, path).await.body[1].get("tags").is_none());
}

#[tokio::test]
async fn w21_what_one_may_not_see_is_not_there_and_what_one_may_not_read_is_forbidden() {
    let scene = Scene::new().await;
    let missing = json!({"message": "404 Project Not Found"});
    for id in ["43", "acme%2Fhidden", "99"] {
        let answer = scene
            .rest(GitLab::FULL, &format!("/projects/{id}/registry/repositories"))
            .await;
        assert_eq!((answer.status, answer.body), (404, missing.clone()), "{id}");
    }
    assert_eq!(
        scene
            .rest(GitLab::ADMIN, "/projects/43/registry/repositories")
            .await
            .body,
        json!([])
    );
    scene
        .gitlab
        .web()
        .change(|instance| instance.credential(GitLab::FULL.1).role = 10);
    let guest = scene
        .rest(GitLab::FULL, "/projects/42/registry/repositories")
        .await;
    assert_eq!(
        (guest.status, guest.body),
        (403, json!({"message": "403 Forbidden"}))
    );
}

#[tokio::test]
async fn w22_repositories_of_a_group_never_have_their_tags() {
    let scene = Scene::new().await;
    for id in ["7", "acme"] {
        let answer = scene
            .rest(
                GitLab::BOT,
                &format!("/groups/{id}/registry/repositories?tags=true"),
            )
            .await;
        assert_eq!(
            column(&answer.body, "path"),
            ["acme/shop", "acme/shop/api", "acme/open"]
        );
        assert!(
            answer
                .body
                .as_array()
                .unwrap()
                .iter()
                .all(|row| row.get("tags").is_none())
        );
    }
    assert_eq!(
        scene
            .rest(GitLab::BOT, "/groups/8/registry/repositories")
            .await
            .status,
        404
    );
    assert_eq!(
        column(&scene.rest(GitLab::BOT, "/groups").await.body, "full_path"),
        ["acme"]
    );
    assert_eq!(
        column(
            &scene.rest(GitLab::BOT, "/groups/7/projects?sort=asc").await.body,
            "id"
        ),
        ["42", "44"]
    );
}

#[tokio::test]
async fn w23_tags_come_by_keyset_with_the_database_and_by_offset_always() {
    let scene = Scene::new().await;
    let path = "/projects/42/registry/repositories/2/tags";
    let mut next = format!("{path}?pagination=keyset&per_page=2");
    let mut found = Vec::new();
    while !next.is_empty() {
        let page = scene.rest(GitLab::FULL, &next).await;
        found.extend(column(&page.body, "name"));
        let link = page.link.split(['<', '>']).nth(1).unwrap_or_default();
        next = link
            .split_once("/api/v4")
            .map(|(_, path)| path.to_owned())
            .unwrap_or_default();
    }
    assert_eq!(found, ["1.0.0", "1.0.1", "latest", "legacy", "multi"]);
    scene.gitlab.set_mode(Mode::Filesystem);
    assert_eq!(
        scene
            .rest(GitLab::FULL, &format!("{path}?pagination=keyset&per_page=1"))
            .await
            .status,
        405
    );
    let page = scene
        .rest(GitLab::FULL, &format!("{path}?per_page=4&page=2"))
        .await;
    let location = format!("{}/acme/shop/api:multi", scene.gitlab.image_prefix());
    assert_eq!(
        page.body,
        json!([{"name": "multi", "path": "acme/shop/api:multi", "location": location}])
    );
}

#[tokio::test]
async fn w24_a_tag_in_detail_is_known_by_its_config() {
    let scene = Scene::new().await;
    let path = "/projects/42/registry/repositories/2/tags";
    let tag = scene.rest(GitLab::FULL, &format!("{path}/1.0.0")).await.body;
    assert_eq!(
        tag,
        json!({
            "name": "1.0.0",
            "path": "acme/shop/api:1.0.0",
            "location": format!("{}/acme/shop/api:1.0.0", scene.gitlab.image_prefix()),
            "revision": "53335d84e97889dc5f00af1bffa104aeab44003305259f9c7ee02acfabf1b49c",
            "short_revision": "53335d84e",
            "digest": MANIFEST,
            "created_at": "2026-01-02T03:04:05.000+00:00",
            "total_size": 715,
        })
    );
    let index = scene.rest(GitLab::FULL, &format!("{path}/multi")).await.body;
    assert_eq!(
        (&index["revision"], &index["total_size"]),
        (&json!(""), &json!(null))
    );
    let unknown = scene.rest(GitLab::FULL, &format!("{path}/nope")).await;
    assert_eq!(
        (unknown.status, unknown.body),
        (404, json!({"message": "404 Tag Not Found"}))
    );
}

#[tokio::test]
async fn w26_rules_for_tags_are_for_developers_of_current_releases() {
    let scene = Scene::new().await;
    let path = "/projects/42/registry/protection/tag/rules";
    let rules = scene.rest(GitLab::FULL, path).await;
    assert_eq!(
        (rules.status, &rules.body[0]["tag_name_pattern"]),
        (200, &json!("v.*"))
    );
    scene.gitlab.web().switch(|switches| switches.tag_rules = false);
    assert_eq!(scene.rest(GitLab::FULL, path).await.status, 404);
    scene.gitlab.web().switch(|switches| switches.tag_rules = true);
    scene
        .gitlab
        .web()
        .change(|instance| instance.credential(GitLab::FULL.1).role = 20);
    assert_eq!(scene.rest(GitLab::FULL, path).await.status, 403);
}

#[tokio::test]
async fn sizes_are_counted_by_the_database_and_every_repository_gets_a_project() {
    let scene = Scene::new().await;
    assert_eq!(
        scene
            .rest(GitLab::FULL, "/registry/repositories/2?size=true")
            .await
            .body["size"],
        21
    );
    let project = scene
        .rest(GitLab::FULL, "/projects/42?statistics=true")
        .await
        .body;
    assert_eq!(project["statistics"]["container_registry_size"], 21);
    scene.gitlab.set_mode(Mode::Filesystem);
    let unknown = scene
        .rest(GitLab::FULL, "/registry/repositories/2?size=true")
        .await
        .body;
    assert_eq!(unknown["size"], json!(null));

    let scene = Scene::of(GitLab::builder(Content::demo())).await;
    let mut listed = 0;
    for id in column(
        &scene
            .rest(GitLab::FULL, "/projects?membership=true&per_page=100")
            .await
            .body,
        "id",
    ) {
        let path = format!("/projects/{id}/registry/repositories?per_page=100");
        listed += scene
            .rest(GitLab::FULL, &path)
            .await
            .body
            .as_array()
            .unwrap()
            .len();
    }
    assert_eq!(listed, scene.gitlab.registry().content().repositories().len());
}
