//! Which repositories and tags are wanted, and how hard a registry may be worked.

use axum::http::{Method, StatusCode};
use portolan::cli::Exit;
use portolan_shared::model::{RunId, RunProgress, limits};
use portolan_store::RepositoryCommit;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::shop::{Shop, close, commit, commit_of};
use crate::world::World;

async fn patch(world: &World, body: Value) -> crate::world::Answer {
    world
        .ask(
            &world.operator,
            Method::PATCH,
            "/api/v1/registries/gl",
            Some(body),
        )
        .await
}

#[tokio::test]
async fn filters_and_budgets_are_given_shown_changed_and_taken_back() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let desk = Desk::open(&world).await;
    let added = desk
        .say(
            "registry add gl https://h --no-test --sensor berlin-1 --repository acme/** --repository !re:.*/tmp \
             --tag v* --tag !*-rc --newest-tags 50 --max-tag-age 90d --concurrency 4 --requests-per-second 20 \
             --requests-per-day 5000",
        )
        .await;
    assert_eq!(added.exit, Exit::Done, "{}", added.err);
    for line in [
        "repositories  acme/**",
        "              !re:.*/tmp",
        "tags          v*",
        "              the newest 50 of each repository",
        "              pushed within 90 days",
        "requests      at most 4 at once, 20 a second, 5000 a day",
    ] {
        assert!(added.out.contains(line), "{line}: {}", added.out);
    }
    let members = |registry: &Value| {
        [
            "tags",
            "newest_tags",
            "max_tag_age_days",
            "concurrency",
            "requests_per_second",
            "requests_per_day",
        ]
        .map(|member| registry[member].clone())
    };
    let shown = world.get("/api/v1/registries/gl").await.json();
    assert_eq!(
        members(&shown),
        [
            json!(["v*", "!*-rc"]),
            json!(50),
            json!(90),
            json!(4),
            json!(20),
            json!(5_000)
        ]
    );
    // What is not named stays, also within a value that is kept as a whole.
    desk.say("registry set gl --newest-tags 10 --requests-per-day 100")
        .await;
    let changed = world.get("/api/v1/registries/gl").await.json();
    assert_eq!(
        members(&changed),
        [
            json!(["v*", "!*-rc"]),
            json!(10),
            json!(90),
            json!(4),
            json!(20),
            json!(100)
        ]
    );
    let unbounded = desk
        .say(
            "registry set gl --all-repositories --all-tags --any-tag-count --any-tag-age --any-requests-per-second \
             --any-requests-per-day",
        )
        .await;
    assert_eq!(unbounded.exit, Exit::Done, "{}", unbounded.err);
    let taken_back = world.get("/api/v1/registries/gl").await.json();
    assert_eq!(
        members(&taken_back),
        [
            json!([]),
            Value::Null,
            Value::Null,
            json!(4),
            Value::Null,
            Value::Null
        ]
    );
    let audit = world.done_by_people().await;
    assert_eq!(
        audit[1]["details"]["fields"],
        json!(["newest_tags", "requests_per_day"])
    );
}

#[tokio::test]
async fn patterns_that_cannot_be_used_are_refused_with_the_member_that_has_them() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    world.registry("gl", "https://h", "berlin-1").await;
    for (member, value) in [
        ("repositories", json!(["re:("])),
        ("tags", json!(["v*", "re:[z-a]"])),
        ("tags", json!(vec!["a"; limits::NAME_PATTERNS + 1])),
    ] {
        let refused = patch(&world, json!({member: value})).await;
        assert_eq!(refused.refusal(), (422, "invalid".to_owned()), "{member} {value}");
        assert_eq!(refused.json()["details"]["field"], member, "{value}");
    }
    for member in [
        "newest_tags",
        "max_tag_age_days",
        "requests_per_second",
        "requests_per_day",
    ] {
        for value in [json!(0), json!(-1), json!(1_u64 << 40), json!("7")] {
            let refused = patch(&world, json!({member: value})).await;
            assert_eq!(
                refused.status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{member} {value}"
            );
        }
    }
    let desk = Desk::open(&world).await;
    let said = desk.say("registry set gl --tag re:(").await;
    assert_eq!(said.exit, Exit::Usage);
    assert!(said.err.contains("--tag"), "{}", said.err);
}

#[tokio::test]
async fn both_lists_of_patterns_together_hold_at_their_bound_and_are_refused_above() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    world.registry("gl", "https://h", "berlin-1").await;
    let half = limits::PATTERNS_BYTES / 2 / limits::NAME_PATTERN_BYTES;
    let patterns = |count: usize| vec!["p".repeat(limits::NAME_PATTERN_BYTES); count];
    let fits = patch(
        &world,
        json!({"repositories": patterns(half), "tags": patterns(half)}),
    )
    .await;
    assert_eq!(fits.status, StatusCode::OK, "{:?}", fits.json()["message"]);
    // Whichever of the two is changed, beside the one that stays.
    for member in ["repositories", "tags"] {
        let refused = patch(&world, json!({member: patterns(half + 1)})).await;
        assert_eq!(refused.refusal(), (422, "invalid".to_owned()), "{member}");
    }
    let fewer = patch(&world, json!({"repositories": [], "tags": patterns(half + 1)})).await;
    assert_eq!(fewer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_run_that_waits_for_its_budget_says_so() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    desk.say("registry set gl --requests-per-day 100").await;
    let progress = RunProgress {
        requests: 100,
        ..RunProgress::default()
    };
    let (store, now) = (&world.app.store, world.app.clock.now());
    store.record_progress(&fence, &progress, now).await.unwrap();
    close(&world, &fence, 1, 2).await;
    let queued = world.post("/api/v1/registries/gl/runs", json!({})).await.json();
    let run: RunId = queued["run"]["id"].as_str().unwrap().parse().unwrap();
    let tenant = fence.tenant;
    let lease = store
        .lease_run(tenant, run, shop.sensor, shop.epoch, now)
        .await
        .unwrap();
    assert!(lease.is_none());
    let told = desk.say(&format!("run show {run}")).await.out;
    for words in [
        "gl: queued",
        "Waits for its registry's budget: the 100 requests a day are used up; the run waits until 2027-01-16T08:15:00Z.",
        "registry.budget_spent",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[tokio::test]
async fn what_the_filter_left_out_is_told_apart_from_what_vanished() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    let narrowed = RepositoryCommit {
        left_out: vec!["2.0".parse().unwrap()],
        ..commit_of("acme/shop", &[("1.0", &shop.image)])
    };
    let now = world.app.clock.now();
    world
        .app
        .store
        .commit_repository(&fence, &narrowed, now)
        .await
        .unwrap();
    close(&world, &fence, 1, 1).await;
    let history = world
        .get("/api/v1/history?reference=gl/acme/shop:2.0")
        .await
        .json();
    let line = &history["items"][0];
    assert_eq!(
        (&line["change"], &line["from"], &line["to"]),
        (&json!("left_out"), &json!(shop.index.to_string()), &Value::Null)
    );
    let run = fence.attempt.run;
    let shown = world.get(&format!("/api/v1/runs/{run}")).await.json();
    assert_eq!(
        shown["changes"],
        json!({"appeared": 0, "moved": 0, "vanished": 0, "left_out": 1})
    );
    assert_eq!(shown["coverage"]["tags_filtered"], 1);
    let desk = Desk::open(&world).await;
    let told = desk.say(&format!("run show {run}")).await.out;
    assert!(
        told.contains("1 left out by the registry's tag filter, 1 of them newly"),
        "{told}"
    );
    let told = desk.say("history gl/acme/shop:2.0").await.out;
    assert!(told.contains("left out"), "{told}");
    // Gone for good this time.
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    commit(&world, &fence, "acme/shop", &[]).await;
    let history = world
        .get("/api/v1/history?reference=gl/acme/shop:1.0")
        .await
        .json();
    assert_eq!(history["items"][0]["change"], "vanished");
}
