//! What was, what is different since, and how long it is kept.

use axum::http::Method;
use portolan::cli::Exit;
use portolan_store::RepositoryCommit;
use serde_json::{Value, json};

use crate::changes::push;
use crate::desk::{Desk, settled};
use crate::shop::{Shop, commit_of};
use crate::world::{World, request};

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

/// Tag 2.0 goes a day after the first look, 1.0 moves two days after.
async fn story(world: &World) -> Shop {
    let shop = Shop::open(world).await;
    world.clock.advance(DAY);
    push(world, &shop, &[("1.0", &shop.image)]).await;
    world.clock.advance(DAY);
    push(world, &shop, &[("1.0", &shop.index)]).await;
    world.clock.advance(DAY);
    shop
}

fn names(page: &Value) -> Vec<(String, String)> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|tag| {
            (
                tag["tag"].as_str().unwrap().to_owned(),
                tag["digest"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

#[tokio::test]
async fn tags_are_listed_as_they_were_known_then() {
    let world = World::new().await;
    let shop = story(&world).await;
    let (image, index) = (shop.image.to_string(), shop.index.to_string());
    let tag = |name: &str, digest: &str| (name.to_owned(), digest.to_owned());
    for (at, expected) in [
        (
            "2027-01-15T08:00:00Z",
            vec![tag("1.0", &image), tag("2.0", &index)],
        ),
        ("2027-01-16T09:00:00%2B01:00", vec![tag("1.0", &image)]),
        ("2027-01-17T08:00:00Z", vec![tag("1.0", &index)]),
    ] {
        let page = world
            .get(&format!("/api/v1/tags?repository=gl/acme/shop&at={at}"))
            .await
            .json();
        assert_eq!(names(&page), expected, "{at}");
    }
    let before = world
        .get("/api/v1/tags?repository=gl/acme/shop&at=2027-01-15T07:59:59Z")
        .await;
    assert_eq!(before.refusal(), (410, "history_unknown".to_owned()));
    assert_eq!(before.json()["details"]["earliest"], "2027-01-15T08:00:00Z");
    for at in ["", "&at=2027-01-16T08:00:00Z"] {
        let page = world
            .get(&format!("/api/v1/tags?repository=gl/acme/shop{at}"))
            .await;
        assert_eq!(page.json()["known_from"], "2027-01-15T08:00:00Z", "{at}");
    }
    let first = world
        .get("/api/v1/tags?repository=gl/acme/shop&at=2027-01-15T08:00:00Z&limit=1")
        .await
        .json();
    assert_eq!(
        (&first["items"][0]["kind"], &first["items"][0]["first_seen_at"]),
        (&json!("image"), &Value::Null)
    );
    assert!(first["next"].is_string());
    for wrong in ["yesterday", "2027-01-18T08:00:01Z"] {
        let refused = world
            .get(&format!("/api/v1/tags?repository=gl/acme/shop&at={wrong}"))
            .await;
        assert_eq!(refused.refusal(), (422, "invalid".to_owned()), "{wrong}");
        assert_eq!(refused.json()["details"]["field"], "at");
    }
}

#[tokio::test]
async fn what_is_different_since_then_is_listed() {
    let world = World::new().await;
    let shop = story(&world).await;
    let different = async |since: &str| {
        let page = world
            .get(&format!("/api/v1/registries/gl/changes?since={since}"))
            .await
            .json();
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|item| {
                format!(
                    "{} {}",
                    item["reference"].as_str().unwrap(),
                    item["change"].as_str().unwrap()
                )
            })
            .collect::<Vec<_>>()
    };
    let [moved, gone] = ["gl/acme/shop:1.0 moved", "gl/acme/shop:2.0 vanished"];
    assert_eq!(different("2027-01-15T08:00:00Z").await, [moved, gone]);
    assert_eq!(different("2027-01-16T08:00:00Z").await, [moved]);
    assert!(different("2027-01-17T08:00:00Z").await.is_empty());
    push(&world, &shop, &[("1.0", &shop.image)]).await;
    assert_eq!(different("2027-01-15T08:00:00Z").await, [gone], "moved back");
    let before = world
        .get("/api/v1/registries/gl/changes?since=2027-01-01T00:00:00Z")
        .await
        .json();
    assert_eq!(
        before["known_from"], "2027-01-15T08:00:00Z",
        "what was there already counts as new"
    );
    for (query, status) in [("since=2030-01-01T00:00:00Z", 422), ("since=2d", 422), ("", 422)] {
        let refused = world.get(&format!("/api/v1/registries/gl/changes?{query}")).await;
        assert_eq!(refused.status.as_u16(), status, "{query}");
    }
}

#[tokio::test]
async fn history_says_how_it_was_learnt() {
    let world = World::new().await;
    story(&world).await;
    let page = world
        .get("/api/v1/history?reference=gl/acme/shop:2.0")
        .await
        .json();
    let gone = &page["items"][0];
    assert_eq!(
        (&gone["change"], &gone["learnt"], &gone["sensor"]),
        (&json!("vanished"), &json!("manual"), &json!("berlin-1"))
    );
    assert_eq!(
        (&gone["not_before"], &gone["noticed_at"]),
        (&json!("2027-01-15T08:00:00Z"), &json!("2027-01-16T08:00:00Z"))
    );
}

#[tokio::test]
async fn retention_is_set_by_admins_within_bounds_and_told_in_the_audit_log() {
    const PATH: &str = "/api/v1/settings/retention";
    let world = World::new().await;
    let set = async |token: &str, body: Value| world.ask(token, Method::PUT, PATH, Some(body)).await;
    for token in [&world.viewer, &world.operator] {
        assert_eq!(world.ask(token, Method::GET, PATH, None).await.refusal().0, 403);
        let nothing = json!({"history_days": null, "runs_days": null});
        assert_eq!(set(token, nothing).await.refusal().0, 403);
    }
    let now = world.ask(&world.admin, Method::GET, PATH, None).await.json();
    assert_eq!(now, json!({"history_days": null, "runs_days": null}));
    for (body, field) in [
        (json!({"history_days": 0, "runs_days": null}), "history_days"),
        (json!({"history_days": 36_501, "runs_days": null}), "history_days"),
        (json!({"history_days": null, "runs_days": 6}), "runs_days"),
    ] {
        let refused = set(&world.admin, body).await;
        assert_eq!(refused.refusal(), (422, "invalid".to_owned()));
        assert_eq!(refused.json()["details"]["field"], field);
    }
    for incomplete in [
        json!({"history_days": 5, "runs_days": null, "histroy_days": 5}),
        json!({"history_days": 5}),
        json!({"runs_days": 90}),
        json!({}),
    ] {
        // A field that is left out does not mean for ever.
        let refused = set(&world.admin, incomplete.clone()).await;
        assert_eq!(refused.refusal(), (422, "invalid".to_owned()), "{incomplete}");
    }
    let wanted = json!({"history_days": 400, "runs_days": 90});
    for _ in 0..2 {
        assert_eq!(set(&world.admin, wanted.clone()).await.json(), wanted);
    }
    let told = world.done_by_people().await;
    assert_eq!(told.len(), 1, "what changes nothing is no deed");
    assert_eq!(told[0]["action"], "settings.retention");
    assert_eq!(told[0]["details"]["to"], wanted);
    let theirs = world.ask(&world.neighbour, Method::GET, PATH, None).await.json();
    assert_eq!(theirs["history_days"], Value::Null);
}

#[tokio::test]
async fn questions_about_the_forgotten_past_name_the_earliest_time() {
    let world = World::new().await;
    story(&world).await;
    let body = json!({"history_days": 1, "runs_days": null});
    world
        .ask(
            &world.admin,
            Method::PUT,
            "/api/v1/settings/retention",
            Some(body),
        )
        .await;
    while world.app.forget_some().await.unwrap() > 0 {}
    for path in [
        "/api/v1/tags?repository=gl/acme/shop&at=2027-01-16T07:59:59Z",
        "/api/v1/registries/gl/changes?since=2027-01-15T08:00:00Z",
    ] {
        let gone = world.get(path).await;
        assert_eq!(gone.refusal(), (410, "history_forgotten".to_owned()), "{path}");
        assert_eq!(gone.json()["details"]["earliest"], "2027-01-16T08:00:00Z");
    }
    let page = world
        .get("/api/v1/tags?repository=gl/acme/shop&at=2027-01-16T08:00:00Z")
        .await
        .json();
    assert_eq!(names(&page).len(), 1);
    let desk = Desk::open(&world).await;
    let said = desk.say("tag list gl/acme/shop --at 3d").await;
    assert_eq!(said.exit, Exit::NotFound, "{}", said.err);
    assert!(said.err.contains("2027-01-16T08:00:00Z"), "{}", said.err);
}

#[tokio::test]
async fn the_commands_tell_the_story() {
    let world = World::new().await;
    let shop = story(&world).await;
    let desk = Desk::open(&world).await;
    let mut told = String::new();
    for line in [
        "tag list gl/acme/shop --at 2d",
        "tag list gl/acme/shop --at 2027-01-15T08:00:00Z",
        "diff gl --since 3d",
        "history gl/acme/shop:2.0",
        "changes",
        "tag list gl/acme/shop --at 2026-12-31",
        "diff gl --since 2026-12-31",
        "settings retention",
        "settings retention --history-days 400 --runs-days 90",
        "settings retention --runs-days forever",
        "settings retention --history-days 0",
        "diff gl --since 2028-01-01",
    ] {
        let said = desk.say(line).await;
        told.push_str(&format!(
            "$ portolan {line}   [{}]\n{}{}\n",
            said.exit.code(),
            said.out,
            said.err
        ));
    }
    insta::assert_snapshot!(settled(&told));
    let said = desk.say("changes --from now").await;
    let cursor = said.err.trim().rsplit(' ').next().unwrap();
    push(&world, &shop, &[("1.0", &shop.image)]).await;
    let said = desk.say(&format!("changes --cursor {cursor} -o json")).await;
    let event: Value = serde_json::from_str(said.out.trim()).unwrap();
    assert_eq!(event["subject"], "gl/acme/shop:1.0");
    let wrong = desk.say("changes --cursor x").await;
    assert_eq!(wrong.exit, Exit::Usage);
    assert!(wrong.err.contains("--cursor"), "{}", wrong.err);
}

#[tokio::test]
async fn of_two_admins_who_change_what_is_kept_one_is_told() {
    const PATH: &str = "/api/v1/settings/retention";
    let world = World::new().await;
    let seen = world.ask(&world.admin, Method::GET, PATH, None).await;
    let tag = seen.header("etag").unwrap().to_owned();
    let set = async |tag: &str, history_days: u32, runs_days: Option<u32>| {
        let body = json!({"history_days": history_days, "runs_days": runs_days});
        let mut request = request(Some(&world.admin), Method::PUT, PATH, Some(body));
        request.headers_mut().insert("if-match", tag.parse().unwrap());
        world.send(request).await
    };
    assert_eq!(set(&tag, 400, Some(90)).await.status.as_u16(), 200);
    let late = set(&tag, 30, None).await;
    assert_eq!(late.refusal(), (412, "out_of_date".to_owned()));
    let now = world.ask(&world.admin, Method::GET, PATH, None).await;
    assert_eq!(now.json(), json!({"history_days": 400, "runs_days": 90}));
    let tag = now.header("etag").unwrap().to_owned();
    assert_eq!(set(&tag, 30, None).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_repository_of_which_some_tags_were_looked_at_says_so() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    let part = RepositoryCommit {
        only: Some(vec!["1.0".parse().unwrap()]),
        ..commit_of("acme/new", &[("1.0", &shop.image)])
    };
    let (store, now) = (&world.app.store, world.app.clock.now());
    store.commit_repository(&fence, &part, now).await.unwrap();
    let page = world.get("/api/v1/tags?repository=gl/acme/new").await.json();
    assert_eq!((&page["known_from"], names(&page).len()), (&Value::Null, 1));
    let desk = Desk::open(&world).await;
    for line in ["tag list gl/acme/new", "tag list gl/acme/new --at 0m"] {
        let said = desk.say(line).await;
        assert!(
            said.err.contains("only some of its tags were looked at"),
            "{line}: {}",
            said.err
        );
    }
    let said = desk.say("tag list gl/acme/shop").await;
    assert_eq!(said.err, "", "that one is known");
}

#[tokio::test]
async fn a_person_is_asked_before_less_is_kept() {
    let world = World::new().await;
    let desk = Desk::open(&world).await;
    for (line, answer, exit) in [
        ("settings retention --history-days 400", "n", Exit::Failed),
        ("settings retention --history-days 400", "y", Exit::Done),
        ("settings retention --history-days 4", "n", Exit::Failed),
        ("settings retention --history-days 500", "n", Exit::Done),
        ("settings retention --history-days 4 --yes", "n", Exit::Done),
    ] {
        let said = desk.say_at_terminal(line, answer).await;
        assert_eq!(said.exit, exit, "{line}: {}", said.err);
        assert_eq!(
            said.err.contains("for good?"),
            answer == "y" || exit == Exit::Failed,
            "{line}: {}",
            said.err
        );
    }
}
