//! The change feed as pages.

use axum::http::{Method, StatusCode};
use portolan_shared::model::{Digest, limits};
use portolan_store::{Retention, Role};
use serde_json::{Value, json};

use crate::shop::{Shop, close, commit};
use crate::world::{World, note, token};

/// Commits these tags of `acme/shop` in a run of its own, and tells of it as the upload service does.
pub(crate) async fn push(world: &World, shop: &Shop, tags: &[(&str, &Digest)]) {
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    commit(world, &fence, "acme/shop", tags).await;
    close(world, &fence, 1, tags.len() as u64).await;
    world.app.tell_of_changes(world.tenant);
}

pub(crate) fn told(page: &Value) -> Vec<(String, String)> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|event| {
            let kind = event["type"]
                .as_str()
                .unwrap()
                .strip_prefix("io.portolan.")
                .unwrap();
            let subject = event["subject"].as_str().unwrap_or_default();
            (kind.to_owned(), subject.to_owned())
        })
        .collect()
}

pub(crate) fn lines(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    lines
        .iter()
        .map(|(kind, subject)| ((*kind).to_owned(), (*subject).to_owned()))
        .collect()
}

/// All that there is behind a cursor, in pages of so many; and where that ends.
async fn all(world: &World, query: &str, limit: u32) -> (Vec<(String, String)>, String) {
    let mut found = Vec::new();
    let mut path = format!("/api/v1/changes?limit={limit}{query}");
    loop {
        let page = world.get(&path).await.json();
        found.extend(told(&page));
        let cursor = page["next_cursor"].as_str().unwrap().to_owned();
        if page["at_end"].as_bool().unwrap() {
            return (found, cursor);
        }
        path = format!("/api/v1/changes?limit={limit}&cursor={cursor}");
    }
}

#[tokio::test]
async fn everything_that_is_there_comes_first_and_then_what_changes() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let baseline = lines(&[
        ("tag.present", "gl/acme/shop:1.0"),
        ("tag.present", "gl/acme/shop:2.0"),
        ("baseline.complete", ""),
    ]);
    let mut cursor = String::new();
    for limit in [1, 2, 3, 1_000] {
        let (found, end) = all(&world, "", limit).await;
        assert_eq!(found, baseline, "in pages of {limit}");
        cursor = end;
    }
    let (_, now) = all(&world, "&from=now", 1).await;
    push(&world, &shop, &[("1.0", &shop.index), ("3.0", &shop.image)]).await;
    let changes = lines(&[
        ("tag.moved", "gl/acme/shop:1.0"),
        ("tag.vanished", "gl/acme/shop:2.0"),
        ("tag.appeared", "gl/acme/shop:3.0"),
    ]);
    for from in [&cursor, &now] {
        let (found, _) = all(&world, &format!("&cursor={from}"), 2).await;
        assert_eq!(found, changes);
    }
    let removed = world
        .ask(&world.admin, Method::DELETE, "/api/v1/registries/gl", None)
        .await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let (found, _) = all(&world, &format!("&cursor={cursor}"), 100).await;
    assert_eq!(
        found,
        lines(&[("registry.removed", "gl")]),
        "the rest went with it"
    );
}

#[tokio::test]
async fn events_are_cloudevents() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let page = world.get("/api/v1/changes").await.json();
    let present = &page["items"][0];
    assert_eq!(
        present["id"],
        format!("present:1800000000000:acme/shop:1.0@{}", shop.image)
    );
    assert_eq!(present["data"]["digest"], shop.image.to_string());
    let cursor = page["next_cursor"].as_str().unwrap();
    world.clock.advance(std::time::Duration::from_secs(60));
    push(&world, &shop, &[("1.0", &shop.index)]).await;
    let path = format!("/api/v1/changes?cursor={cursor}");
    let page = world.get(&path).await.json();
    let run = page["items"][0]["data"]["learnt"]["run"].clone();
    let expected = json!({
        "specversion": "1.0", "type": "io.portolan.tag.moved", "source": format!("/registries/{}", shop.registry),
        "id": "2:1.0", "time": "2027-01-15T08:01:00Z", "subject": "gl/acme/shop:1.0", "datacontenttype": "application/json",
        "data": {
            "registry": {"id": shop.registry, "name": "gl"}, "repository": "acme/shop", "tag": "1.0",
            "digest": shop.index, "previous_digest": shop.image, "not_before": "2027-01-15T08:00:00Z",
            "learnt": {"how": "manual", "run": run, "sensor": {"id": shop.sensor, "name": "berlin-1"}},
        },
    });
    assert_eq!(page["items"][0], expected);
    assert_eq!(page["items"][1]["data"]["digest"], Value::Null);
    assert_eq!(
        world.get(&path).await.json()["items"],
        page["items"],
        "told again, it is the same"
    );
}

#[tokio::test]
async fn a_poll_ends_as_soon_as_something_is_committed() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let page = world.get("/api/v1/changes?from=now").await.json();
    let path = format!(
        "/api/v1/changes?wait=25&cursor={}",
        page["next_cursor"].as_str().unwrap()
    );
    let both = [("1.0", &shop.image), ("2.0", &shop.image)];
    let (answer, ()) = futures::join!(world.get(&path), push(&world, &shop, &both));
    let moved = lines(&[("tag.moved", "gl/acme/shop:2.0")]);
    assert_eq!(told(&answer.json()), moved);
    // Another process may have committed: nobody told this one.
    let page = world.get("/api/v1/changes?from=now").await.json();
    let path = format!(
        "/api/v1/changes?wait=25&cursor={}",
        page["next_cursor"].as_str().unwrap()
    );
    let quietly = async {
        let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
        commit(
            &world,
            &fence,
            "acme/shop",
            &[("1.0", &shop.index), ("2.0", &shop.image)],
        )
        .await;
    };
    let (answer, ()) = futures::join!(world.get(&path), quietly);
    assert_eq!(told(&answer.json()), lines(&[("tag.moved", "gl/acme/shop:1.0")]));
}

#[tokio::test]
async fn what_is_not_a_question_is_refused() {
    let world = World::new().await;
    for (query, status, code) in [
        ("cursor=x", 422, "invalid"),
        ("cursor=", 422, "invalid"),
        ("from=yesterday", 422, "invalid"),
        ("limit=0", 422, "invalid"),
        ("limit=1001", 422, "invalid"),
        ("wait=26", 422, "invalid"),
        ("wait=-1", 422, "invalid"),
        ("registry=nowhere", 404, "not_found"),
        ("follow=true", 422, "invalid"),
    ] {
        let answer = world.get(&format!("/api/v1/changes?{query}")).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_cursor_shows_its_holders_own_tenant_alone() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    push(&world, &shop, &[("1.0", &shop.index)]).await;
    for query in ["limit=1", "from=now"] {
        let page = world.get(&format!("/api/v1/changes?{query}")).await.json();
        let path = format!("/api/v1/changes?cursor={}", page["next_cursor"].as_str().unwrap());
        // It is further on than anything that the neighbour has.
        let ahead = world.ask(&world.neighbour, Method::GET, &path, None).await;
        assert_eq!(ahead.refusal(), (410, "cursor_expired".to_owned()), "{query}");
    }
    let theirs = world.ask(&world.neighbour, Method::GET, "/api/v1/changes", None);
    assert_eq!(told(&theirs.await.json()), lines(&[("baseline.complete", "")]));
}

#[tokio::test]
async fn a_cursor_follows_what_it_followed() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let other = world
        .registry("other", "https://other.example.com", "berlin-1")
        .await;
    let page = world.get("/api/v1/changes?registry=other").await.json();
    assert_eq!(told(&page), lines(&[("baseline.complete", "")]));
    push(&world, &shop, &[("1.0", &shop.index), ("2.0", &shop.index)]).await;
    let cursor = page["next_cursor"].as_str().unwrap();
    for agrees in [
        String::new(),
        "&registry=other".to_owned(),
        format!("&registry={other}"),
    ] {
        let (found, _) = all(&world, &format!("&cursor={cursor}{agrees}"), 9).await;
        assert_eq!(found, [], "{agrees}");
    }
    let of_all = world.get("/api/v1/changes?from=now").await.json();
    let of_all = of_all["next_cursor"].as_str().unwrap();
    for (cursor, registry) in [
        (cursor, "gl"),
        (cursor, &shop.registry.to_string()),
        (of_all, "gl"),
    ] {
        let path = format!("/api/v1/changes?cursor={cursor}&registry={registry}");
        let refused = world.get(&path).await;
        assert_eq!(refused.refusal(), (422, "invalid".to_owned()), "{registry}");
        assert_eq!(refused.json()["details"]["field"], "registry");
    }
}

#[tokio::test]
async fn a_cursor_of_the_earlier_release_follows_what_the_request_says() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    world
        .registry("other", "https://other.example.com", "berlin-1")
        .await;
    push(&world, &shop, &[("1.0", &shop.index), ("2.0", &shop.index)]).await;
    // `1 changes 2`: behind what the shop was opened with.
    let cursor = "MSBjaGFuZ2VzIDI";
    for (query, moved) in [("", true), ("&registry=gl", true), ("&registry=other", false)] {
        let (found, _) = all(&world, &format!("&cursor={cursor}{query}"), 9).await;
        let expected = lines(&[("tag.moved", "gl/acme/shop:1.0")]);
        assert_eq!(found, if moved { expected } else { Vec::new() }, "{query}");
    }
}

#[tokio::test]
async fn a_cursor_in_the_forgotten_past_is_gone() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let path = "/api/v1/changes?limit=1";
    let old = world.get(path).await.json()["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    push(&world, &shop, &[("1.0", &shop.index)]).await;
    world.clock.advance(std::time::Duration::from_secs(3 * 86_400));
    let retention = Retention {
        history_days: Some(1),
        runs_days: None,
    };
    let entry = note(world.app.clock.now());
    world
        .app
        .store
        .set_retention(world.tenant, retention, None, &entry)
        .await
        .unwrap();
    while world.app.forget_some().await.unwrap() > 0 {}
    // What changed since the baseline was begun is not there any more: it is told before the rest of the baseline is read in vain.
    let gone = world.get(&format!("/api/v1/changes?cursor={old}")).await;
    assert_eq!(gone.refusal(), (410, "cursor_expired".to_owned()));
    assert!(gone.json()["message"].as_str().unwrap().contains("begin anew"));
    let (found, _) = all(&world, "", 9).await;
    assert_eq!(found.len(), 2, "from the start there is a baseline as ever");
}

#[tokio::test]
async fn so_many_polls_of_a_token_wait_at_once_and_no_more() {
    let world = World::new().await;
    Shop::open(&world).await;
    let viewer = world.app.authenticate(&world.viewer, None).await.unwrap();
    let admin = world.app.authenticate(&world.admin, None).await.unwrap();
    let mut readers = Vec::new();
    for _ in 0..limits::FEED_READERS_PER_TOKEN {
        readers.push(world.app.enter_feed(&viewer).unwrap());
    }
    let end = world.get("/api/v1/changes?from=now").await.json();
    let path = format!(
        "/api/v1/changes?wait=25&cursor={}",
        end["next_cursor"].as_str().unwrap()
    );
    let refused = world.get(&path).await;
    assert_eq!(refused.refusal(), (429, "too_many_streams".to_owned()));
    assert_eq!(refused.json()["details"]["most"], limits::FEED_READERS_PER_TOKEN);
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((5..=30).contains(&seconds), "{seconds}");
    assert!(
        world.app.enter_feed(&admin).is_ok(),
        "another token is not in the way"
    );
    drop(readers);
    assert!(world.app.enter_feed(&viewer).is_ok());
}

#[tokio::test]
async fn so_many_of_a_tenant_wait_at_once_whatever_their_tokens() {
    let world = World::new().await;
    let mut readers = Vec::new();
    for i in 0..limits::FEED_READERS_PER_TENANT / limits::FEED_READERS_PER_TOKEN {
        let text = token(&world.app, world.tenant, &format!("reader {i}"), Role::Viewer).await;
        let caller = world.app.authenticate(&text, None).await.unwrap();
        readers.extend((0..limits::FEED_READERS_PER_TOKEN).map(|_| world.app.enter_feed(&caller).unwrap()));
    }
    let viewer = world.app.authenticate(&world.viewer, None).await.unwrap();
    let refused = world.app.enter_feed(&viewer).unwrap_err();
    assert_eq!(refused.code(), "too_many_streams");
    let neighbour = world.app.authenticate(&world.neighbour, None).await.unwrap();
    assert!(
        world.app.enter_feed(&neighbour).is_ok(),
        "another tenant is not in the way"
    );
    readers.pop();
    assert!(world.app.enter_feed(&viewer).is_ok());
}
