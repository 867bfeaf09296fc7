//! Runs that nobody takes or that never end, and what push events have the scheduler do.

use std::time::Duration;

use axum::http::Method;
use jiff::SignedDuration;
use portolan_shared::model::{EventSubject, RegistryId, RunId, RunState, RunTrigger, SensorId};
use portolan_store::{EventDoor, EventIntake, RunRecord};
use serde_json::{Value, json};

use crate::clockwork::keep;
use crate::shop::{Shop, close, commit};
use crate::world::World;

#[tokio::test]
async fn a_start_that_no_sensor_takes_is_overdue() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let _loop = keep(&world.app);
    let id = world.scheduled("gl", json!({"expression": "daily"})).await;
    world.registry("by-hand", "https://h", "berlin-1").await;
    let first = world.planned(id, None).await;
    world.clock.jump_to(first);
    let run = world.run_where(id, |_| true).await;
    // Runs are listed by when they were queued.
    world.clock.advance(Duration::from_secs(1));
    world.post("/api/v1/registries/by-hand/runs", json!({})).await;
    let finding = async || {
        let shown = world.get(&format!("/api/v1/runs/{}", run.id)).await.json();
        shown["finding"]["code"].clone()
    };
    world.clock.jump_to(first + SignedDuration::from_mins(15));
    assert_eq!(finding().await, Value::Null);
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(finding().await, "schedule.overdue");
    let listed = world.get("/api/v1/runs").await.json();
    let findings: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["finding"]["code"].clone())
        .collect();
    assert_eq!(
        findings,
        [Value::Null, json!("schedule.overdue")],
        "what a person asked for is not overdue"
    );
}

#[tokio::test]
async fn a_run_that_nobody_takes_lapses() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let id = world.registry("gl", "https://h", "berlin-1").await;
    world.post("/api/v1/registries/gl/runs", json!({})).await;
    let _loop = keep(&world.app);
    world.clock.advance(Duration::from_secs(48 * 3_600 + 1));
    let run = world.run_in_time(id, |run| run.state == RunState::Failed).await;
    assert_eq!(run.finding.unwrap().code.as_str(), "run.not_taken");
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_ended_and_its_sensor_is_told() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    world
        .scheduled_anew("gl", json!({"max_run_seconds": 3_600}))
        .await;
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    let mut told = world.app.signals.cancels.subscribe();
    let _loop = keep(&world.app);
    world.clock.advance(Duration::from_secs(3_601));
    let run = world
        .run_in_time(shop.registry, |run| {
            run.id == fence.attempt.run && run.state == RunState::Failed
        })
        .await;
    assert_eq!(run.finding.unwrap().code.as_str(), "run.too_long");
    let notice = told.recv().await.unwrap();
    assert_eq!((notice.sensor, notice.attempt), (shop.sensor, fence.attempt));
}

/// A registry that is read on push, seen whole once.
async fn on_push(world: &World, blackouts: &[&str]) -> Shop {
    let shop = Shop::open(world).await;
    world
        .scheduled_anew("gl", json!({"expression": "on-push", "blackouts": blackouts}))
        .await;
    shop
}

async fn event(world: &World, registry: RegistryId) {
    let intake = EventIntake {
        tenant: world.tenant,
        registry,
        door: EventDoor::Webhook,
        subjects: vec![(
            EventSubject::Tag("acme/shop".parse().unwrap(), "1.0".parse().unwrap()),
            1,
        )],
        named_at: std::collections::BTreeMap::new(),
        ignored: 0,
        refused: 0,
        last_refused: None,
        now: world.now(),
    };
    world.app.store.note_events(&intake).await.unwrap();
}

#[tokio::test]
async fn events_become_a_run_and_wait_for_the_end_of_a_blackout() {
    let world = World::new().await;
    // It is eight o'clock.
    let shop = on_push(&world, &["09:00-12:00"]).await;
    let _loop = keep(&world.app);
    event(&world, shop.registry).await;
    world.clock.advance(Duration::from_secs(2));
    let run = world
        .run_where(shop.registry, |run| run.trigger == RunTrigger::Event)
        .await;
    assert_eq!(run.scope.lines(), ["acme/shop:1.0"]);
    let shown = world.get(&format!("/api/v1/runs/{}", run.id)).await.json();
    assert_eq!(
        (&shown["trigger"], &shown["references"], &shown["repositories"]),
        (&json!("event"), &json!(["acme/shop:1.0"]), &json!([]))
    );
    world
        .ask(
            &world.operator,
            Method::POST,
            &format!("/api/v1/runs/{}/cancel", run.id),
            None,
        )
        .await;

    world.clock.advance(Duration::from_secs(2 * 3_600));
    event(&world, shop.registry).await;
    let plain = world.scheduled("watch", json!({"expression": "every 1m"})).await;
    // What is planned behind the advance would start behind it.
    world.planned(plain, None).await;
    world.clock.advance(Duration::from_secs(120));
    world.run_where(plain, |_| true).await;
    let open = |run: &RunRecord| run.trigger == RunTrigger::Event && run.state == RunState::Queued;
    assert!(!world.runs_of(shop.registry).await.iter().any(open));
    // It is put off by the same look, and stands in nobody's way.
    while !world
        .app
        .store
        .due_events(world.now(), 10)
        .await
        .unwrap()
        .is_empty()
    {
        world.breathe().await;
    }
    assert!(!world.runs_of(shop.registry).await.iter().any(open));
    world.clock.advance(Duration::from_secs(2 * 3_600));
    world.run_where(shop.registry, open).await;
}

/// A run that was queued before a window in which nothing starts by itself, and was not leased within it; its sensor, and the session of that.
async fn put_off(world: &World) -> (RunId, SensorId, u64) {
    let sensor = world.sensor("berlin-1").await;
    let epoch = world.session(sensor).await;
    // It is eight o'clock.
    let schedule = json!({"expression": "every 15m", "blackouts": ["09:00-12:00"]});
    let id = world.scheduled("gl", schedule).await;
    let first = world.planned(id, None).await;
    world.clock.jump_to(first);
    let run = world.run_where(id, |_| true).await.id;
    world.clock.jump_to(first + SignedDuration::from_hours(2));
    let lease = world
        .app
        .store
        .lease_run(world.tenant, run, sensor, epoch, world.now());
    assert!(lease.await.unwrap().is_none());
    (run, sensor, epoch)
}

/// Why it waited says nothing of why it waits.
#[tokio::test]
async fn what_a_blackout_put_off_is_overdue_some_time_after_its_end() {
    let world = World::new().await;
    let _loop = keep(&world.app);
    let (run, ..) = put_off(&world).await;
    for (minutes, code) in [
        (1, json!("schedule.blackout")),
        (108, Value::Null),
        (20, json!("schedule.overdue")),
    ] {
        world.clock.advance(Duration::from_secs(minutes * 60));
        let shown = world.get(&format!("/api/v1/runs/{run}")).await.json();
        assert_eq!(shown["finding"]["code"], code, "{minutes}");
    }
}

/// Its sensor comes back within a window in which nothing starts by itself.
#[tokio::test]
async fn what_could_not_begin_before_a_blackout_waits_for_its_end_unless_a_person_wants_it() {
    let world = World::new().await;
    let _loop = keep(&world.app);
    let (run, sensor, epoch) = put_off(&world).await;
    let lease = async || {
        let (store, now) = (&world.app.store, world.now());
        store
            .lease_run(world.tenant, run, sensor, epoch, now)
            .await
            .unwrap()
    };
    let shown = world.get(&format!("/api/v1/runs/{run}")).await.json();
    assert_eq!(
        (&shown["state"], &shown["finding"]["code"]),
        (&json!("queued"), &json!("schedule.blackout")),
        "it is not overdue, and says why"
    );
    world.clock.advance(Duration::from_secs(60));
    let asked = world.post("/api/v1/registries/gl/runs", json!({})).await.json();
    assert_eq!(
        (&asked["joined"], &asked["run"]["id"], &asked["run"]["finding"]),
        (&json!(true), &json!(run), &Value::Null)
    );
    assert!(lease().await.is_some());
}

#[tokio::test]
async fn a_change_that_no_event_announced_has_it_reconciled_within_the_hour() {
    let world = World::new().await;
    let shop = on_push(&world, &[]).await;
    let _loop = keep(&world.app);
    let calm = world.planned(shop.registry, None).await;
    world.clock.advance(Duration::from_secs(60));
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    commit(
        &world,
        &fence,
        "acme/shop",
        &[("1.0", &shop.index), ("2.0", &shop.index)],
    )
    .await;
    close(&world, &fence, 1, 2).await;
    assert!(
        world.record(shop.registry).await.unannounced_at.is_none(),
        "its event may be on the way"
    );
    world.clock.advance(Duration::from_secs(61));
    while world.record(shop.registry).await.unannounced_at.is_none() {
        world.breathe().await;
    }
    let soon = world.now() + SignedDuration::from_hours(1);
    while world
        .record(shop.registry)
        .await
        .next_start_at
        .is_none_or(|next| next > soon)
    {
        world.breathe().await;
    }
    let hurried = world.planned(shop.registry, None).await;
    world.clock.jump_to(hurried.max(calm.min(hurried)));
    let run = world
        .run_where(shop.registry, |run| run.trigger == RunTrigger::Reconcile)
        .await;
    assert!(run.scope.is_whole());
}
