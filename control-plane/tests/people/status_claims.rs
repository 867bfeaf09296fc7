//! What must not be claimed: that all is well while nobody reads, while a start waits, or of what was seen as it was before.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use portolan::cli::Exit;
use serde_json::{Value, json};

use crate::desk::{Desk, Paper, settled};
use crate::shop::{Shop, closing};
use crate::status::{items, troubled};
use crate::world::World;

const GL: &str = "/api/v1/registries/gl";

async fn state(world: &World) -> Value {
    world.get(GL).await.json()["freshness"]["state"].clone()
}

fn item(parts: [&str; 4]) -> Vec<[String; 4]> {
    vec![parts.map(str::to_owned)]
}

#[tokio::test]
async fn a_registry_whose_last_sensor_is_gone_is_not_well() {
    let world = World::new().await;
    Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    assert_eq!(desk.say("status").await.exit, Exit::Done);
    let told = item(["error", "blind", "registry.no_sensor", "registry gl"]);
    let path = "/api/v1/sensors/berlin-1";
    for (method, path, seen) in [
        (
            Method::POST,
            format!("{path}/revoke"),
            "berlin-1 is revoked: nothing reads it",
        ),
        (
            Method::DELETE,
            path.to_owned(),
            "it has no sensor: nothing reads it",
        ),
    ] {
        let done = world.ask(&world.admin, method, &path, None).await;
        assert!(done.status.is_success(), "{path}");
        let status = world.status().await;
        assert_eq!(
            (items(&status), &status["well"]),
            (told.clone(), &json!(false)),
            "{path}"
        );
        let first = &status["attention"][0];
        assert_eq!(
            (&first["words"], &first["command"]),
            (&json!(seen), &json!("portolan registry set gl --sensor SENSOR"))
        );
        assert_eq!(state(&world).await, "no_sensor");
        assert_eq!(desk.say("status").await.exit, Exit::Attention, "{path}");
    }
    let repositories = world.get("/api/v1/repositories").await.json();
    assert_eq!(repositories["items"][0]["freshness"]["state"], "no_sensor");
    // Another one cures it.
    let hamburg = world.sensor("hamburg-1").await;
    world.session(hamburg).await;
    let change = json!({"sensors": ["hamburg-1"]});
    let changed = world.ask(&world.operator, Method::PATCH, GL, Some(change)).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_eq!(state(&world).await, "well");
    assert_eq!(desk.say("status").await.exit, Exit::Done);
    desk.shutdown.start_drain();
}

#[tokio::test]
async fn a_start_that_joins_what_a_person_has_asked_for_is_overdue_in_time() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let queued = world.post(&format!("{GL}/runs"), json!({})).await;
    let run = queued.json()["run"]["id"].as_str().unwrap().to_owned();
    let finding = async || {
        let run = world.get(&format!("/api/v1/runs/{run}")).await.json();
        run["finding"]["code"].clone()
    };
    world.clock.advance(Duration::from_secs(3_600));
    world.hear(shop.sensor).await;
    assert_eq!(
        (state(&world).await, finding().await),
        (json!("well"), Value::Null)
    );
    world.start(shop.registry).await;
    world.clock.advance(Duration::from_secs(15 * 60));
    world.hear(shop.sensor).await;
    assert_eq!(
        (state(&world).await, finding().await),
        (json!("well"), Value::Null)
    );
    world.clock.advance(Duration::from_secs(60));
    world.hear(shop.sensor).await;
    // The registry and the run say the same.
    assert_eq!(state(&world).await, "overdue");
    assert_eq!(finding().await, "schedule.overdue");
    let status = world.status().await;
    assert_eq!(
        items(&status),
        item(["error", "blind", "schedule.overdue", "registry gl"])
    );
    let words = "a run waits for a sensor since 2027-01-15T09:00:00Z: berlin-1 is at work on other runs";
    assert_eq!(status["attention"][0]["words"], words);
}

#[tokio::test]
async fn a_registry_that_was_changed_is_well_again_once_it_was_read_as_it_is() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    world.clock.advance(Duration::from_secs(5));
    world.hear(shop.sensor).await;
    let change = json!({"repositories": ["other/*"]});
    world.ask(&world.operator, Method::PATCH, GL, Some(change)).await;
    let shown = world.get(GL).await.json();
    let freshness = &shown["freshness"];
    assert_eq!(
        (
            &freshness["state"],
            &freshness["age_seconds"],
            &freshness["words"]
        ),
        (
            &json!("changed"),
            &Value::Null,
            &json!("changed since it was last read, read by hand only")
        )
    );
    let status = world.status().await;
    assert_eq!(
        items(&status),
        item(["warning", "partial", "registry.changed", "registry gl"])
    );
    assert_eq!(
        (&status["never_complete"], &status["oldest_success_age_seconds"]),
        (&json!(1), &Value::Null)
    );
    let repositories = world.get("/api/v1/repositories").await.json();
    let left_out = &repositories["items"][0]["freshness"];
    assert_eq!(
        (&left_out["state"], &left_out["next_start_at"]),
        (&json!("left_out"), &Value::Null)
    );
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    let now = world.app.clock.now();
    world
        .app
        .store
        .close_run(&fence, &closing(0, 0), now)
        .await
        .unwrap();
    assert_eq!(state(&world).await, "well");
    assert_eq!(items(&world.status().await), [[""; 4]; 0]);
}

#[tokio::test]
async fn what_is_paused_is_told_as_advice_and_later_as_a_risk() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    world
        .ask(&world.operator, Method::POST, &format!("{GL}/pause"), None)
        .await;
    let told = |severity, rank| item([severity, rank, "registry.paused", "registry gl"]);
    let status = world.status().await;
    assert_eq!(
        (items(&status), &status["well"]),
        (told("info", "advice"), &json!(true))
    );
    world.clock.advance(Duration::from_secs(60 * 86_400));
    world.hear(shop.sensor).await;
    let status = world.status().await;
    assert_eq!(
        (items(&status), &status["well"]),
        (told("warning", "risk"), &json!(false))
    );
    let words =
        "its schedule is paused since 2027-01-15T08:00:00Z; everything was last seen at 2027-01-15T08:00:00Z";
    assert_eq!(status["attention"][0]["words"], words);
}

#[tokio::test]
async fn people_read_how_fresh_each_thing_is() {
    let world = World::new().await;
    troubled(&world).await;
    let desk = Desk::open(&world).await;
    let mut told = String::new();
    for line in [
        "registry list",
        "registry show far",
        "repository list",
        "repository show gl/acme/shop",
        "sensor show berlin-1",
    ] {
        let said = desk.say(line).await;
        assert_eq!((said.exit, said.err.as_str()), (Exit::Done, ""), "{line}");
        told.push_str(&format!("$ portolan {line}\n{}\n", said.out));
    }
    insta::assert_snapshot!(settled(&told));
    let json = desk.say("repository show acme/shop -o json").await;
    let shown: Value = serde_json::from_str(&json.out).unwrap();
    let listed = world.get("/api/v1/repositories").await.json();
    assert_eq!(shown, listed["items"][0]);
    let unknown = desk.say("repository show gl/acme/nothing").await;
    assert_eq!(unknown.exit, Exit::NotFound, "{}", unknown.err);
    let status = desk.say("status").await.out;
    for place in [" NAME", " RUN", " SENSOR`"] {
        assert!(!status.contains(place), "{place} in {status}");
    }
    desk.shutdown.start_drain();
}

#[tokio::test]
async fn whoever_watches_is_told_that_there_is_no_answer_and_goes_on_watching() {
    let world = World::new().await;
    let mut desk = Desk::open(&world).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    desk.environment.url = Some(format!("http://{address}"));
    let err = Paper::default();
    let told = async {
        while !err.text().contains("looking again every 5 seconds\n") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        biased;
        () = told => {}
        said = desk.say_onto("status --watch", &err) => panic!("{:?}: {}", said.exit, err.text()),
    }
    assert!(
        err.text().starts_with("error: cannot reach the control plane"),
        "{}",
        err.text()
    );
    desk.shutdown.start_drain();
}
