//! Quay.

use portolan_doubles::Content;
use portolan_doubles::content::Image;
use portolan_doubles::products::{Quay, QuayDouble};
use portolan_shared::process::{Shutdown, Tasks};

use super::ask::plain_client;
use crate::client::{ACCEPT, json};

fn content() -> Content {
    let mut content = Content::new();
    let mut shelf = content.shelf("acme/shop");
    let image = shelf.image(&Image::new("one"));
    for tag in 0..130 {
        shelf.tag(&format!("t{tag:03}"), &image);
        let minute = tag % 60;
        shelf.pushed(
            &format!("t{tag:03}"),
            &format!("2026-01-0{}T00:{minute:02}:00Z", 9 - tag / 60),
            None,
        );
    }
    content
}

async fn token(quay: &QuayDouble, name: &str, secret: &str) -> String {
    let url = format!("{}/v2/auth?service=x&scope=repository:acme/shop:pull", quay.url());
    let answer = plain_client()
        .get(url)
        .basic_auth(name, Some(secret))
        .send()
        .await
        .unwrap();
    json(answer).await["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn pages_are_cut_or_refused_and_linked_by_the_configured_name() {
    let tasks = Tasks::new(Shutdown::new());
    let new = Quay::new()
        .robot("acme", "r", "s")
        .start(content(), None, &tasks)
        .await
        .unwrap();
    let client = plain_client();
    let list = async |quay: &QuayDouble, query: &str| {
        let url = format!("{}/v2/acme/shop/tags/list{query}", quay.url());
        let token = token(quay, "acme+r", "s").await;
        client.get(url).bearer_auth(token).send().await.unwrap()
    };
    let page = list(&new, "?n=1000").await;
    assert!(page.headers().contains_key("x-sparse-manifest-support"));
    let link = page.headers()["link"].to_str().unwrap().to_owned();
    assert!(
        link.starts_with("<https://quay.internal.example/v2/acme/shop/tags/list?n=100&last="),
        "{link}"
    );
    let page = json(page).await;
    assert_eq!(page["tags"].as_array().unwrap().len(), 100);
    assert_eq!(page["tags"][0], "t120", "oldest first");
    let old = Quay::new().robot("acme", "r", "s").refuses_large_pages();
    let old = old.start(content(), None, &tasks).await.unwrap();
    let refused = list(&old, "?n=1000").await;
    assert_eq!(refused.status(), 413);
    assert_eq!(
        json(refused).await["errors"][0]["code"],
        "TOO_MANY_TAGS_REQUESTED"
    );
}

#[tokio::test]
async fn the_api_is_open_to_oauth_tokens_and_what_is_public_to_strangers() {
    let tasks = Tasks::new(Shutdown::new());
    let quay = Quay::new().robot("acme", "r", "s").oauth_token("o", &["acme"]);
    let quay = quay.start(content(), None, &tasks).await.unwrap();
    let client = plain_client();
    let tags = format!(
        "{}/api/v1/repository/acme/shop/tag/?limit=100&onlyActiveTags=true",
        quay.url()
    );
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    assert_eq!(status(client.get(&tags)).await, 401);
    assert_eq!(
        status(client.get(&tags).basic_auth("acme+r", Some("s"))).await,
        401
    );
    let page = json(client.get(&tags).bearer_auth("o").send().await.unwrap()).await;
    assert_eq!(
        (page["has_additional"].as_bool(), page["page"].as_u64()),
        (Some(true), Some(1))
    );
    assert_eq!(page["tags"][0]["name"], "t059", "newest first");
    assert!(page["tags"][0]["start_ts"].is_number() && page["tags"][0]["manifest_digest"].is_string());
    let without = format!("{}/api/v1/repository", quay.url());
    assert_eq!(
        status(client.get(without).bearer_auth("o")).await,
        400,
        "no namespace"
    );
}

#[tokio::test]
async fn no_request_is_conditional() {
    let tasks = Tasks::new(Shutdown::new());
    let quay = Quay::new()
        .robot("acme", "r", "s")
        .start(content(), None, &tasks)
        .await
        .unwrap();
    let digest = quay.content().resolve("acme/shop", "t000").unwrap().clone();
    let url = format!("{}/v2/acme/shop/manifests/t000", quay.url());
    let token = token(&quay, "acme+r", "s").await;
    let request = plain_client()
        .get(url)
        .header("accept", ACCEPT)
        .bearer_auth(token);
    let answer = request
        .header("if-none-match", format!("\"{digest}\""))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}
