//! `W17` to `W19`: projects, which say where their images are.

use portolan_doubles::web::{FormerPaths, GitLab, Project, RegistryAccess};
use serde_json::json;

use super::scene::{Scene, column, got};
use crate::client::header;

const KEYSET: &str = "/projects?pagination=keyset&order_by=id&sort=asc&per_page=1";

#[tokio::test]
async fn w17_projects_come_by_keyset_until_there_is_no_link() {
    let scene = Scene::new().await;
    let first = scene.rest(GitLab::FULL, KEYSET).await;
    assert_eq!(column(&first.body, "id"), ["42"]);
    let next = first.link.split(['<', '>']).nth(1).unwrap();
    let start = format!("{}/api/v4/projects?id_after=42&", scene.gitlab.web_url());
    assert!(
        next.starts_with(&start) && first.link.ends_with("; rel=\"next\""),
        "{next}"
    );
    let last = scene
        .rest(GitLab::FULL, next.split_once("/api/v4").unwrap().1)
        .await;
    assert_eq!(
        (column(&last.body, "id"), last.link.as_str()),
        (vec!["44".to_owned()], "")
    );
    let member = scene
        .rest(GitLab::FULL, &format!("{KEYSET}&membership=true"))
        .await;
    assert_eq!(
        (column(&member.body, "id"), member.link.as_str()),
        (vec!["42".to_owned()], "")
    );
    let all = scene.rest(GitLab::ADMIN, "/projects?sort=asc").await;
    assert_eq!(column(&all.body, "id"), ["42", "43", "44"]);
    let unordered = scene.rest(GitLab::FULL, "/projects?pagination=keyset").await;
    assert_eq!(unordered.status, 405);
}

#[tokio::test]
async fn w17_projects_come_by_offset_with_totals_up_to_ten_thousand() {
    let scene = Scene::new().await;
    let answer = scene
        .rest_raw(GitLab::ADMIN, "/projects?sort=asc&per_page=2")
        .await;
    for (name, value) in [
        ("x-page", "1"),
        ("x-per-page", "2"),
        ("x-next-page", "2"),
        ("x-prev-page", ""),
        ("x-total", "3"),
        ("x-total-pages", "2"),
    ] {
        assert_eq!(header(&answer, name), value, "{name}");
    }
    let link = header(&answer, "link");
    for relation in ["next", "first", "last"] {
        assert!(link.contains(&format!("rel=\"{relation}\"")), "{link}");
    }
    scene.gitlab.web().change(|instance| {
        instance
            .projects
            .extend((50_000..61_000).map(|id| Project::new(id, &format!("many/p{id}"))));
    });
    let answer = scene
        .rest_raw(GitLab::ADMIN, "/projects?sort=asc&per_page=1000")
        .await;
    assert_eq!(
        (header(&answer, "x-total"), header(&answer, "x-per-page")),
        (String::new(), "100".into())
    );
    assert!(!header(&answer, "link").contains("rel=\"last\""));
    assert_eq!(
        scene
            .rest(GitLab::ADMIN, "/projects?page=502&per_page=100")
            .await
            .status,
        405
    );
}

#[tokio::test]
async fn w18_a_token_without_api_scope_is_told_which_would_do() {
    let scene = Scene::new().await;
    for path in [
        KEYSET,
        "/projects/42",
        "/groups",
        "/projects/42/registry/repositories",
    ] {
        let answer = scene.rest(GitLab::REGISTRY_ONLY, path).await;
        assert_eq!(
            (answer.status, &answer.body["error"]),
            (403, &json!("insufficient_scope")),
            "{path}"
        );
        assert_eq!(answer.body["scope"], "api read_api");
    }
    assert_eq!(scene.rest(GitLab::DEPLOY, KEYSET).await.status, 401);
}

#[tokio::test]
async fn w19_a_project_says_where_its_images_are_and_how_they_are_cleaned_up() {
    let scene = Scene::new().await;
    for id in ["42", "acme%2Fshop"] {
        let project = scene.rest(GitLab::FULL, &format!("/projects/{id}")).await.body;
        let prefix = format!("{}/acme/shop", scene.gitlab.image_prefix());
        assert_eq!(project["container_registry_image_prefix"], json!(prefix));
        assert_eq!(project["container_registry_access_level"], "enabled");
        assert_eq!(project["container_expiration_policy"], Project::default_policy());
        assert_eq!(project["path_with_namespace"], "acme/shop");
    }
    let web = scene.gitlab.web();
    web.change(|instance| {
        let shop = instance.project("acme/shop");
        shop.registry = RegistryAccess::Disabled;
        shop.expiration_policy = Some(json!({"name_regex": "v.+|(", "enabled": true}));
    });
    web.switch(|switches| switches.registry_enabled = false);
    let project = scene.rest(GitLab::FULL, "/projects/42").await.body;
    assert_eq!(project["container_registry_access_level"], "disabled");
    assert_eq!(project["container_registry_enabled"], false);
    assert_eq!(project["container_expiration_policy"]["name_regex"], "v.+|(");
    assert!(project.get("container_registry_image_prefix").is_none());
    web.change(|instance| instance.project("acme/shop").expiration_policy = None);
    let project = scene.rest(GitLab::FULL, "/projects/42").await.body;
    assert!(project.get("container_expiration_policy").is_none());
    let simple = scene.rest(GitLab::ADMIN, "/projects?simple=true").await.body;
    assert!(simple[0].get("container_registry_access_level").is_none());
}

#[tokio::test]
async fn w19_strangers_see_public_projects_alone() {
    let scene = Scene::new().await;
    let ask = async |path: &str| {
        let url = format!("{}/api/v4{path}", scene.gitlab.web_url());
        got(scene.client.get(url).send().await.unwrap()).await
    };
    assert_eq!(ask("/projects/44").await.body["visibility"], "public");
    assert_eq!(ask("/projects/42").await.status, 404);
    assert_eq!(column(&ask("/projects").await.body, "id"), ["44"]);
    assert_eq!(ask("/personal_access_tokens/self").await.status, 401);
    assert_eq!(
        column(&ask("/projects/44/registry/repositories").await.body, "path"),
        ["acme/open"]
    );
}

#[tokio::test]
async fn a_moved_project_is_known_by_its_former_path_to_the_api_alone() {
    let scene = Scene::new().await;
    scene
        .gitlab
        .web()
        .change(|instance| instance.move_project("acme/shop", "acme/platform"));
    let redirected = scene.rest_raw(GitLab::FULL, "/projects/acme%2Fshop").await;
    assert_eq!(redirected.status(), 301);
    let there = format!("{}/api/v4/projects/42", scene.gitlab.web_url());
    assert_eq!(header(&redirected, "location"), there);
    let now = scene.rest(GitLab::FULL, "/projects/acme%2Fplatform").await;
    assert_eq!(now.body["path_with_namespace"], "acme/platform");
    scene
        .gitlab
        .web()
        .switch(|switches| switches.former_paths = FormerPaths::Described);
    let described = scene.rest(GitLab::FULL, "/projects/acme%2Fshop").await;
    assert_eq!(described.body["path_with_namespace"], "acme/platform");
}
