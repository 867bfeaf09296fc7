//! `portolan webhook`.

use portolan::cli::Exit;

use crate::desk::{Desk, settled};
use crate::webhook_endpoint::{Endpoint, Manner, Scene};

/// What differs from run to run, made equal.
fn constant(text: &str, endpoint: &Endpoint) -> String {
    let text = settled(text).replace(&endpoint.address.to_string(), "127.0.0.1:8080");
    let keys = regex::Regex::new("whsec_[A-Za-z0-9+/=]{44}").unwrap();
    let text = keys.replace_all(&text, "whsec_…");
    let took = regex::Regex::new("[0-9]+ ms").unwrap();
    took.replace_all(&text, "1 ms").into_owned()
}

#[tokio::test]
async fn people_add_try_and_watch_a_webhook() {
    let scene = Scene::new().await;
    let desk = Desk::open(&scene.world).await;
    let endpoint = Endpoint::open(Manner::Answers(vec!["204 No Content\r\n", "500 Oh\r\n"])).await;
    let mut told = String::new();
    for (line, exit) in [
        (
            format!("webhook add deployer {} --registry gl", endpoint.url()),
            Exit::Done,
        ),
        ("webhook test deployer".to_owned(), Exit::Done),
        ("webhook test deployer".to_owned(), Exit::Undelivered),
        ("webhook pause deployer".to_owned(), Exit::Done),
        ("webhook list".to_owned(), Exit::Done),
        ("webhook resume deployer --skip".to_owned(), Exit::Done),
        (
            "webhook set deployer --name pager --all-registries".to_owned(),
            Exit::Done,
        ),
        ("webhook rotate pager".to_owned(), Exit::Done),
        ("webhook show pager --secret".to_owned(), Exit::Done),
        ("webhook deliveries pager".to_owned(), Exit::Done),
        (
            "webhook add pager https://h.example.com/".to_owned(),
            Exit::Conflict,
        ),
        (
            "webhook add other https://10.0.0.1/hunter2".to_owned(),
            Exit::Usage,
        ),
        ("webhook remove pager --yes".to_owned(), Exit::Done),
        ("webhook show pager".to_owned(), Exit::NotFound),
    ] {
        let said = desk.say(&line).await;
        assert_eq!(said.exit, exit, "{line}: {}{}", said.out, said.err);
        told.push_str(&format!("$ portolan {line}\n{}{}\n", said.out, said.err));
    }
    insta::assert_snapshot!("people_add_try_and_watch_a_webhook", constant(&told, &endpoint));
}

#[tokio::test]
async fn a_url_that_is_a_secret_is_read_from_standard_input() {
    let scene = Scene::new().await;
    let desk = Desk::open(&scene.world).await;
    let say = async |line: &str, input: &str| desk.say_with(line, input, &desk.environment).await;
    let url = "https://hooks.example.com/services/hunter2";
    let added = say("webhook add chat -", &format!("{url}\n")).await;
    assert_eq!(added.exit, Exit::Done, "{}", added.err);
    assert!(!added.err.contains("hunter2"), "{}", added.err);
    let shown = say("webhook show chat --secret", "").await;
    assert!(shown.out.contains(url), "{}", shown.out);
    let moved = say("webhook set chat --url -", "https://elsewhere.example.com/x").await;
    assert_eq!(moved.exit, Exit::Done, "{}", moved.err);
    let shown = say("webhook show chat --secret", "").await;
    assert!(
        shown.out.contains("https://elsewhere.example.com/x"),
        "{}",
        shown.out
    );
    assert_eq!(say("webhook add none -", "\n").await.exit, Exit::Usage);
    let long = format!("https://hooks.example.com/{}", "x".repeat(2_048));
    assert_eq!(say("webhook add long -", &long).await.exit, Exit::Usage);
}
