//! Looks that push events asked for, in the audit log.

use std::time::Duration;

use serde_json::{Value, json};

use crate::clockwork::keep;
use crate::notifications::{PUSH, Scene};

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
