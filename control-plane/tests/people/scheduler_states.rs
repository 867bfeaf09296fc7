//! No run stays as it is for ever: every state is driven to its end, as the table in the scheduler's documentation has it.

use std::sync::Arc;
use std::time::Duration;

use portolan::app::{Meters, Reaper, Sessions};
use portolan_shared::model::limits::{
    FRUITLESS_ATTEMPTS, RUN_NOT_TAKEN_SECONDS, RUN_SECONDS, RUN_WAITS_SECONDS,
};
use portolan_shared::model::{AttemptRef, RegistryId, RunState, RunTrigger, SensorId};
use portolan_store::{Fence, RunRecord};
use serde_json::json;

use crate::clockwork::{Loop, keep};
use crate::world::World;

/// A registry `gl` with its sensor in session, and the loop at work.
struct Scene {
    world: World,
    registry: RegistryId,
    sensor: SensorId,
    epoch: u64,
    _loop: Loop,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let sensor = world.sensor("berlin-1").await;
        let epoch = world.session(sensor).await;
        let registry = world.registry("gl", "https://h", "berlin-1").await;
        let scheduler = keep(&world.app);
        Self {
            world,
            registry,
            sensor,
            epoch,
            _loop: scheduler,
        }
    }

    async fn run(&self) -> RunRecord {
        self.world.run_where(self.registry, |_| true).await
    }

    /// Leases the run if it is to be had.
    async fn lease(&self) -> Option<Fence> {
        let (store, now) = (&self.world.app.store, self.world.now());
        let lease = store.lease_run(
            self.world.tenant,
            self.run().await.id,
            self.sensor,
            self.epoch,
            now,
        );
        lease.await.unwrap().map(|lease| self.fence(lease.attempt))
    }

    fn fence(&self, attempt: AttemptRef) -> Fence {
        Fence {
            tenant: self.world.tenant,
            sensor: self.sensor,
            session_epoch: self.epoch,
            attempt,
        }
    }

    async fn asked_for(&self) -> RunRecord {
        let asked = self.world.post("/api/v1/registries/gl/runs", json!({})).await;
        assert!(asked.status.is_success(), "{:?}", asked.json());
        self.run().await
    }

    /// The run once it is in this state; time goes on until then.
    async fn becomes(&self, state: RunState) -> RunRecord {
        self.world
            .run_in_time(self.registry, |run| run.state == state)
            .await
    }

    fn pass(&self, seconds: u32) {
        self.world.clock.advance(Duration::from_secs(u64::from(seconds)));
    }
}

fn code(run: &RunRecord) -> &'static str {
    run.finding.as_ref().map_or("", |finding| finding.code.as_str())
}

#[tokio::test]
async fn every_state_that_is_not_an_end_has_a_limit() {
    for state in RunState::ALL {
        match state {
            RunState::Queued => {
                nobody_takes_it().await;
                it_waits_for_one_thing_after_the_other().await;
                it_waits_again_until_its_time_is_up().await;
            }
            RunState::Leased => {
                its_sensor_is_lost_again_and_again().await;
                its_sensor_never_comes_to_an_end().await;
            }
            RunState::Complete | RunState::Partial | RunState::Failed | RunState::Cancelled => {
                assert!(state.is_ended(), "{state}");
            }
        }
    }
}

async fn nobody_takes_it() {
    let scene = Scene::new().await;
    scene.asked_for().await;
    scene.pass(RUN_NOT_TAKEN_SECONDS - 3_600);
    // More than what nothing is ended in after such a leap.
    for _ in 0..60 {
        scene.pass(10);
        scene.world.breathe().await;
    }
    assert_eq!(
        scene.run().await.state,
        RunState::Queued,
        "it may wait for longer"
    );
    scene.pass(3_600);
    let ended = scene.becomes(RunState::Failed).await;
    assert_eq!(code(&ended), "run.not_taken");
}

async fn it_waits_for_one_thing_after_the_other() {
    let scene = Scene::new().await;
    // Nothing may begin, and each time it is looked at it waits for the next end.
    scene
        .world
        .scheduled_anew("gl", json!({"expression": "daily", "blackouts": ["00:00-23:59"]}))
        .await;
    let first = scene.world.planned(scene.registry, None).await;
    scene.world.clock.jump_to(first);
    let queued = scene.run().await;
    assert_eq!(queued.trigger, RunTrigger::Schedule);
    let day = 86_400;
    scene.pass(3_600);
    for _ in 0..RUN_WAITS_SECONDS / day {
        scene.pass(day);
        assert_eq!(scene.lease().await, None);
        let waits = scene.run().await;
        assert_eq!(
            (waits.state, code(&waits)),
            (RunState::Queued, "schedule.blackout")
        );
        assert!(waits.not_before > scene.world.now());
    }
    let ended = scene.becomes(RunState::Failed).await;
    assert_eq!((ended.id, code(&ended)), (queued.id, "run.not_taken"));
}

async fn it_waits_again_until_its_time_is_up() {
    let scene = Scene::new().await;
    scene.asked_for().await;
    let fence = scene.lease().await.unwrap();
    scene
        .world
        .app
        .store
        .return_lease(&fence, scene.world.now())
        .await
        .unwrap();
    scene.pass(RUN_SECONDS);
    let ended = scene.becomes(RunState::Failed).await;
    assert_eq!(code(&ended), "run.too_long");
}

async fn its_sensor_is_lost_again_and_again() {
    let scene = Scene::new().await;
    scene.asked_for().await;
    let meters = Arc::new(Meters::new().unwrap());
    let app = Arc::clone(&scene.world.app);
    let mut reaper = Reaper::new(app, Arc::new(Sessions::new()), meters);
    for attempt in 1..=FRUITLESS_ATTEMPTS {
        scene.lease().await.unwrap();
        assert_eq!(code(&scene.run().await), "");
        scene.pass(75);
        reaper.reap_once().await.unwrap();
        let lost = scene.run().await;
        let expected = if attempt < FRUITLESS_ATTEMPTS {
            RunState::Queued
        } else {
            RunState::Failed
        };
        assert_eq!((lost.state, code(&lost)), (expected, "run.sensor_lost"));
    }
}

async fn its_sensor_never_comes_to_an_end() {
    let scene = Scene::new().await;
    scene.asked_for().await;
    let fence = scene.lease().await.unwrap();
    scene.pass(RUN_SECONDS - 60);
    let kept = scene
        .world
        .app
        .store
        .renew_leases(&[fence], scene.world.now())
        .await;
    assert_eq!(kept.unwrap(), [fence]);
    scene.pass(60);
    let ended = scene.becomes(RunState::Failed).await;
    assert_eq!(code(&ended), "run.too_long");
}

/// A clock that is wrong for a moment ends nothing.
#[tokio::test]
async fn a_clock_that_leaps_ahead_ends_nothing_for_a_while() {
    let scene = Scene::new().await;
    scene.asked_for().await;
    scene.lease().await.unwrap();
    let waits = scene.world.registry("waits", "https://h", "berlin-1").await;
    scene.world.post("/api/v1/registries/waits/runs", json!({})).await;
    // The loop has looked.
    scene
        .world
        .scheduled("watch", json!({"expression": "every 1m"}))
        .await;
    let begin = scene.world.now();
    let states = async || {
        let waits = scene.world.run_where(waits, |_| true).await;
        (scene.run().await.state, waits.state)
    };
    for days in [40, 0, 3, 0] {
        scene
            .world
            .clock
            .jump_to(begin + jiff::SignedDuration::from_hours(24 * days));
        for _ in 0..20 {
            scene.pass(1);
            scene.world.breathe().await;
        }
        assert_eq!(
            states().await,
            (RunState::Leased, RunState::Queued),
            "{days} days ahead"
        );
    }
    // One that stays there has its way.
    scene
        .world
        .clock
        .jump_to(begin + jiff::SignedDuration::from_hours(24 * 3));
    assert_eq!(code(&scene.becomes(RunState::Failed).await), "run.too_long");
    let lapsed = scene
        .world
        .run_in_time(waits, |run| run.state == RunState::Failed)
        .await;
    assert_eq!(code(&lapsed), "run.not_taken");
}
