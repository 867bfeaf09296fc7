//! Schedules by commands.

use axum::http::Method;
use portolan::cli::Exit;

use crate::desk::{Desk, settled};
use crate::world::World;

#[tokio::test]
async fn a_schedule_is_given_changed_and_shown() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let desk = Desk::open(&world).await;
    let added = desk
        .say("registry add gl https://h --no-test --sensor berlin-1")
        .await;
    assert_eq!(added.exit, Exit::Done, "{}", added.err);
    assert!(added.out.contains("daily, UTC"), "{}", added.out);
    assert!(
        added
            .err
            .contains("it is read daily, as no --schedule was given; `portolan sync gl` reads it now"),
        "{}",
        added.err
    );
    let quiet = desk
        .say("registry add by-hand https://h --no-test --sensor berlin-1 --schedule manual")
        .await;
    assert!(
        quiet.out.contains("none by itself") && !quiet.err.contains("--schedule"),
        "{}",
        quiet.err
    );
    // The words of a line are split at spaces: cron may say the same without any.
    let set = desk
        .say("registry set gl --schedule hourly --jitter 0s --zone Europe/Berlin --blackout 08:00-18:00 --blackout 22:00-02:00 --max-run 2h --missed skip")
        .await;
    assert_eq!(set.exit, Exit::Done, "{}", set.err);
    let json = desk.say("registry show gl -o json").await.out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let schedule = &json["schedule"];
    assert_eq!(
        (
            &schedule["zone"],
            &schedule["jitter_seconds"],
            &schedule["max_run_seconds"],
            &schedule["missed"]
        ),
        (&"Europe/Berlin".into(), &0.into(), &7_200.into(), &"skip".into())
    );
    assert_eq!(
        schedule["blackouts"],
        serde_json::json!(["08:00-18:00", "22:00-02:00"])
    );
    let set = desk
        .say("registry set gl --no-blackouts --jitter default --max-run default --missed run-once -o json")
        .await;
    let json: serde_json::Value = serde_json::from_str(&set.out).unwrap();
    let schedule = &json["schedule"];
    assert_eq!(
        (&schedule["jitter_seconds"], &schedule["blackouts"]),
        (&serde_json::Value::Null, &serde_json::json!([]))
    );
    assert_eq!(schedule["expression"], "hourly");
    let refused = desk.say("registry set gl --schedule nightly").await;
    assert_eq!(refused.exit, Exit::Usage);
    assert!(
        refused
            .err
            .contains("\"nightly\" is not a schedule: expected manual, every 15m"),
        "{}",
        refused.err
    );
}

#[tokio::test]
async fn people_read_when_it_starts() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let desk = Desk::open(&world).await;
    let mut told = String::new();
    for line in [
        "registry add gl https://h --no-test --sensor berlin-1 --schedule daily --zone Europe/Berlin",
        "registry set gl --blackout 22:00-02:00 --missed skip --max-run 90m --jitter 0s",
        "registry pause gl",
        "registry list",
        "registry resume gl",
    ] {
        assert_eq!(desk.say(line).await.exit, Exit::Done, "{line}");
    }
    let body = serde_json::json!({"schedule": {"expression": "daily 02:30"}});
    let path = "/api/v1/registries/gl";
    world.ask(&world.admin, Method::PATCH, path, Some(body)).await;
    for line in [
        "registry show gl",
        "registry list",
        "registry pause gl",
        "registry list",
        "schedule preview on-push",
        "schedule preview manual",
        "schedule preview weekly --zone America/New_York --blackout 00:00-12:00 --count 2",
        "schedule preview nightly",
        "schedule preview daily --zone Berlin",
    ] {
        let said = desk.say(line).await;
        told.push_str(&format!("$ portolan {line}\n{}{}\n", said.out, said.err));
    }
    insta::assert_snapshot!(settled(&told));
}
