//! Whether everything is well, over the API.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use portolan_shared::model::{
    EventSubject, Finding, FindingCode, RegistryId, RunId, RunTrigger, Scope, SensorId,
};
use portolan_store::{EventDoor, EventIntake, NewRegistry, NewRun, PageRequest, RunClosing, Seen};
use serde_json::{Value, json};

use crate::shop::{Shop, close, closing};
use crate::world::{World, note};

impl World {
    pub(crate) async fn hear(&self, sensor: SensorId) {
        let seen = Seen {
            tenant: self.tenant,
            sensor,
            at: self.app.clock.now(),
        };
        self.app.store.record_seen(&[seen]).await.unwrap();
    }

    pub(crate) async fn event(&self, registry: RegistryId) {
        let intake = EventIntake {
            tenant: self.tenant,
            registry,
            door: EventDoor::Webhook,
            subjects: vec![(EventSubject::Repository("acme/shop".parse().unwrap()), 1)],
            named_at: std::collections::BTreeMap::new(),
            ignored: 0,
            refused: 0,
            last_refused: None,
            now: self.app.clock.now(),
        };
        self.app.store.note_events(&intake).await.unwrap();
    }

    /// A run that the clock has started.
    pub(crate) async fn start(&self, registry: RegistryId) {
        let now = self.app.clock.now();
        let run = NewRun {
            id: RunId::generate(&*self.app.clock, &*self.app.rng),
            tenant: self.tenant,
            registry,
            trigger: RunTrigger::Schedule,
            scope: Scope::default(),
            requested_by: "the schedule".to_owned(),
            now,
        };
        self.app.store.queue_run(&run, &note(now)).await.unwrap();
    }

    pub(crate) async fn status(&self) -> Value {
        let answer = self.get("/api/v1/status").await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.json()
    }
}

pub(crate) fn items(status: &Value) -> Vec<[String; 4]> {
    let items = status["attention"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    items
        .map(|item| ["severity", "rank", "code", "about"].map(|name| text(&item[name])))
        .collect()
}

/// One of everything: `gl` of [`Shop`] is well but for advice.
pub(crate) async fn troubled(world: &World) {
    let shop = Shop::open(world).await;
    let hamburg = world.sensor("hamburg-1").await;
    world.session(hamburg).await;
    world
        .registry("broken", "https://broken.example.com", "berlin-1")
        .await;
    world
        .registry("partial", "https://partial.example.com", "berlin-1")
        .await;
    let far = world
        .registry("far", "https://far.example.com", "hamburg-1")
        .await;
    world
        .registry("slow", "https://slow.example.com", "berlin-1")
        .await;
    let now = || world.app.clock.now();
    let fence = world.leased_run("broken", shop.sensor, shop.epoch).await;
    let finding = Finding::new(FindingCode::Unreachable, "no route to host");
    world
        .app
        .store
        .fail_attempt(&fence, &finding, None, now())
        .await
        .unwrap();
    let fence = world.leased_run("partial", shop.sensor, shop.epoch).await;
    let cut = RunClosing {
        discovery_complete: false,
        ..closing(0, 0)
    };
    world.app.store.close_run(&fence, &cut, now()).await.unwrap();
    world.start(far).await;
    let held = world.leased_run("slow", shop.sensor, shop.epoch).await;
    world.clock.advance(Duration::from_secs(1_201));
    world.app.store.renew_leases(&[held], now()).await.unwrap();
    world.hear(shop.sensor).await;
    world.event(shop.registry).await;
}

#[tokio::test]
async fn what_matters_most_comes_first() {
    let world = World::new().await;
    troubled(&world).await;
    let status = world.status().await;
    let expected = [
        ["error", "blind", "sensor.away", "sensor hamburg-1"],
        ["error", "blind", "registry.unreachable", "registry broken"],
        ["error", "blind", "schedule.overdue", "registry far"],
        ["warning", "partial", "sensor.not_progressing", "sensor berlin-1"],
        [
            "warning",
            "partial",
            "registry.never_complete",
            "registry partial",
        ],
        ["info", "advice", "events.unused", "registry gl"],
    ];
    // `far` was never read, but that it waits says why.
    assert_eq!(items(&status), expected.map(|item| item.map(str::to_owned)));
    assert_eq!(status["well"], false);
    assert_eq!(
        status["registries"],
        json!({"total": 5, "well": 2, "attention": 3})
    );
    assert_eq!(status["sensors"], json!({"total": 2, "well": 0, "attention": 2}));
    assert_eq!(
        (
            &status["never_complete"],
            &status["oldest_success_age_seconds"],
            &status["more"]
        ),
        (&json!(4), &json!(1_201), &json!(0))
    );
    let first = &status["attention"][0];
    assert_eq!(
        first["words"],
        "last heard of at 2027-01-15T08:00:00Z; nobody else reads far"
    );
    assert_eq!(first["command"], "portolan sensor show hamburg-1");
    assert!(first["what_to_do"].as_str().unwrap().ends_with('.'));
    let neighbour = world
        .ask(&world.neighbour, Method::GET, "/api/v1/status", None)
        .await
        .json();
    assert_eq!(
        (&neighbour["well"], &neighbour["registries"]["total"]),
        (&json!(true), &json!(0))
    );
}

#[tokio::test]
async fn each_thing_says_how_fresh_it_is() {
    let world = World::new().await;
    troubled(&world).await;
    let registry = async |name: &str| world.get(&format!("/api/v1/registries/{name}")).await.json();
    let listed = world.get("/api/v1/registries").await.json();
    for (name, state) in [
        ("broken", "failing"),
        ("far", "overdue"),
        ("gl", "well"),
        ("partial", "never_complete"),
        ("slow", "never_read"),
    ] {
        let shown = registry(name).await;
        assert_eq!(shown["freshness"]["state"], state, "{name}");
        let listed = listed["items"].as_array().unwrap().iter();
        let listed = listed.filter(|item| item["name"] == name).collect::<Vec<_>>();
        assert_eq!(listed[0]["freshness"], shown["freshness"]);
        assert_eq!(listed[0]["findings"], shown["findings"]);
    }
    let shown = registry("gl").await;
    assert_eq!(
        shown["freshness"],
        json!({
            "state": "well", "words": "the last run saw everything, read by hand only",
            "last_attempt_at": "2027-01-15T08:00:00Z", "last_success_at": "2027-01-15T08:00:00Z",
            "last_event_at": "2027-01-15T08:20:01Z", "age_seconds": 1_201, "next_start_at": null,
        })
    );
    assert_eq!(shown["findings"][0]["code"], "events.unused");
    let repositories = world.get("/api/v1/repositories").await.json();
    let repository = &repositories["items"][0]["freshness"];
    assert_eq!(
        (&repository["state"], &repository["age_seconds"]),
        (&json!("well"), &json!(1_201))
    );
    let sensors = world.get("/api/v1/sensors").await.json();
    let runs = world.get("/api/v1/runs?registry=slow").await.json();
    let states: Vec<_> = sensors["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sensor| &sensor["freshness"])
        .collect();
    let since = "2027-01-15T08:00:00Z";
    assert_eq!(
        states,
        [
            &json!({
                "state": "not_progressing", "words": "connected, and its work does not get on", "since": since,
                "run": runs["items"][0]["id"], "registry": "slow",
            }),
            &json!({"state": "away", "words": "away", "since": since, "run": null, "registry": null}),
        ]
    );
}

#[tokio::test]
async fn an_age_that_grows_is_no_change_for_who_polls() {
    let world = World::new().await;
    Shop::open(&world).await;
    let before = world.get("/api/v1/registries/gl").await;
    world.clock.advance(Duration::from_secs(5));
    let after = world.get("/api/v1/registries/gl").await;
    assert_eq!(
        (
            &before.json()["freshness"]["age_seconds"],
            &after.json()["freshness"]["age_seconds"]
        ),
        (&json!(0), &json!(5))
    );
    assert_eq!(before.header("etag"), after.header("etag"));
}

#[tokio::test]
async fn events_that_stopped_are_told() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let change = json!({"schedule": {"expression": "on-push"}});
    let path = "/api/v1/registries/gl";
    world
        .ask(&world.operator, Method::PATCH, path, Some(change))
        .await;
    for _ in 0..2 {
        // What is in it has moved, and then is gone, without a word.
        world.clock.advance(Duration::from_secs(1));
        let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
        close(&world, &fence, 0, 0).await;
    }
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    crate::shop::commit(&world, &fence, "acme/shop", &[("1.0", &shop.index)]).await;
    close(&world, &fence, 1, 1).await;
    assert_eq!(
        items(&world.status().await),
        [[""; 4]; 0],
        "an event may still come"
    );
    world.clock.advance(Duration::from_secs(61));
    world
        .app
        .store
        .judge_silence(world.app.clock.now())
        .await
        .unwrap();
    let status = world.status().await;
    let expected = ["warning", "risk", "events.stopped", "registry gl"].map(str::to_owned);
    assert_eq!(items(&status), [expected]);
    assert_eq!(
        status["attention"][0]["command"],
        "portolan registry show gl --webhook"
    );
}

#[tokio::test]
async fn every_page_of_registries_is_walked() {
    let world = World::new().await;
    let sensor = world.sensor("berlin-1").await;
    world.session(sensor).await;
    let one = world.registry("r", "https://h", "berlin-1").await;
    let like = world
        .app
        .store
        .registry(world.tenant, one)
        .await
        .unwrap()
        .unwrap()
        .registry;
    let now = world.app.clock.now();
    let count = u64::from(PageRequest::MAX) + 1;
    for number in 1..count {
        let new = NewRegistry {
            id: RegistryId::random(&*world.app.rng),
            name: format!("r{number}").parse().unwrap(),
            ..like.clone()
        };
        world.app.store.add_registry(&new, now, &note(now)).await.unwrap();
    }
    let status = world.status().await;
    let figures = world.app.registry_figures().await;
    assert_eq!(
        status["registries"],
        json!({"total": count, "well": 0, "attention": count})
    );
    assert_eq!(status["more"], count - 50);
    assert_eq!(
        figures
            .lines()
            .filter(|line| line.starts_with("portolan_registry_last_success_age"))
            .count() as u64,
        count
    );
}
