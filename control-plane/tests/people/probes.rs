//! Probes: asking, waiting, reading what was seen.

use axum::http::{Method, StatusCode};
use portolan::app::LiveSession;
use portolan::cli::Exit;
use portolan_shared::model::{
    Diagnosis, Finding, FindingCode, ProbeId, SensorId, Stage, StageReport, limits,
};
use portolan_store::WAITING_PROBES;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::world::World;

const PROBES: &str = "/api/v1/registries/gl/probes";

async fn world() -> (World, SensorId) {
    let world = World::new().await;
    let sensor = world.sensor("berlin-1").await;
    world.registry("gl", "https://h:5050", "berlin-1").await;
    (world, sensor)
}

fn sound() -> Diagnosis {
    Diagnosis {
        stages: vec![StageReport::new(
            Stage::Tcp,
            3,
            &["10.0.0.5:5050".to_owned()],
            Vec::new(),
        )],
        ..Diagnosis::default()
    }
}

fn broken() -> Diagnosis {
    let finding = Finding::new(FindingCode::PortClosed, "h:5050 refuses connections");
    Diagnosis {
        stages: vec![
            StageReport::new(Stage::Tcp, 3, &[], vec![finding]),
            StageReport::skipped(Stage::Tls, "there is no connection"),
        ],
        requests: 7,
        ..Diagnosis::default()
    }
}

/// Reports as the session of a sensor would.
async fn report(world: &World, sensor: SensorId, epoch: u64, probe: ProbeId, diagnosis: Diagnosis) {
    let now = world.app.clock.now();
    let (session, _commands) = LiveSession::new(world.tenant, sensor, epoch, [1; 16], [2; 16], now);
    world.app.report_probe(&session, probe, diagnosis).await.unwrap();
}

/// Waits until somebody has asked for a probe, and reports.
async fn answer(world: &World, sensor: SensorId, diagnosis: Diagnosis) {
    let epoch = world.session(sensor).await;
    loop {
        world.app.signals.probes.notified().await;
        let waiting = world
            .app
            .store
            .waiting_probes(world.app.clock.now(), &[sensor], 1)
            .await
            .unwrap();
        if let [waiting] = &waiting[..] {
            return report(world, sensor, epoch, waiting.probe.id, diagnosis).await;
        }
    }
}

fn id(answer: &Value) -> ProbeId {
    answer["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_probe_waits_is_reported_on_and_shown() {
    let (world, sensor) = world().await;
    let asked = world.post(PROBES, json!({"repository": "acme/shop"})).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED);
    let asked = asked.json();
    assert_eq!(
        (&asked["state"], &asked["sound"]),
        (&json!("waiting"), &Value::Null)
    );
    assert_eq!(asked["requests"], Value::Null);
    assert_eq!(asked["sensors"][0]["name"], "berlin-1");
    let epoch = world.session(sensor).await;
    report(&world, sensor, epoch, id(&asked), broken()).await;
    let shown = world.get(&format!("/api/v1/probes/{}", id(&asked))).await.json();
    assert_eq!(
        (&shown["state"], &shown["sound"]),
        (&json!("done"), &json!(false))
    );
    assert_eq!(shown["sensor"]["name"], "berlin-1");
    assert_eq!(shown["requests"], 7);
    let tcp = &shown["stages"][0];
    assert_eq!(
        (&tcp["stage"], &tcp["verdict"]),
        (&json!("tcp"), &json!("failed"))
    );
    assert_eq!(tcp["findings"][0]["code"], "registry.port_closed");
    assert!(!tcp["findings"][0]["cure"].as_str().unwrap().is_empty());
    let audit = world.done_by_people().await;
    assert_eq!(audit[0]["action"], "registry.test");
}

#[tokio::test]
async fn a_probe_that_nobody_reports_on_expires() {
    let (world, sensor) = world().await;
    let asked = world.post(PROBES, json!({})).await.json();
    world
        .clock
        .advance(std::time::Duration::from_secs(limits::PROBE_WAIT_SECONDS));
    let path = format!("/api/v1/probes/{}", id(&asked));
    assert_eq!(world.get(&path).await.json()["state"], "expired");
    let epoch = world.session(sensor).await;
    report(&world, sensor, epoch, id(&asked), sound()).await;
    assert_eq!(world.get(&path).await.json()["state"], "expired", "too late");
}

#[tokio::test]
async fn what_cannot_be_probed_is_refused() {
    let (world, _) = world().await;
    world.sensor("munich-1").await;
    let other = world.post(PROBES, json!({"sensor": "munich-1"})).await;
    assert_eq!(other.refusal(), (422, "invalid".to_owned()));
    let nobody = world.post(PROBES, json!({"sensor": "nobody"})).await;
    assert_eq!(nobody.refusal(), (422, "unknown_reference".to_owned()));
    let unsaved = |url: &str| json!({"url": url, "sensors": ["berlin-1"]});
    assert_eq!(
        world.post("/api/v1/probes", unsaved("https://h")).await.status,
        StatusCode::ACCEPTED
    );
    let secret = world.post("/api/v1/probes", unsaved("https://u:hunter2@h")).await;
    assert_eq!(secret.status.as_u16(), 422);
    assert!(!String::from_utf8_lossy(&secret.bytes).contains("hunter2"));
    for _ in 1..WAITING_PROBES {
        assert_eq!(world.post(PROBES, json!({})).await.status, StatusCode::ACCEPTED);
    }
    assert_eq!(
        world.post(PROBES, json!({})).await.refusal(),
        (429, "too_many_probes".to_owned())
    );
    let viewer = world
        .ask(&world.viewer, Method::POST, PROBES, Some(json!({})))
        .await;
    assert_eq!(viewer.refusal(), (403, "forbidden".to_owned()));
}

#[tokio::test]
async fn patterns_of_a_probe_hold_at_their_bound_and_are_refused_above() {
    let (world, _) = world().await;
    let asked = |patterns: Vec<String>| {
        let body = json!({"url": "https://h", "sensors": ["berlin-1"], "repositories": patterns});
        world.post("/api/v1/probes", body)
    };
    let longest = "p".repeat(limits::NAME_PATTERN_BYTES);
    let most = vec![longest.clone(); limits::NAME_PATTERNS];
    assert_eq!(asked(most.clone()).await.status, StatusCode::ACCEPTED);
    let too_many = [most, vec!["p".to_owned()]].concat();
    for refused in [too_many, vec![longest + "p"], vec!["re:(".to_owned()]] {
        let refused = asked(refused).await;
        assert_eq!(refused.refusal(), (422, "invalid".to_owned()));
        assert_eq!(refused.json()["details"]["field"], "repositories");
    }
}

#[tokio::test]
async fn the_command_shows_it_at_a_glance_and_its_exit_code_tells() {
    let (world, sensor) = world().await;
    let desk = Desk::open(&world).await;
    let (said, ()) = tokio::join!(desk.say("registry test gl"), answer(&world, sensor, broken()));
    assert_eq!(said.exit, Exit::Unsound);
    assert!(
        said.out
            .contains("registry.port_closed: h:5050 refuses connections"),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("Put right first: tcp (registry.port_closed)"),
        "{}",
        said.out
    );
    let (said, ()) = tokio::join!(
        desk.say("registry test gl -o json"),
        answer(&world, sensor, sound())
    );
    assert_eq!(said.exit, Exit::Done);
    let shown: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(shown["sound"], true);
}

#[tokio::test]
async fn a_registry_is_tested_before_it_is_saved() {
    let (world, sensor) = world().await;
    let desk = Desk::open(&world).await;
    let add = "registry add new https://n --sensor berlin-1";
    let (said, ()) = tokio::join!(desk.say(add), answer(&world, sensor, broken()));
    assert_eq!(said.exit, Exit::Unsound);
    assert!(
        said.err.contains("not saved; --no-test saves it untested"),
        "{}",
        said.err
    );
    assert_eq!(
        world.get("/api/v1/registries/new").await.status,
        StatusCode::NOT_FOUND
    );
    let (said, ()) = tokio::join!(desk.say(add), answer(&world, sensor, sound()));
    assert_eq!(said.exit, Exit::Done, "{}", said.err);
    assert!(said.err.contains("tested by berlin-1: it works"), "{}", said.err);
    assert_eq!(world.get("/api/v1/registries/new").await.status, StatusCode::OK);
    for (name, flags) in [("newer", "--test"), ("newest", "--no-test --test")] {
        let add = format!("registry add {name} https://n --sensor berlin-1 {flags}");
        let (said, ()) = tokio::join!(desk.say(&add), answer(&world, sensor, sound()));
        assert!(said.err.contains("tested by berlin-1: it works"), "{}", said.err);
    }
    let said = desk
        .say("registry add last https://n --sensor berlin-1 --test --no-test")
        .await;
    assert_eq!(said.exit, Exit::Done, "nobody is asked: {}", said.err);
}

#[tokio::test]
async fn a_sensor_that_is_away_is_told_of_as_such() {
    let (world, _) = world().await;
    let desk = Desk::open(&world).await;
    let late = async {
        world.app.signals.probes.notified().await;
        world
            .clock
            .advance(std::time::Duration::from_secs(limits::PROBE_WAIT_SECONDS));
    };
    let (said, ()) = tokio::join!(desk.say("registry add new https://n --sensor berlin-1"), late);
    assert_eq!(said.exit, Exit::Unanswered);
    assert!(
        said.err.contains("No sensor looked in time: berlin-1."),
        "{}",
        said.err
    );
    assert_eq!(
        world.get("/api/v1/registries/new").await.status,
        StatusCode::NOT_FOUND
    );
}
