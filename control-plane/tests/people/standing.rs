//! Approvals over the API, and the story of a sensor.

use axum::http::Method;
use serde_json::Value;

use crate::world::World;

#[tokio::test]
async fn t14_an_approval_can_be_for_one_machine_and_the_story_is_told_newest_first() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let approve = async |query: &str| {
        let path = format!("/api/v1/sensors/berlin-1/approve{query}");
        world.ask(&world.admin, Method::POST, &path, None).await
    };
    let machine = "0af1".repeat(8);
    let bound = approve(&format!("?fingerprint={machine}")).await.json();
    assert_eq!(bound["approved_fingerprint"], machine);
    assert!(bound["approved_until"].is_string(), "{bound}");
    let anyone = approve("").await.json();
    assert_eq!(anyone["approved_fingerprint"], Value::Null);
    for wrong in ["0a", "zz", &machine[1..]] {
        assert_eq!(
            approve(&format!("?fingerprint={wrong}")).await.refusal().0,
            400,
            "{wrong}"
        );
    }
    assert_eq!(approve("?machine=x").await.refusal().0, 422);

    let story = world.get("/api/v1/sensors/berlin-1/story?limit=2").await.json();
    let machines: Vec<_> = story["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (&line["action"], &line["details"]["fingerprint"]))
        .collect();
    let approved = Value::from("sensor.approve");
    assert_eq!(
        machines,
        [(&approved, &Value::Null), (&approved, &Value::from(machine))]
    );
}
