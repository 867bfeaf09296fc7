//! Approvals over the API, and the story of a sensor.

use axum::http::Method;
use serde_json::{Value, json};

use crate::credential_scene::Scene;
use crate::desk::Desk;
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

#[tokio::test]
async fn an_approval_says_which_logins_to_change_at_their_registries() {
    let scene = Scene::new().await;
    let world = &scene.world;
    scene.put_version(1).await;
    world
        .registry("open", "https://open.example.com", "berlin-1")
        .await;
    world.sensor("munich").await;
    let desk = Desk::open(world).await;
    let other = desk.say("sensor approve munich --yes").await;
    assert!(!other.err.contains("rotate"), "{}", other.err);
    let said = desk.say("sensor approve berlin-1 --yes").await;
    let lines: Vec<_> = said
        .err
        .lines()
        .filter(|line| line.starts_with("rotate: "))
        .collect();
    assert_eq!(lines.len(), 1, "{}", said.err);
    assert!(
        lines[0].starts_with("rotate: gl may be known to a copy of berlin-1: "),
        "{}",
        lines[0]
    );
}

#[tokio::test]
async fn the_story_begins_with_the_invitation() {
    let world = World::new().await;
    let sensor = world.sensor("berlin-1").await;
    world.sensor("munich").await;
    let invitation = world.app.store.invitation_of(world.tenant, sensor).await;
    let invitation = invitation.unwrap().unwrap();
    let refused = |object: String| portolan_store::AuditEntry {
        action: "sensor.enrol_refused".to_owned(),
        object,
        details: json!({"why": "the secret is wrong"}),
        ..crate::world::note(world.app.clock.now())
    };
    for object in [
        format!("invitation:{invitation}"),
        "invitation:another".to_owned(),
    ] {
        let entry = refused(object);
        world.app.store.append_audit(world.tenant, &entry).await.unwrap();
    }
    let told = world.get("/api/v1/sensors/berlin-1/story").await.json();
    let actions: Vec<_> = told["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["action"])
        .collect();
    assert_eq!(actions.first(), Some(&&json!("sensor.enrol_refused")), "{told}");
    assert_eq!(
        actions
            .iter()
            .filter(|action| **action == "sensor.enrol_refused")
            .count(),
        1,
        "that of its own invitation"
    );
}

#[tokio::test]
async fn a_story_that_is_longer_than_what_is_shown_says_so() {
    let world = World::new().await;
    let sensor = world.sensor("berlin-1").await;
    let desk = Desk::open(&world).await;
    let told = desk.say("sensor show berlin-1").await;
    assert!(!told.err.contains("the story is longer"), "{}", told.err);
    for _ in 0..=1_000 {
        let mut entry = crate::world::note(world.app.clock.now());
        entry.object = format!("sensor:{sensor}");
        world.app.store.append_audit(world.tenant, &entry).await.unwrap();
    }
    for format in ["table", "json"] {
        let told = desk.say(&format!("sensor show berlin-1 -o {format}")).await;
        assert!(
            told.err
                .contains("the story is longer: these are its newest 1000 entries"),
            "{}",
            told.err
        );
    }
}
