//! What other filters would match, before they are saved.

use axum::http::Method;
use jiff::SignedDuration;
use portolan::cli::Exit;
use portolan_shared::model::{Digest, TagObservation};
use portolan_store::RepositoryCommit;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::shop::{Shop, closing, commit_of};
use crate::world::World;

/// A registry `gl` with these repositories: how many tags each has, and whether it is known when they were pushed. The tag `t0000N` was
/// pushed N days ago.
async fn stocked(world: &World, repositories: &[(&str, usize, bool)]) {
    let shop = Shop::open(world).await;
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    let now = world.app.clock.now();
    let found = repositories.len() as u64;
    for (name, tags, timed) in repositories {
        let tags = (0..*tags).map(|number| TagObservation {
            tag: format!("t{number:05}").parse().unwrap(),
            digest: Digest::sha256_of(b"x"),
            media_type: None,
            size: 1,
            pushed_at: timed.then(|| now - SignedDuration::from_hours(24 * i64::try_from(number).unwrap())),
        });
        let commit = RepositoryCommit {
            tags: tags.collect(),
            ..commit_of(name, &[])
        };
        world
            .app
            .store
            .commit_repository(&fence, &commit, now)
            .await
            .unwrap();
    }
    world
        .app
        .store
        .close_run(&fence, &closing(found, 0), now)
        .await
        .unwrap();
}

async fn preview(world: &World, body: Value) -> Value {
    let answer = world.post("/api/v1/registries/gl/preview", body).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    answer.json()
}

fn codes(preview: &Value) -> Vec<Value> {
    let findings = preview["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["code"].clone()).collect()
}

#[tokio::test]
async fn a_preview_counts_what_is_kept_and_left_out_and_changes_nothing() {
    let world = World::new().await;
    stocked(
        &world,
        &[
            ("acme/api", 10, true),
            ("acme/old", 5, false),
            ("acme/tmp-1", 3, true),
            ("tools/x", 2, true),
        ],
    )
    .await;
    let before = world.get("/api/v1/registries/gl").await.json();
    let audit = world.done_by_people().await;
    let body = json!({
        "repositories": ["acme/**", "!re:acme/tmp-[0-9]+"], "newest_tags": 4, "max_tag_age_days": 7,
        "concurrency": 1, "name": "other",
    });
    let previewed = preview(&world, body).await;
    assert_eq!(previewed["last_success_at"], before["last_success_at"]);
    assert_eq!(
        previewed["repositories"],
        json!({"kept": 2, "left_out": 2, "taken_in": 0, "unwanted": 0})
    );
    assert_eq!(
        previewed["tags"],
        json!({"kept": 9, "left_out": 6, "in_left_out_repositories": 5, "times_unknown": 5})
    );
    let line = |repository: &str, fate: &str, kept: u64, left_out: u64| json!({"repository": repository, "fate": fate, "kept": kept, "left_out": left_out, "times_unknown": 0});
    assert_eq!(
        previewed["most_left_out"],
        json!([
            line("acme/api", "kept", 4, 6),
            line("acme/tmp-1", "left_out", 0, 3),
            line("tools/x", "left_out", 0, 2),
        ])
    );
    assert_eq!(codes(&previewed), ["filter.times_unknown"]);
    assert_eq!(world.get("/api/v1/registries/gl").await.json(), before);
    assert_eq!(world.done_by_people().await, audit, "nothing was done");
}

#[tokio::test]
async fn what_an_earlier_filter_left_out_is_only_known_as_far_as_it_was_ever_seen() {
    let world = World::new().await;
    stocked(
        &world,
        &[("acme/api", 2, true), ("tools/x", 3, true), ("tools/y", 4, true)],
    )
    .await;
    let narrow = json!({"repositories": ["acme/**"]});
    let path = "/api/v1/registries/gl";
    let method = Method::PATCH;
    assert_eq!(
        world
            .ask(&world.operator, method, path, Some(narrow))
            .await
            .status,
        200
    );
    let previewed = preview(&world, json!({"repositories": ["acme/**", "tools/x"]})).await;
    assert_eq!(
        previewed["repositories"],
        json!({"kept": 1, "left_out": 0, "taken_in": 1, "unwanted": 1})
    );
    assert_eq!(previewed["tags"]["kept"], 5);
    assert_eq!(codes(&previewed), Vec::<Value>::new());
    let nothing = preview(&world, json!({"tags": ["v*"]})).await;
    assert_eq!(codes(&nothing), ["filter.matches_nothing"]);
    let bad = world
        .post("/api/v1/registries/gl/preview", json!({"tags": ["re:("]}))
        .await;
    assert_eq!(bad.refusal(), (422, "invalid".to_owned()));
}

#[tokio::test]
async fn more_tags_than_are_read_at_once_are_counted_all_the_same() {
    let world = World::new().await;
    let many = 15_000;
    stocked(
        &world,
        &[
            ("a", many, true),
            ("b", many, true),
            ("c", 1, true),
            ("d", many, true),
        ],
    )
    .await;
    let previewed = preview(&world, json!({"newest_tags": 10})).await;
    assert_eq!(
        previewed["tags"],
        json!({"kept": 31, "left_out": 3 * (many - 10), "in_left_out_repositories": 0, "times_unknown": 0})
    );
}

#[tokio::test]
async fn the_command_says_what_a_filter_would_match() {
    let world = World::new().await;
    stocked(
        &world,
        &[
            ("acme/api", 10, true),
            ("acme/old", 5, false),
            ("tools/x", 2, true),
        ],
    )
    .await;
    let desk = Desk::open(&world).await;
    let said = desk
        .say("registry set gl --repository acme/** --max-tag-age 7d --preview")
        .await;
    assert_eq!(said.exit, Exit::Done, "{}", said.err);
    insta::assert_snapshot!(said.out);
    let said = desk.say("registry set gl --tag none --preview -o json").await;
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["findings"][0]["code"], "filter.matches_nothing");
    let shown = world.get("/api/v1/registries/gl").await.json();
    assert_eq!(
        (&shown["repositories"], &shown["version"]),
        (&json!([]), &json!(1))
    );
}
