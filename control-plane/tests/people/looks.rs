//! Looks that push events asked for, in the audit log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portolan_shared::model::{EventSubject, RunId};
use portolan_shared::process::Shutdown;
use portolan_store::{DueEvents, EventDoor, EventIntake, QueueOutcome};
use serde_json::{Value, json};

use crate::clockwork::keep;
use crate::notifications::{PUSH, Scene};
use crate::world::note;

/// Entries of this kind, once there are any.
async fn entries(scene: &Scene, action: &str) -> Vec<Value> {
    loop {
        let log = scene.world.get("/api/v1/audit?limit=1000").await.json();
        let entries = log["items"].as_array().unwrap().iter();
        let found: Vec<Value> = entries
            .filter(|entry| entry["action"] == action)
            .cloned()
            .collect();
        if !found.is_empty() {
            return found;
        }
        scene.world.breathe().await;
    }
}

#[tokio::test]
async fn a_day_that_is_over_is_told_of_by_the_loop_that_takes_events_over() {
    let scene = Scene::new().await;
    let _loop = keep(&scene.world.app);
    let answer = scene.knock(&scene.path, Some(&scene.secret), PUSH).await;
    assert_eq!(answer.status, 200);
    scene.world.clock.advance(Duration::from_secs(1));
    while !scene
        .world
        .runs_of(scene.registry)
        .await
        .iter()
        .any(|run| !run.scope.is_whole())
    {
        scene.world.breathe().await;
    }
    let day = scene.world.now().strftime("%Y-%m-%d").to_string();
    scene.world.clock.advance(Duration::from_secs(24 * 3_600));
    let told = entries(&scene, "run.looks").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["actor"], "events");
    assert_eq!(told[0]["object"], format!("registry:{}", scene.registry));
    assert_eq!(
        told[0]["details"],
        json!({"registry": "gl", "day": day, "runs": 1})
    );
}

/// A look that an event asks for on this day, and that somebody cancels.
async fn look(scene: &Scene) {
    let (world, store) = (&scene.world, &scene.world.app.store);
    let (tenant, registry, now) = (world.tenant, scene.registry, world.app.clock.now());
    let tag = EventSubject::Tag("acme/shop".parse().unwrap(), "1.0".parse().unwrap());
    let intake = EventIntake {
        tenant,
        registry,
        door: EventDoor::Webhook,
        subjects: vec![(tag, 1)],
        named_at: BTreeMap::new(),
        ignored: 0,
        refused: 0,
        last_refused: None,
        now,
    };
    store.note_events(&intake).await.unwrap();
    let (due, run) = (
        DueEvents { tenant, registry },
        RunId::random(world.app.rng.as_ref()),
    );
    let later = now + jiff::SignedDuration::from_secs(1);
    let queued = store.queue_event_run(&due, run, later).await.unwrap();
    assert_eq!(queued, Some(QueueOutcome::Queued));
    store.cancel_run(tenant, run, later, &note(later)).await.unwrap();
}

/// They are told of a few hundred at a time, and the end of the process is not one of the things that wait for that.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test's loop ends before the test does"
)]
async fn days_that_are_over_keep_nobody_waiting_however_many_they_are() {
    const DAYS: usize = 401;
    let scene = Scene::new().await;
    for _ in 0..DAYS {
        look(&scene).await;
        scene.world.clock.advance(Duration::from_secs(24 * 3_600));
    }
    let shutdown = Shutdown::new();
    let app = Arc::clone(&scene.world.app);
    let kept = tokio::spawn(app.keep_schedule(shutdown.clone()));
    entries(&scene, "run.looks").await;
    shutdown.start_drain();
    kept.await.unwrap();
    let told = entries(&scene, "run.looks").await.len();
    assert!(told < DAYS, "all were told of after the end had come");
    let _loop = keep(&scene.world.app);
    while entries(&scene, "run.looks").await.len() < DAYS {
        scene.world.breathe().await;
    }
}
