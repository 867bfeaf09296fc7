//! Zot.

use portolan_doubles::Content;
use portolan_doubles::content::Image;
use portolan_doubles::products::Zot;
use portolan_shared::process::{Shutdown, Tasks};
use serde_json::json;

use super::ask::plain_client;
use crate::client::json;

fn content() -> Content {
    let mut content = Content::new();
    let mut shelf = content.shelf("a/b");
    let image = shelf.image(&Image::new("one"));
    shelf.tag("1", &image).tag("2", &image).tag("3", &image);
    content
}

#[tokio::test]
async fn the_challenge_is_in_lower_case_and_also_on_a_success() {
    let tasks = Tasks::new(Shutdown::new());
    let zot = Zot::new()
        .account("u", "s", &["**"])
        .by_token()
        .open_to_strangers();
    let zot = zot.start(content(), None, &tasks).await.unwrap();
    let answer = plain_client()
        .get(format!("{}/v2/", zot.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let expected = format!("bearer realm={}/auth/token,service=zot,scope=\"\"", zot.url());
    assert_eq!(answer.headers()["www-authenticate"], expected.as_str());
}

#[tokio::test]
async fn lists_are_whole_unless_asked_and_cursors_that_are_gone_are_not_found() {
    let tasks = Tasks::new(Shutdown::new());
    let zot = Zot::new().start(content(), None, &tasks).await.unwrap();
    let (client, list) = (plain_client(), format!("{}/v2/a/b/tags/list", zot.url()));
    let whole = client.get(&list).send().await.unwrap();
    assert!(!whole.headers().contains_key("link"));
    assert_eq!(json(whole).await["tags"], json!(["1", "2", "3"]));
    let page = client.get(format!("{list}?n=2")).send().await.unwrap();
    assert_eq!(
        page.headers()["link"],
        "</v2/a/b/tags/list?n=2&last=2>; rel=\"next\""
    );
    zot.change(|content| {
        content.shelf("a/b").untag("2");
    });
    let gone = client.get(format!("{list}?n=2&last=2")).send().await.unwrap();
    assert_eq!((gone.status().as_u16(), gone.content_length()), (404, Some(0)));
}

#[tokio::test]
async fn the_search_answers_what_its_schema_knows() {
    let tasks = Tasks::new(Shutdown::new());
    let zot = Zot::new()
        .without_push_times()
        .start(content(), None, &tasks)
        .await
        .unwrap();
    let client = plain_client();
    let ask = async |query: &str| {
        let url = format!("{}/v2/_zot/ext/search", zot.url());
        let answer = client.get(url).query(&[("query", query)]).send().await.unwrap();
        (answer.status().as_u16(), json(answer).await)
    };
    let query = "{ImageList(repo:\"a/b\",requestedPage:{limit:2,offset:1}){Page{TotalCount ItemCount}Results{Tag Size}}}";
    let (status, found) = ask(query).await;
    assert_eq!(status, 200);
    let list = &found["data"]["ImageList"];
    assert_eq!(list["Page"], json!({"TotalCount": 3, "ItemCount": 2}));
    assert_eq!(list["Results"][0]["Tag"], "2");
    assert!(list["Results"][0]["Size"].is_string() && list["Results"][0].get("Digest").is_none());
    for refused in [
        "{ImageList(repo:\"\"){Results{PushTimestamp}}}",
        "{Nonsense{Results{Tag}}}",
        "{ImageList(repo:\"a",
    ] {
        let (status, answer) = ask(refused).await;
        assert_eq!(status, 422, "{refused}");
        assert!(answer["errors"][0]["message"].is_string());
    }
    let closed = Zot::new()
        .without_search()
        .start(content(), None, &tasks)
        .await
        .unwrap();
    let answer = client
        .get(format!("{}/v2/_zot/ext/search", closed.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 404);
    let discovered = client
        .get(format!("{}/v2/_oci/ext/discover", closed.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(
        json(discovered).await["extensions"][0]["endpoints"],
        json!(["/v2/_zot/ext/mgmt"])
    );
}
