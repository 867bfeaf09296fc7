//! A repository that is deleted as a whole, in a registry that is read on push.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use portolan_shared::model::{CoverageEntry, Digest, RegistryId, RepositoryOutcome, RunTrigger, SensorId};
use portolan_store::{Fence, RunRecord};
use serde_json::json;

use crate::clockwork::{Loop, keep};
use crate::shop::{close, commit};
use crate::world::World;

const DELETED: &str = r#"{"events":[{"id":"1","action":"delete","target":{"repository":"acme/shop"}}]}"#;

struct Scene {
    world: World,
    registry: RegistryId,
    sensor: SensorId,
    epoch: u64,
    _loop: Loop,
}

impl Scene {
    /// A registry that was read once, with two repositories.
    async fn new() -> Self {
        let world = World::new().await;
        let sensor = world.sensor("berlin-1").await;
        let epoch = world.session(sensor).await;
        let kept = keep(&world.app);
        let registry = world.scheduled("gl", json!({"expression": "on-push"})).await;
        let scene = Self {
            world,
            registry,
            sensor,
            epoch,
            _loop: kept,
        };
        let (_, fence) = scene.work(|_| true).await;
        let image = Digest::sha256_of(b"image");
        for repository in ["acme/shop", "acme/other"] {
            commit(&scene.world, &fence, repository, &[("1.0", &image)]).await;
        }
        close(&scene.world, &fence, 2, 2).await;
        scene
    }

    /// Waits for a run that the clock has queued, and takes it as a sensor does.
    async fn work(&self, fits: impl Fn(&RunRecord) -> bool) -> (RunRecord, Fence) {
        let world = &self.world;
        let waits = |run: &RunRecord| !run.state.is_ended() && fits(run);
        let run = world.run_where(self.registry, waits).await;
        let now = world.app.clock.now();
        let lease = world
            .app
            .store
            .lease_run(world.tenant, run.id, self.sensor, self.epoch, now);
        let fence = Fence {
            tenant: world.tenant,
            sensor: self.sensor,
            session_epoch: self.epoch,
            attempt: lease.await.unwrap().expect("nobody else works on it").attempt,
        };
        (run, fence)
    }

    /// The registry says that `acme/shop` was deleted.
    async fn hears(&self) {
        let world = &self.world;
        let path = "/api/v1/registries/gl/webhook";
        let webhook = world.ask(&world.operator, Method::GET, path, None).await.json();
        let notification = Request::builder()
            .method(Method::POST)
            .uri(webhook["path"].as_str().unwrap())
            .header("Authorization", webhook["secret"].as_str().unwrap())
            .body(Body::from(DELETED))
            .unwrap();
        assert_eq!(world.send(notification).await.status, 200);
        world.clock.advance(Duration::from_secs(1));
    }

    /// The repositories that are there.
    async fn there(&self) -> Vec<String> {
        let listed = self.world.get("/api/v1/repositories?registry=gl").await.json();
        let items = listed["items"].as_array().unwrap().iter();
        items
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// The look at the repository itself proves nothing; the one that does is nobody's to ask for.
#[tokio::test]
async fn a_repository_is_gone_once_the_whole_was_looked_at_which_comes_by_itself() {
    let scene = Scene::new().await;
    let (world, registry) = (&scene.world, scene.registry);
    let read_at = world.record(registry).await.last_attempt_at.unwrap();
    scene.hears().await;
    let (run, fence) = scene.work(|run| run.trigger == RunTrigger::Event).await;
    assert_eq!(run.scope.lines(), ["acme/shop:1.0"], "what is known of it");
    let missing = CoverageEntry {
        repository: "acme/shop".parse().unwrap(),
        outcome: RepositoryOutcome::Missing,
        finding: None,
    };
    let now = world.app.clock.now();
    let reported = world.app.store.report_coverage(&fence, &[missing], now).await;
    reported.unwrap();
    close(world, &fence, 1, 0).await;
    assert_eq!(scene.there().await, ["acme/other", "acme/shop"]);

    let next = world.app.store.next_event_due().await.unwrap();
    assert_eq!(
        next,
        Some(read_at + jiff::SignedDuration::from_hours(1)),
        "an hour after the whole was last looked at"
    );
    let before = world.runs_of(registry).await.len();
    world.clock.jump_to(next.unwrap());
    let (run, fence) = scene.work(|run| run.trigger == RunTrigger::Event).await;
    assert!(run.scope.is_whole());
    assert_eq!(world.runs_of(registry).await.len(), before + 1);
    commit(
        world,
        &fence,
        "acme/other",
        &[("1.0", &Digest::sha256_of(b"image"))],
    )
    .await;
    close(world, &fence, 1, 1).await;
    assert_eq!(scene.there().await, ["acme/other"]);
    let history = world
        .get("/api/v1/history?reference=gl/acme/shop:1.0")
        .await
        .json();
    let newest = &history["items"][0];
    assert_eq!(
        (&newest["change"], &newest["run"]),
        (&json!("vanished"), &json!(run.id.to_string())),
        "{newest:#}"
    );
    assert_eq!(
        world.app.store.next_event_due().await.unwrap(),
        None,
        "and that was all"
    );
}
