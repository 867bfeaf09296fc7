//! Approvals over the API, and the story of a sensor.

use axum::http::Method;
use serde_json::{Value, json};

use crate::credential_scene::Scene;
use crate::desk::{Desk, Said};
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

/// The story as a command tells it to programs: numbers in the log, and what was done.
fn told(said: &Said) -> Vec<(u64, String)> {
    let sensor: Value = serde_json::from_str(&said.out).unwrap();
    let story = sensor["story"].as_array().unwrap().iter();
    story
        .map(|line| {
            (
                line["seq"].as_u64().unwrap(),
                line["action"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

/// Something happens to the sensor.
async fn suspend_and_resume(world: &World) {
    for step in ["suspend", "resume"] {
        let path = format!("/api/v1/sensors/berlin-1/{step}");
        let done = world.ask(&world.admin, Method::POST, &path, None).await;
        assert!(done.status.is_success(), "{step}: {}", done.status);
    }
}

#[tokio::test]
async fn a_story_is_shown_as_it_happened() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    suspend_and_resume(&world).await;
    let desk = Desk::open(&world).await;
    let story = told(&desk.say("sensor show berlin-1 -o json").await);
    assert!(story.is_sorted_by_key(|(seq, _)| *seq), "{story:?}");
    let table = desk.say("sensor show berlin-1").await.out;
    let place = |action: &str| table.find(action).unwrap_or_else(|| panic!("{action}: {table}"));
    let [.., (_, last_but_one), (_, last)] = &story[..] else {
        panic!("{story:?}")
    };
    assert_eq!(
        (last_but_one.as_str(), last.as_str()),
        ("sensor.suspend", "sensor.resume")
    );
    assert!(place("sensor.suspend") < place("sensor.resume"), "{table}");
}

/// How a sensor came to be is never what is left out.
#[tokio::test]
async fn of_a_story_that_is_longer_than_what_is_shown_the_beginning_and_the_end_are() {
    let world = World::new().await;
    let sensor = world.sensor("berlin-1").await;
    suspend_and_resume(&world).await;
    let desk = Desk::open(&world).await;
    let begun = told(&desk.say("sensor show berlin-1 -o json").await);
    let more = async |entries: usize| {
        for _ in 0..entries {
            let mut entry = crate::world::note(world.app.clock.now());
            entry.object = format!("sensor:{sensor}");
            world.app.store.append_audit(world.tenant, &entry).await.unwrap();
        }
    };
    more(1_000 - begun.len()).await;
    let said = desk.say("sensor show berlin-1 -o json").await;
    assert!(!said.err.contains("the story is longer"), "{}", said.err);
    let whole = told(&said);
    assert_eq!(whole.len(), 1_000, "at the bound it is whole");
    more(5).await;
    let newest = world.get("/api/v1/sensors/berlin-1/story?limit=1").await.json();
    let newest = newest["items"][0]["seq"].as_u64();
    let said = desk.say("sensor show berlin-1 -o json").await;
    let story = told(&said);
    assert_eq!(story.len(), 1_000);
    assert_eq!(story[..100], whole[..100], "its beginning");
    assert_eq!(story[100..995], whole[105..], "and its end");
    assert!(story.is_sorted_by_key(|(seq, _)| *seq));
    assert_eq!(story.last().map(|(seq, _)| *seq), newest);
    for format in ["table", "json"] {
        let said = desk.say(&format!("sensor show berlin-1 -o {format}")).await;
        let note = "the story is longer: these are its first 100 and its newest 900 entries";
        assert!(said.err.contains(note), "{}", said.err);
    }
}

#[tokio::test]
async fn a_story_is_told_page_by_page_from_either_end() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    suspend_and_resume(&world).await;
    let path = "/api/v1/sensors/berlin-1/story";
    let all = world.get(path).await.json()["items"].as_array().unwrap().clone();
    assert!(all.len() > 1, "{all:?}");
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world
            .get(&format!("{path}?order=oldest_first&limit=1{cursor}"))
            .await
            .json();
        seen.extend(page["items"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    seen.reverse();
    assert_eq!(seen, all);
    let refused = world.get(&format!("{path}?order=sideways")).await.refusal();
    assert_eq!(refused.0, 422);
}
