//! Harbor.

use portolan_doubles::Content;
use portolan_doubles::content::Image;
use portolan_doubles::products::{Harbor, HarborDouble};
use portolan_shared::process::{Shutdown, Tasks};
use reqwest::{Client, Response};

use super::ask::plain_client;
use crate::client::{ACCEPT, json};

async fn start() -> HarborDouble {
    let mut content = Content::new();
    let mut shelf = content.shelf("library/deep/image");
    let image = shelf.image(&Image::new("one"));
    shelf.tag("1", &image).tag("2", &image);
    content.shelf("other/empty");
    Harbor::new()
        .administrator("admin", "pw")
        .project_robot("library", "r", "rs")
        .public("library")
        .start(content, None, &Tasks::new(Shutdown::new()))
        .await
        .unwrap()
}

async fn get(client: &Client, url: String, login: Option<(&str, &str)>) -> Response {
    let request = client.get(url).header("accept", ACCEPT);
    let request = match login {
        Some((name, secret)) => request.basic_auth(name, Some(secret)),
        None => request,
    };
    request.send().await.unwrap()
}

fn challenge(response: &Response) -> String {
    response.headers()["www-authenticate"]
        .to_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn strangers_go_to_the_token_service_and_everybody_else_is_asked_for_a_password() {
    let (harbor, client) = (start().await, plain_client());
    let url = harbor.url();
    let manifest = format!("{url}/v2/library/deep/image/manifests/1");
    // Even of a public project.
    let stranger = get(&client, manifest.clone(), None).await;
    assert_eq!(stranger.status(), 401);
    assert_eq!(
        challenge(&stranger),
        format!(
            "Bearer realm=\"{url}/service/token\",service=\"harbor-registry\",scope=\"repository:library/deep/image:pull\""
        )
    );
    assert!(
        stranger.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .starts_with("sid=")
    );
    let wrong = get(&client, manifest.clone(), Some(("admin", "x"))).await;
    assert_eq!(
        (wrong.status().as_u16(), challenge(&wrong).as_str()),
        (401, "Basic realm=\"harbor\"")
    );
    let right = get(&client, manifest.clone(), Some(("robot$library+r", "rs"))).await;
    assert_eq!(right.status(), 200, "name and secret do, without a token");

    let scope = "service=harbor-registry&scope=repository:library/deep/image:pull";
    let answer = get(&client, format!("{url}/service/token?{scope}"), None).await;
    let token = json(answer).await["token"].as_str().unwrap().to_owned();
    let by_token = client.get(manifest).header("accept", ACCEPT).bearer_auth(&token);
    assert_eq!(by_token.send().await.unwrap().status(), 200);
    let catalog = client.get(format!("{url}/v2/_catalog")).bearer_auth(&token);
    let catalog = catalog.send().await.unwrap();
    assert_eq!(
        (catalog.status().as_u16(), challenge(&catalog).as_str()),
        (401, "Basic realm=\"harbor\"")
    );
}

#[tokio::test]
async fn the_catalog_is_for_administrators_and_holds_no_empty_repository() {
    let (harbor, client) = (start().await, plain_client());
    let catalog = format!("{}/v2/_catalog", harbor.url());
    let robot = get(&client, catalog.clone(), Some(("robot$library+r", "rs"))).await;
    assert_eq!(robot.status(), 401);
    let admin = json(get(&client, catalog.clone(), Some(("admin", "pw"))).await).await;
    assert_eq!(admin["repositories"], serde_json::json!(["library/deep/image"]));
    let unknown = get(&client, format!("{catalog}?last=gone"), Some(("admin", "pw"))).await;
    assert_eq!(unknown.status(), 400);
}

#[tokio::test]
async fn names_are_encoded_twice_and_pages_have_numbers() {
    let (harbor, client) = (start().await, plain_client());
    let api = format!("{}/api/v2.0", harbor.url());
    assert_eq!(
        get(&client, format!("{api}/ping"), None)
            .await
            .text()
            .await
            .unwrap(),
        "Pong"
    );
    let told = json(get(&client, format!("{api}/systeminfo"), None).await).await;
    assert!(told.get("harbor_version").is_none());
    let told = json(get(&client, format!("{api}/systeminfo"), Some(("admin", "pw"))).await).await;
    assert!(told["harbor_version"].as_str().unwrap().starts_with('v'));

    let projects = get(
        &client,
        format!("{api}/projects?page_size=1"),
        Some(("admin", "pw")),
    )
    .await;
    assert_eq!(projects.headers()["x-total-count"], "2");
    assert!(
        projects.headers()["link"]
            .to_str()
            .unwrap()
            .contains("page=2&page_size=1")
    );
    let of = |name: &str| format!("{api}/projects/library/repositories/{name}/artifacts?with_tag=true");
    let artifacts = json(get(&client, of("deep%252Fimage"), None).await).await;
    assert_eq!(artifacts[0]["tags"][1]["name"], "2");
    assert_eq!(get(&client, of("deep/image"), None).await.status(), 404);
    let other = format!("{api}/projects/other/repositories");
    assert_eq!(get(&client, other.clone(), None).await.status(), 401);
    assert_eq!(
        get(&client, other, Some(("robot$library+r", "rs")))
            .await
            .status(),
        403
    );
}

#[tokio::test]
async fn a_get_moves_the_pull_time_and_a_head_or_what_is_known_does_not() {
    let (harbor, client) = (start().await, plain_client());
    let digest = harbor
        .content()
        .resolve("library/deep/image", "1")
        .unwrap()
        .clone();
    let url = format!("{}/v2/library/deep/image/manifests/1", harbor.url());
    let pulls = || harbor.with(|harbor| harbor.pulls("library/deep/image", &digest));
    let head = client
        .head(&url)
        .basic_auth("admin", Some("pw"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        head.headers()["docker-content-digest"],
        digest.to_string().as_str()
    );
    let known = client.get(&url).header("if-none-match", format!("\"{digest}\""));
    let known = known.basic_auth("admin", Some("pw")).send().await.unwrap();
    assert_eq!((known.status().as_u16(), pulls()), (304, 0));
    assert_eq!(
        get(&client, url.clone(), Some(("admin", "pw"))).await.status(),
        200
    );
    assert_eq!(pulls(), 1);
    harbor.with(|harbor| harbor.block("library/deep/image", &digest));
    let blocked = get(&client, url.clone(), Some(("admin", "pw"))).await;
    assert_eq!(blocked.status(), 412);
    assert_eq!(json(blocked).await["errors"][0]["code"], "PROJECTPOLICYVIOLATION");
    let head = client
        .head(&url)
        .basic_auth("admin", Some("pw"))
        .send()
        .await
        .unwrap();
    assert_eq!((head.status().as_u16(), pulls()), (412, 1));
}
