//! Docker Hub, Gitea, Nexus and Artifactory: what clients trip over.

use portolan_doubles::Content;
use portolan_doubles::content::Image;
use portolan_doubles::products::{
    ArtifactoryDouble, ArtifactoryKind, GiteaAge, GiteaDouble, HubDouble, NexusDouble, NexusKind,
};
use portolan_shared::process::{Shutdown, Tasks};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use super::ask::plain_client;
use crate::client::{ACCEPT, header, json};

const LOGIN: (&str, &str) = ("reader", "secret");

fn content(names: &[&str]) -> Content {
    let mut content = Content::new();
    for name in names {
        let mut shelf = content.shelf(name);
        for tag in ["1", "2", "3"] {
            let image = shelf.image(&Image::new(&format!("{name} {tag}")));
            shelf.tag(tag, &image);
        }
    }
    content
}

fn tasks() -> Tasks {
    Tasks::new(Shutdown::new())
}

async fn ask(client: &Client, method: Method, url: String) -> Response {
    let request = client.request(method, url).header("accept", ACCEPT);
    request.basic_auth(LOGIN.0, Some(LOGIN.1)).send().await.unwrap()
}

async fn get(client: &Client, url: String) -> Response {
    ask(client, Method::GET, url).await
}

fn challenges(response: &Response) -> Vec<&str> {
    let all = response.headers().get_all("www-authenticate");
    all.iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn hub_counts_what_is_read_and_not_what_is_asked_for() {
    let hub = HubDouble::start(content(&["library/alpine"]), LOGIN, None, &tasks())
        .await
        .unwrap();
    let client = plain_client();
    let scope = "repository:library/alpine:pull";
    let url = format!(
        "{}/token?service=registry.docker.io&scope={scope}",
        hub.auth().url()
    );
    let token = json(client.get(url).send().await.unwrap()).await;
    let token = token["token"].as_str().unwrap();
    let manifest = format!("{}/v2/library/alpine/manifests/1", hub.registry().url());
    let read = async |method: Method| {
        let request = client.request(method, &manifest).header("accept", ACCEPT);
        request.bearer_auth(token).send().await.unwrap()
    };
    let head = read(Method::HEAD).await;
    assert_eq!(header(&head, "ratelimit-remaining"), "100;w=21600");
    assert_eq!(
        header(&read(Method::GET).await, "ratelimit-remaining"),
        "99;w=21600"
    );
    hub.behave(|manners| manners.pulls = 100);
    let refused = read(Method::GET).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(json(refused).await["errors"][0]["code"], "TOOMANYREQUESTS");
    assert_eq!(read(Method::HEAD).await.status(), 200);
    let catalog = client
        .get(format!("{}/v2/_catalog", hub.registry().url()))
        .bearer_auth(token);
    let catalog = catalog.send().await.unwrap();
    assert!(challenges(&catalog)[0].ends_with("error=\"insufficient_scope\""));
}

#[tokio::test]
async fn gitea_asks_as_its_age_does_and_links_beyond_the_end() {
    let client = plain_client();
    let start = async |age| {
        let content = content(&["acme/app"]);
        GiteaDouble::start(content, age, LOGIN, &["acme"], None, &tasks())
            .await
            .unwrap()
    };
    let old = start(GiteaAge::Older).await;
    let stranger = client
        .get(format!("{}/v2/", old.stage().url()))
        .send()
        .await
        .unwrap();
    let realm = format!("Bearer realm=\"{}/v2/token\"", old.stage().url());
    assert_eq!(challenges(&stranger), [realm.as_str(), "Basic"]);
    let new = start(GiteaAge::Newer).await;
    let token = json(get(&client, format!("{}/v2/token", new.stage().url())).await).await;
    assert_eq!(token.as_object().unwrap().keys().collect::<Vec<_>>(), ["token"]);
    let list = |query: &str| format!("{}/v2/acme/app/tags/list?{query}", new.stage().url());
    let last = get(&client, list("n=3")).await;
    assert_eq!(
        header(&last, "link"),
        "</v2/acme/app/tags/list?last=3&n=3>; rel=\"next\""
    );
    let beyond = get(&client, list("n=3&last=3")).await;
    assert_eq!(header(&beyond, "link"), "");
    assert_eq!(json(beyond).await["tags"], json!([]));
}

#[tokio::test]
async fn nexus_groups_lose_links_and_lists_have_holes() {
    let repositories = [
        ("hosted", NexusKind::Hosted),
        ("all", NexusKind::Group(vec!["hosted".to_owned()])),
    ];
    let content = content(&["hosted/app"]);
    let nexus = NexusDouble::start(content, &repositories, LOGIN, None, &tasks())
        .await
        .unwrap();
    let client = plain_client();
    let list = |key: &str| format!("{}/repository/{key}/v2/app/tags/list?n=2", nexus.stage().url());
    let stranger = client.get(list("hosted")).send().await.unwrap();
    assert_eq!(
        challenges(&stranger),
        ["BASIC realm=\"Sonatype Nexus Repository Manager\""]
    );
    assert!(!header(&get(&client, list("hosted")).await, "link").is_empty());
    nexus.behave(|manners| manners.holes = true);
    let group = get(&client, list("all")).await;
    assert_eq!(header(&group, "link"), "");
    assert_eq!(json(group).await["tags"], json!([null, "1", "2"]));
    let page = format!(
        "{}/service/rest/v1/components?repository=hosted",
        nexus.stage().url()
    );
    let page = json(get(&client, page).await).await;
    assert_eq!(page["continuationToken"], Value::Null);
    assert_eq!(page["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn artifactory_refuses_types_of_manifests_for_lists_and_names_no_scope_to_a_head() {
    let repositories = [("local", ArtifactoryKind::Local)];
    let content = content(&["local/app"]);
    let artifactory = ArtifactoryDouble::start(content, &repositories, LOGIN, None, &tasks())
        .await
        .unwrap();
    let (client, url) = (plain_client(), artifactory.stage().url());
    let below = |path: &str| format!("{url}/artifactory/api/docker/local/v2/{path}");
    assert_eq!(get(&client, below("app/tags/list")).await.status(), 406);
    for (method, scope) in [
        (Method::GET, ",scope=\"repository:app:pull\""),
        (Method::HEAD, ""),
    ] {
        let stranger = client.request(method, below("app/manifests/1"));
        let stranger = stranger.send().await.unwrap();
        let host = url.strip_prefix("http://").unwrap();
        let expected = format!("Bearer realm=\"{}\",service=\"{host}\"{scope}", below("token"));
        assert_eq!(challenges(&stranger), [expected]);
        assert!(header(&stranger, "x-jfrog-version").starts_with("Artifactory/"));
    }
    let list = client
        .get(below("_catalog?n=0"))
        .basic_auth(LOGIN.0, Some(LOGIN.1));
    let list = list.send().await.unwrap();
    assert_eq!(json(list).await["repositories"], json!(["app"]));
    let query = async |text: &'static str| {
        let request = client
            .post(format!("{url}/artifactory/api/search/aql"))
            .body(text);
        let request = request
            .header("content-type", "text/plain")
            .basic_auth(LOGIN.0, Some(LOGIN.1));
        request.send().await.unwrap()
    };
    let page = r#"items.find({"repo":"local"}).include("repo","path","name").offset(1).limit(1)"#;
    let page = json(query(page).await).await;
    assert_eq!(
        page["results"],
        json!([{"repo": "local", "path": "app/2", "name": "manifest.json"}])
    );
    assert_eq!(query("items.find({})").await.status(), 400);
    assert_eq!(query(r#"items.find({}).include("path")"#).await.status(), 400);
}
