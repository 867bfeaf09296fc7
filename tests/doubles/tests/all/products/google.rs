//! Google's registries.

use portolan_doubles::Content;
use portolan_doubles::content::Image;
use portolan_doubles::products::Google;
use portolan_shared::process::{Shutdown, Tasks};
use serde_json::json;

use super::ask::plain_client;
use crate::client::json;

#[tokio::test]
async fn a_token_is_good_for_the_repository_that_was_named_first() {
    let tasks = Tasks::new(Shutdown::new());
    let mut content = Content::new();
    for name in ["p/r/a", "p/r/b"] {
        let mut shelf = content.shelf(name);
        let image = shelf.image(&Image::new(name));
        shelf.tag("1", &image);
    }
    let google = Google::new()
        .access_token("t", &["p"])
        .start(content, None, &tasks)
        .await
        .unwrap();
    let (client, url) = (plain_client(), google.url());
    let query = "service=x&scope=repository:p/r/a:pull&scope=repository:p/r/b:pull";
    let answer = client.get(format!("{url}/v2/token?{query}"));
    let answer = answer
        .basic_auth("oauth2accesstoken", Some("t"))
        .send()
        .await
        .unwrap();
    let token = json(answer).await["token"].as_str().unwrap().to_owned();
    let list = async |name: &str| {
        let request = client
            .get(format!("{url}/v2/{name}/tags/list"))
            .bearer_auth(&token);
        request.send().await.unwrap()
    };
    let other = list("p/r/b").await;
    assert_eq!(other.status(), 403);
    assert!(!other.headers().contains_key("www-authenticate"));
    let own = json(list("p/r/a").await).await;
    assert_eq!((&own["tags"], &own["child"]), (&json!(["1"]), &json!([])));
    let (digest, manifest) = own["manifest"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(
        *digest,
        google.content().resolve("p/r/a", "1").unwrap().to_string()
    );
    assert_eq!(manifest["tag"], json!(["1"]));
    assert!(manifest["timeUploadedMs"].is_string() && manifest["imageSizeBytes"].is_string());
}

#[tokio::test]
async fn a_path_above_repositories_names_its_children() {
    let tasks = Tasks::new(Shutdown::new());
    let mut content = Content::new();
    content.shelf("p/r/a/deep");
    content.shelf("p/r/b");
    let google = Google::new()
        .access_token("t", &["p"])
        .start(content, None, &tasks)
        .await
        .unwrap();
    let (client, url) = (plain_client(), google.url());
    let answer = client.get(format!("{url}/v2/token?scope=repository:p/r:pull"));
    let answer = answer
        .basic_auth("oauth2accesstoken", Some("t"))
        .send()
        .await
        .unwrap();
    let token = json(answer).await["token"].as_str().unwrap().to_owned();
    let list = client.get(format!("{url}/v2/p/r/tags/list")).bearer_auth(token);
    let list = json(list.send().await.unwrap()).await;
    assert_eq!((&list["child"], &list["tags"]), (&json!(["a", "b"]), &json!([])));
}
