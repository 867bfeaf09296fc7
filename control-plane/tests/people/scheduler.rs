//! Runs that start by themselves.

use std::time::Duration;

use axum::http::Method;
use jiff::SignedDuration;
use portolan_shared::model::{RunState, RunTrigger};
use serde_json::json;

use crate::clockwork::{keep, replica};
use crate::world::World;

#[tokio::test]
async fn what_is_due_is_started_once_and_audited() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let _loop = keep(&world.app);
    let id = world.scheduled("gl", json!({"expression": "every 15m"})).await;
    let first = world.planned(id, None).await;
    let shown = world.get("/api/v1/registries/gl").await.json();
    assert_eq!(shown["schedule"]["next"][0], json!(first));
    assert!(first > world.now() && first <= world.now() + SignedDuration::from_mins(17));
    assert!(world.runs_of(id).await.is_empty());

    world.clock.jump_to(first);
    let second = world.planned(id, Some(first)).await;
    let run = world.run_where(id, |_| true).await;
    assert_eq!(
        (run.trigger, run.requested_by.as_str()),
        (RunTrigger::Schedule, "schedule")
    );
    assert!(run.scope.is_whole());
    // The next one joins it, as it is open still, and says so; a person joins both.
    world.clock.jump_to(second);
    let third = world.planned(id, Some(second)).await;
    let asked = world
        .ask(
            &world.operator,
            Method::POST,
            "/api/v1/registries/gl/runs",
            Some(json!({})),
        )
        .await;
    assert_eq!(asked.json()["joined"], true);
    let reasons: Vec<_> = asked.json()["run"]["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| {
            (
                reason["trigger"].clone(),
                reason["requested_by"].clone(),
                reason["at"].clone(),
            )
        })
        .collect();
    assert_eq!(
        reasons,
        [
            (json!("schedule"), json!("schedule"), json!(first)),
            (json!("schedule"), json!("schedule"), json!(second)),
            (json!("manual"), json!("operator"), json!(second)),
        ]
    );
    assert!(third > second);
    assert_eq!(world.runs_of(id).await.len(), 1);
    let audit = world.get("/api/v1/audit").await.json();
    let queued: Vec<_> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["action"] == "run.queue")
        .collect();
    assert_eq!(queued.len(), 1, "what joins queues nothing");
    assert_eq!(
        (&queued[0]["actor"], &queued[0]["object"]),
        (&json!("schedule"), &json!(format!("run:{}", run.id)))
    );
}

#[tokio::test]
async fn two_control_planes_on_one_database_start_nothing_twice() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let (_one, other) = (keep(&world.app), replica(&world));
    let _other = keep(&other);
    let mut ids = Vec::new();
    for number in 0..24 {
        ids.push(
            world
                .scheduled(&format!("r{number}"), json!({"expression": "hourly"}))
                .await,
        );
    }
    for id in &ids {
        world.planned(*id, None).await;
    }
    for hour in 1..=3_u32 {
        world.clock.advance(Duration::from_secs(3_600));
        let now = world.now();
        for id in &ids {
            while world
                .record(*id)
                .await
                .next_start_at
                .is_none_or(|next| next <= now)
            {
                other.signals.schedule.notify_one();
                world.breathe().await;
            }
        }
        for id in &ids {
            let runs = world.runs_of(*id).await;
            assert_eq!(runs.len(), 1);
            assert_eq!(u32::try_from(runs[0].reasons.len()).unwrap(), hour);
        }
    }
}

#[tokio::test]
async fn a_paused_registry_starts_nothing_and_a_resumed_one_makes_up_for_nothing() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let _loop = keep(&world.app);
    let id = world.scheduled("gl", json!({"expression": "hourly"})).await;
    let watch = world.scheduled("watch", json!({"expression": "hourly"})).await;
    world.planned(id, None).await;
    world.post("/api/v1/registries/gl/pause", json!(null)).await;
    while world.record(id).await.next_start_at.is_some() {
        world.breathe().await;
    }
    let before = world.planned(watch, None).await;
    world.clock.advance(Duration::from_secs(5 * 3_600));
    // The other one is started, so the loop has looked.
    world.planned(watch, Some(before)).await;
    world.run_where(watch, |_| true).await;
    assert!(world.runs_of(id).await.is_empty());
    world.post("/api/v1/registries/gl/resume", json!(null)).await;
    let next = world.planned(id, None).await;
    assert!(next > world.now());
    assert!(world.runs_of(id).await.is_empty());
    // By hand it is read all the same.
    world.scheduled_anew("gl", json!({"paused": true})).await;
    let asked = world.post("/api/v1/registries/gl/runs", json!({})).await;
    assert_eq!(asked.json()["joined"], false);
}

#[tokio::test]
async fn missed_starts_are_one_run_or_none() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let once = world.scheduled("once", json!({"expression": "hourly"})).await;
    let skip = world
        .scheduled("skip", json!({"expression": "hourly", "missed": "skip"}))
        .await;
    let (planned_once, planned_skip) = {
        let _loop = keep(&world.app);
        (world.planned(once, None).await, world.planned(skip, None).await)
    };
    // Nothing is there that could start anything for ten hours.
    world.clock.advance(Duration::from_secs(10 * 3_600));
    let _loop = keep(&world.app);
    world.planned(skip, Some(planned_skip)).await;
    let run = world.run_where(once, |_| true).await;
    assert_eq!(run.requested_by, format!("schedule: missed since {planned_once}"));
    assert_eq!(run.reasons.len(), 1);
    assert!(world.runs_of(skip).await.is_empty());
}

#[tokio::test]
async fn a_clock_that_was_set_back_has_everything_planned_anew() {
    let world = World::new().await;
    let sensor = world.sensor("berlin-1").await;
    let epoch = world.session(sensor).await;
    let _loop = keep(&world.app);
    let id = world.scheduled("gl", json!({"expression": "hourly"})).await;
    let first = world.planned(id, None).await;
    world.clock.jump_to(first);
    let open = world.run_where(id, |_| true).await;
    world.planned(id, Some(first)).await;
    let other = world.registry("other", "https://h", "berlin-1").await;
    let leased = world.leased_run("other", sensor, epoch).await;
    let begin = world.now();
    // A wrong clock: forty days ahead, then right again.
    world.clock.jump_to(begin + SignedDuration::from_hours(40 * 24));
    while world
        .record(id)
        .await
        .next_start_at
        .is_none_or(|next| next <= world.now())
    {
        world.breathe().await;
    }
    world.clock.jump_to(begin);
    while world
        .record(id)
        .await
        .next_start_at
        .is_none_or(|next| next > begin + SignedDuration::from_hours(1))
    {
        world.breathe().await;
    }
    let runs = world.runs_of(id).await;
    let states: Vec<_> = runs.iter().map(|run| (run.id, run.state)).collect();
    // One start was due while the clock was ahead: it joined the run that waited, and nothing has ended that.
    assert_eq!(states, [(open.id, RunState::Queued)]);
    assert_eq!(runs[0].reasons.len(), 2);
    let held = world.run_where(other, |_| true).await;
    assert_eq!((held.id, held.state), (leased.attempt.run, RunState::Leased));
}

#[tokio::test]
async fn a_clock_that_was_set_back_before_the_start_has_it_planned_anew_too() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let id = world.scheduled("gl", json!({"expression": "hourly"})).await;
    let begin = world.now();
    let ahead = {
        let _loop = keep(&world.app);
        world.clock.jump_to(begin + SignedDuration::from_hours(40 * 24));
        world.planned(id, None).await
    };
    assert!(ahead > begin + SignedDuration::from_hours(40 * 24));
    world.clock.jump_to(begin);
    let _loop = keep(&world.app);
    while world
        .record(id)
        .await
        .next_start_at
        .is_none_or(|next| next > begin + SignedDuration::from_hours(1))
    {
        world.breathe().await;
    }
}
