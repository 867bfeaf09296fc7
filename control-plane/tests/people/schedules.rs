//! Schedules over the API: said, shown, refused, held.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::clockwork::keep;
use crate::world::{Answer, World};

async fn scheduled(world: &World, schedule: Value) -> Answer {
    let body = json!({"name": "gl", "url": "https://h", "sensors": ["berlin-1"], "schedule": schedule});
    world.post("/api/v1/registries", body).await
}

async fn change(world: &World, schedule: Value) -> Answer {
    let body = json!({"schedule": schedule});
    world
        .ask(
            &world.operator,
            Method::PATCH,
            "/api/v1/registries/gl",
            Some(body),
        )
        .await
}

#[tokio::test]
async fn a_registry_is_read_by_hand_unless_it_is_said_otherwise() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    world.registry("gl", "https://h", "berlin-1").await;
    let shown = world.get("/api/v1/registries/gl").await.json();
    assert_eq!(
        shown["schedule"],
        json!({
            "expression": "manual", "zone": "UTC", "jitter_seconds": null, "blackouts": [], "max_run_seconds": null,
            "missed": "run_once", "paused": false, "next": [],
        })
    );
    assert_eq!(shown["last_event_at"], Value::Null);
}

#[tokio::test]
async fn what_is_said_of_a_schedule_is_kept_and_the_rest_of_it_stays() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let added = scheduled(
        &world,
        json!({
            "expression": "0 3 * * MON-FRI", "zone": "europe/berlin", "jitter_seconds": 0,
            "blackouts": ["sat,sun 0:00-24:00"], "max_run_seconds": 7200, "missed": "skip",
        }),
    )
    .await;
    assert_eq!(added.status, StatusCode::CREATED, "{:?}", added.json());
    // The clock shows Friday, 15 January 2027, nine o'clock in Berlin.
    assert_eq!(
        added.json()["schedule"],
        json!({
            "expression": "cron 0 3 * * mon-fri", "zone": "Europe/Berlin", "jitter_seconds": 0,
            "blackouts": ["sat,sun 00:00-24:00"], "max_run_seconds": 7200, "missed": "skip", "paused": false,
            "next": [
                "2027-01-18T02:00:00Z", "2027-01-19T02:00:00Z", "2027-01-20T02:00:00Z", "2027-01-21T02:00:00Z",
                "2027-01-22T02:00:00Z",
            ],
        })
    );
    let changed = change(
        &world,
        json!({"expression": "daily 4:30", "jitter_seconds": null}),
    )
    .await
    .json();
    let schedule = &changed["schedule"];
    assert_eq!(
        (
            &schedule["expression"],
            &schedule["zone"],
            &schedule["jitter_seconds"],
            &schedule["missed"]
        ),
        (
            &json!("daily 04:30"),
            &json!("Europe/Berlin"),
            &Value::Null,
            &json!("skip")
        )
    );
    let unchanged = world
        .ask(
            &world.operator,
            Method::PATCH,
            "/api/v1/registries/gl",
            Some(json!({"concurrency": 4})),
        )
        .await;
    assert_eq!(unchanged.json()["schedule"], *schedule);
    let cleared = json!({"blackouts": [], "max_run_seconds": null, "missed": "run_once", "zone": "UTC"});
    let cleared = change(&world, cleared).await.json();
    assert_eq!(
        (
            &cleared["schedule"]["blackouts"],
            &cleared["schedule"]["max_run_seconds"]
        ),
        (&json!([]), &Value::Null)
    );
    let audit = world.done_by_people().await;
    assert_eq!(audit[0]["details"]["fields"], json!(["schedule"]));
}

#[tokio::test]
async fn what_is_no_schedule_is_refused_with_an_example() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    for (schedule, field, says) in [
        (
            json!({"expression": "nightly"}),
            "schedule.expression",
            "such as \\\"0 3 * * mon-fri\\\"",
        ),
        (
            json!({"expression": "0 3 30 2 *"}),
            "schedule.expression",
            "never comes",
        ),
        (
            json!({"expression": "61 3 * * *"}),
            "schedule.expression",
            "not the minute",
        ),
        (
            json!({"expression": "daily", "zone": "Berlin"}),
            "schedule.zone",
            "such as \\\"Europe/Berlin\\\"",
        ),
        (
            json!({"expression": "daily", "blackouts": ["8-18"]}),
            "schedule.blackouts",
            "mon-fri 08:00-18:00",
        ),
        (
            json!({"expression": "daily", "blackouts": ["00:00-24:00"]}),
            "schedule.blackouts",
            "no minute of the week",
        ),
        (
            json!({"expression": "daily 12:00", "blackouts": ["08:00-18:00"], "missed": "skip"}),
            "schedule",
            "it never starts",
        ),
        (
            json!({"expression": "daily", "jitter_seconds": 21_601}),
            "schedule.jitter_seconds",
            "at most 6 hours",
        ),
        (
            json!({"expression": "daily", "max_run_seconds": 2_678_401}),
            "schedule.max_run_seconds",
            "at most 31 days",
        ),
        (
            json!({"expression": "daily", "missed": "later"}),
            "schedule.missed",
            "run_once",
        ),
    ] {
        let refused = scheduled(&world, schedule.clone()).await;
        assert_eq!(refused.refusal(), (422, "invalid".to_owned()), "{schedule}");
        let body = String::from_utf8(refused.bytes.clone()).unwrap();
        assert_eq!(refused.json()["details"]["field"], field, "{body}");
        assert!(body.contains(says), "{schedule}: {body}");
    }
    let unknown = scheduled(&world, json!({"cron": "* * * * *"})).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
    let nought = scheduled(&world, json!({"max_run_seconds": 0})).await;
    assert_eq!(nought.status, StatusCode::UNPROCESSABLE_ENTITY);
    world.registry("gl", "https://h", "berlin-1").await;
    let refused = change(
        &world,
        json!({"expression": "daily", "blackouts": ["00:00-24:00"]}),
    )
    .await;
    assert_eq!(refused.refusal(), (422, "invalid".to_owned()));
    let shown = world.get("/api/v1/registries/gl").await.json();
    assert_eq!(shown["schedule"]["expression"], "manual", "nothing was changed");
}

#[tokio::test]
async fn a_schedule_is_held_and_let_go_again() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    scheduled(&world, json!({"expression": "every 6h"})).await;
    let act = async |verb: &str| {
        let path = format!("/api/v1/registries/gl/{verb}");
        world.ask(&world.operator, Method::POST, &path, None).await.json()
    };
    let paused = act("pause").await;
    assert_eq!(
        (&paused["schedule"]["paused"], &paused["schedule"]["next"]),
        (&json!(true), &json!([]))
    );
    assert_eq!(paused["schedule"]["expression"], "every 6h");
    assert_eq!(act("pause").await["version"], paused["version"], "paused already");
    let resumed = act("resume").await;
    assert_eq!(resumed["schedule"]["paused"], false);
    assert_eq!(resumed["schedule"]["next"].as_array().unwrap().len(), 5);
    assert_eq!(act("resume").await["version"], resumed["version"]);
    let actions: Vec<_> = world
        .done_by_people()
        .await
        .iter()
        .map(|entry| entry["action"].clone())
        .collect();
    assert_eq!(actions, ["registry.resume", "registry.pause", "registry.add"]);
}

#[tokio::test]
async fn a_schedule_is_previewed() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let preview = world
        .get("/api/v1/schedules/preview?expression=0+*/6+*+*+*&zone=Europe/Berlin&jitter_seconds=0&count=3&blackouts=mon-fri+08:00-18:00;22:00-23:00")
        .await;
    assert_eq!(
        preview.json(),
        json!({
            "expression": "cron 0 */6 * * *", "zone": "Europe/Berlin", "example": false,
            "starts": ["2027-01-15T17:00:00Z", "2027-01-15T23:00:00Z", "2027-01-16T05:00:00Z"],
        })
    );
    // What is left open follows from the registry, whose starts are those of its page.
    let body = scheduled(&world, json!({"expression": "hourly"})).await.json();
    let own = world
        .get("/api/v1/schedules/preview?expression=hourly&registry=gl")
        .await
        .json();
    assert_eq!(
        (&own["starts"], &own["example"]),
        (&body["schedule"]["next"], &json!(false))
    );
    let example = world
        .get("/api/v1/schedules/preview?expression=hourly")
        .await
        .json();
    assert_eq!(example["example"], true);
    let manual = world
        .get("/api/v1/schedules/preview?expression=manual")
        .await
        .json();
    assert_eq!(manual["starts"], json!([]));
    for (query, status) in [
        ("expression=sometimes", 422),
        ("expression=daily&zone=x", 422),
        ("expression=daily&count=0", 422),
        ("expression=daily&count=101", 422),
        ("expression=daily&jitter_seconds=x", 422),
        ("expression=daily&color=red", 422),
        ("zone=UTC", 422),
        ("expression=daily&registry=nobody", 404),
    ] {
        let refused = world.get(&format!("/api/v1/schedules/preview?{query}")).await;
        assert_eq!(refused.status.as_u16(), status, "{query}");
    }
}

/// What the scheduler has not come to yet is shown as it will be.
#[tokio::test]
async fn the_next_starts_are_those_that_the_scheduler_will_plan() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let mut shown = Vec::new();
    for (name, schedule) in [
        ("on-push", json!({"expression": "on-push"})),
        (
            "closed",
            json!({"expression": "on-push", "blackouts": ["00:00-23:00"]}),
        ),
        ("hourly", json!({"expression": "hourly"})),
        (
            "exact",
            json!({"expression": "*/7 * * * *", "zone": "Europe/Berlin"}),
        ),
    ] {
        let id = world.scheduled(name, schedule).await;
        let answer = world.get(&format!("/api/v1/registries/{name}")).await.json();
        let next = answer["schedule"]["next"].as_array().unwrap().clone();
        assert_eq!(next.len(), 5, "{name}");
        shown.push((name, id, next));
    }
    // What has never been read is read at once, and then once a day.
    assert_eq!(shown[0].2[0], json!(world.now()));
    let scheduler = keep(&world.app);
    for (name, id, next) in &shown[1..] {
        assert_eq!(json!(world.planned(*id, None).await), next[0], "{name}");
    }
    let run = world.run_where(shown[0].1, |_| true).await;
    assert_eq!(json!(run.queued_at), shown[0].2[0]);
    assert_eq!(json!(world.record(shown[0].1).await.next_start_at), shown[0].2[1]);

    // Nor is the start of the schedule before it shown.
    drop(scheduler);
    world
        .scheduled_anew(
            "hourly",
            json!({"expression": "daily 03:30", "jitter_seconds": 0}),
        )
        .await;
    let answer = world.get("/api/v1/registries/hourly").await.json();
    let changed = answer["schedule"]["next"].as_array().unwrap();
    assert_ne!(changed[0], shown[2].2[0]);
    assert!(
        changed
            .iter()
            .all(|start| start.as_str().unwrap().ends_with("T03:30:00Z")),
        "{changed:?}"
    );
}
