//! The door for notifications of registries.

use axum::body::Body;
use axum::http::{Method, Request};
use portolan::cli::Exit;
use portolan_shared::events::{Sender, WebhookSecret, sign_standard};
use portolan_shared::model::{EventSubject, RegistryId, RunId};
use portolan_store::{EventDoor, EventIntake};
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::world::{Answer, World};

pub(crate) const PUSH: &str = r#"{"events":[{"id":"1","action":"push","timestamp":"2027-01-15T08:00:00Z","target":{
    "mediaType":"application/vnd.oci.image.manifest.v1+json","repository":"acme/shop","tag":"1.0",
    "digest":"sha256:fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae"}}]}"#;
const PULL: &str =
    r#"{"events":[{"id":"2","action":"pull","target":{"repository":"acme/shop","tag":"1.0"}}]}"#;

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) registry: RegistryId,
    pub(crate) path: String,
    pub(crate) secret: String,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let world = World::new().await;
        world.sensor("berlin-1").await;
        let body = json!({"name": "gl", "url": "https://registry.example.com:5050", "sensors": ["berlin-1"],
            "repositories": ["acme/**"], "schedule": {"expression": "on-push"}});
        let added = world.post("/api/v1/registries", body).await.json();
        let registry = added["id"].as_str().unwrap().parse().unwrap();
        let shown = world
            .ask(
                &world.operator,
                Method::GET,
                "/api/v1/registries/gl/webhook",
                None,
            )
            .await
            .json();
        Self {
            path: shown["path"].as_str().unwrap().to_owned(),
            secret: shown["secret"].as_str().unwrap().to_owned(),
            world,
            registry,
        }
    }

    pub(crate) async fn knock(&self, path: &str, secret: Option<&str>, body: &str) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(path);
        if let Some(secret) = secret {
            request = request.header("Authorization", secret);
        }
        self.world
            .send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    pub(crate) async fn counts(&self) -> Vec<(u64, u64, u64, Option<String>)> {
        self.world.app.write_event_counts().await;
        let (tenant, store) = (self.world.tenant, &self.world.app.store);
        let counts = store.event_counts(tenant, self.registry).await.unwrap();
        let of_door = |count: portolan_store::EventCount| {
            assert_eq!(count.door, EventDoor::Webhook);
            let why = count.last_refused.map(|(_, why)| why);
            (count.accepted, count.ignored, count.refused, why)
        };
        counts.into_iter().map(of_door).collect()
    }

    /// Takes over what is due.
    async fn take(&self) {
        let later = self.world.app.clock.now() + jiff::SignedDuration::from_secs(1);
        let store = &self.world.app.store;
        let due = store.due_events(later, 10).await.unwrap();
        let run = RunId::random(self.world.app.rng.as_ref());
        assert!(
            store
                .queue_event_run(&due[0], run, later)
                .await
                .unwrap()
                .is_some()
        );
        let cancelled = self
            .world
            .post(&format!("/api/v1/runs/{run}/cancel"), json!({}))
            .await;
        assert!(cancelled.status.is_success(), "{}", cancelled.status);
    }

    pub(crate) async fn is_due(&self) -> bool {
        let later = self.world.app.clock.now() + jiff::SignedDuration::from_secs(1);
        !self
            .world
            .app
            .store
            .due_events(later, 10)
            .await
            .unwrap()
            .is_empty()
    }
}

#[tokio::test]
async fn a_push_that_is_announced_with_the_secret_is_looked_at() {
    let scene = Scene::new().await;
    assert!(!scene.is_due().await);
    let answer = scene.knock(&scene.path, Some(&scene.secret), PUSH).await;
    assert_eq!((answer.status.as_u16(), answer.bytes.len()), (200, 0));
    assert!(scene.is_due().await);
    assert_eq!(scene.counts().await, [(1, 0, 0, None)]);
    let in_path = format!("{}/{}", scene.path, scene.secret);
    assert_eq!(scene.knock(&in_path, None, PUSH).await.status, 200);
}

#[tokio::test]
async fn whoever_does_not_know_the_secret_learns_nothing_and_changes_nothing() {
    let scene = Scene::new().await;
    let other = scene.path.replace(
        &scene.registry.to_string(),
        "0198c2f1-0000-7000-8000-000000000001",
    );
    let nobody = scene.path.replace("distribution", "nobody");
    let wrong = "0".repeat(64);
    let mut answers = Vec::new();
    for (path, secret) in [
        (scene.path.as_str(), None),
        (&scene.path, Some(wrong.as_str())),
        (&other, Some(scene.secret.as_str())),
        (&nobody, Some(&scene.secret)),
        ("/api/webhooks/harbor/no-id", Some(&scene.secret)),
    ] {
        let answer = scene.knock(path, secret, PUSH).await;
        let mut said: Value = answer.json();
        said["request_id"] = Value::Null;
        answers.push((answer.status.as_u16(), said));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0].0, 401);
    assert!(!scene.is_due().await);
    assert_eq!(scene.counts().await, [(0, 0, 2, Some("wrong secret".to_owned()))]);
}

#[tokio::test]
async fn what_is_authentic_and_of_no_use_is_counted_and_answered_like_the_rest() {
    let scene = Scene::new().await;
    let elsewhere = PUSH.replace("acme/shop", "other/shop");
    for body in [PULL, "rubbish", &elsewhere] {
        let answer = scene.knock(&scene.path, Some(&scene.secret), body).await;
        assert_eq!((answer.status.as_u16(), answer.bytes.len()), (200, 0), "{body}");
    }
    assert!(
        !scene.is_due().await,
        "a pull, rubbish, and what the patterns leave out"
    );
    let [(accepted, ignored, refused, why)] = scene.counts().await.try_into().unwrap();
    assert_eq!(
        (accepted, ignored, refused, why.as_deref()),
        (0, 2, 1, Some("malformed")),
        "also what the patterns leave out is ignored"
    );
}

#[tokio::test]
async fn an_event_that_comes_again_is_counted_and_not_looked_at_again() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        let answer = scene.knock(&scene.path, Some(&scene.secret), PUSH).await;
        assert_eq!((answer.status.as_u16(), answer.bytes.len()), (200, 0));
    }
    assert_eq!(scene.counts().await, [(1, 2, 0, None)]);
    scene.take().await;
    scene.knock(&scene.path, Some(&scene.secret), PUSH).await;
    assert!(!scene.is_due().await, "also afterwards");
    let both = PUSH.replace(
        "}}]}",
        r#"}},{"id":"3","action":"push","target":{"repository":"acme/shop","tag":"2.0"}}]}"#,
    );
    scene.knock(&scene.path, Some(&scene.secret), &both).await;
    assert!(scene.is_due().await, "what is new beside it is");
    assert_eq!(scene.counts().await, [(2, 4, 0, None)]);
}

#[tokio::test]
async fn what_two_sources_give_the_same_id_is_no_repetition() {
    let scene = Scene::new().await;
    let path = scene.path.replace("distribution", "cloud_events");
    let said = |source: &str, tag: &str| {
        let data = json!({"name": "acme/shop", "reference": tag});
        json!({"specversion": "1.0", "type": "zotregistry.image.updated", "id": "1", "source": source, "data": data})
            .to_string()
    };
    for body in [
        said("/a", "1.0"),
        said("/b", "2.0"),
        said("/a", "1.0"),
        said("/b", "2.0"),
    ] {
        let answer = scene.knock(&path, Some(&scene.secret), &body).await;
        assert_eq!(answer.status.as_u16(), 200);
    }
    assert_eq!(scene.counts().await, [(2, 2, 0, None)]);
}

#[tokio::test]
async fn a_signed_message_that_comes_again_is_known_by_its_own_id() {
    let scene = Scene::new().await;
    let secret: WebhookSecret = scene.secret.parse().unwrap();
    let now = scene.world.app.clock.now();
    let said = PUSH.replace("\"id\":\"1\",", "");
    let send = async |id: &str| {
        let request = Request::builder()
            .method(Method::POST)
            .uri(scene.path.replace("distribution", "gitlab"))
            .header("webhook-id", id)
            .header("webhook-timestamp", now.as_second())
            .header(
                "webhook-signature",
                sign_standard(&secret, id, now, said.as_bytes()),
            );
        let request = request.body(Body::from(said.clone())).unwrap();
        scene.world.send(request).await.status.as_u16()
    };
    assert_eq!((send("msg_1").await, send("msg_1").await), (200, 200));
    assert_eq!(scene.counts().await, [(1, 1, 0, None)]);
    assert_eq!(send("msg_2").await, 200);
    assert_eq!(scene.counts().await, [(2, 1, 0, None)]);
}

#[tokio::test]
async fn a_notification_has_at_most_a_mebibyte() {
    let scene = Scene::new().await;
    let padded = |bytes: usize| format!("{PULL}{}", " ".repeat(bytes - PULL.len()));
    let at = scene
        .knock(&scene.path, Some(&scene.secret), &padded(1024 * 1024))
        .await;
    let above = scene
        .knock(&scene.path, Some(&scene.secret), &padded(1024 * 1024 + 1))
        .await;
    assert_eq!((at.status.as_u16(), above.status.as_u16()), (200, 413));
}

#[tokio::test]
async fn one_registry_may_not_call_all_the_time() {
    let scene = Scene::new().await;
    let mut taken = 0;
    let refused = loop {
        let answer = scene.knock(&scene.path, Some(&scene.secret), PULL).await;
        if answer.status != 200 {
            break answer;
        }
        taken += 1;
    };
    assert_eq!((taken, refused.status.as_u16()), (1_000, 429));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let wrong = scene.knock(&scene.path, Some("wrong"), PULL).await;
    assert_eq!(wrong.status, 401, "whoever is not believed does not learn that");
    let [(_, ignored, refused, _)] = scene.counts().await.try_into().unwrap();
    assert_eq!((ignored, refused), (1_000, 2));
}

#[tokio::test]
async fn a_viewer_does_not_see_the_secret_and_a_neighbour_not_the_registry() {
    let scene = Scene::new().await;
    let path = "/api/v1/registries/gl/webhook";
    let world = &scene.world;
    assert_eq!(world.get(path).await.status, 403);
    assert_eq!(
        world.ask(&world.neighbour, Method::GET, path, None).await.status,
        404
    );
    let shown = world.ask(&world.operator, Method::GET, path, None).await.json();
    assert_eq!(shown["sender"], "distribution");
    assert_ne!(shown["secret"], shown["listener_secret"]);
    assert_eq!(shown["listeners"], json!([]), "its sensor was never connected");
    let harbor = format!("{path}?sender=harbor");
    let shown = world
        .ask(&world.operator, Method::GET, &harbor, None)
        .await
        .json();
    assert_eq!(shown["path"], format!("/api/webhooks/harbor/{}", scene.registry));
    let odd = world
        .ask(&world.operator, Method::GET, &format!("{path}?sender=x"), None)
        .await;
    assert_eq!(odd.refusal(), (422, "invalid".to_owned()));
}

#[tokio::test]
async fn a_sensor_that_listens_is_named_with_the_registry_at_the_end_of_its_address() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let sensors = world.get("/api/v1/sensors").await.json();
    let sensor = sensors["items"][0]["id"].as_str().unwrap().parse().unwrap();
    world.session(sensor).await;
    let shown = world
        .ask(
            &world.operator,
            Method::GET,
            "/api/v1/registries/gl/webhook",
            None,
        )
        .await
        .json();
    assert_eq!(
        shown["listeners"],
        json!([{"sensor": "berlin-1", "url": "https://agent.example:5443/notify/gl"}])
    );
}

#[tokio::test]
async fn the_command_prints_what_to_write_where() {
    let scene = Scene::new().await;
    let desk = Desk::open(&scene.world).await;
    let url = desk.environment.url.clone().unwrap();
    let shown: Value =
        serde_json::from_str(&desk.say("registry show gl --webhook -o json").await.out).unwrap();
    let mut pages = Vec::new();
    let senders = Sender::ALL.iter().map(|sender| format!(" --sender {sender}"));
    for flags in std::iter::once(String::new()).chain(senders) {
        let said = desk.say(&format!("registry show gl --webhook{flags}")).await;
        assert_eq!(said.exit, Exit::Done, "{}", said.err);
        let page = said
            .out
            .replace(&url, "https://portolan.example")
            .replace(shown["listener_secret"].as_str().unwrap(), "LISTENER-SECRET")
            .replace(&scene.secret, "SECRET")
            .replace(&scene.registry.to_string(), "REGISTRY");
        pages.push(format!("$ portolan registry show gl --webhook{flags}\n{page}"));
    }
    insta::assert_snapshot!(pages.join("\n"));
}

#[tokio::test]
async fn what_came_in_stands_above_the_secrets_and_every_viewer_sees_it() {
    let scene = Scene::new().await;
    let world = &scene.world;
    scene.knock(&scene.path, Some(&scene.secret), PUSH).await;
    scene.knock(&scene.path, Some(&scene.secret), PULL).await;
    scene.knock(&scene.path, Some("wrong"), PUSH).await;
    let sensors = world.get("/api/v1/sensors").await.json();
    let sensor = sensors["items"][0]["id"].as_str().unwrap().to_owned();
    let relayed = EventIntake {
        tenant: world.tenant,
        registry: scene.registry,
        door: EventDoor::Sensor(sensor.parse().unwrap()),
        subjects: vec![
            (EventSubject::Repository("acme/shop".parse().unwrap()), 7),
            (EventSubject::Registry, 2),
        ],
        named_at: std::collections::BTreeMap::new(),
        ignored: 30,
        refused: 4,
        last_refused: Some("stale".to_owned()),
        now: world.app.clock.now(),
    };
    world.app.store.note_events(&relayed).await.unwrap();
    world.app.write_event_counts().await;

    let shown = world.get("/api/v1/registries/gl").await.json();
    let counts: Vec<_> = shown["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|count| {
            (
                &count["accepted"],
                &count["ignored"],
                &count["refused"],
                &count["given_up"],
            )
        })
        .collect();
    assert_eq!(
        counts,
        [
            (&json!(1), &json!(1), &json!(1), &json!(0)),
            (&json!(7), &json!(30), &json!(4), &json!(2))
        ]
    );
    let listed = world.get("/api/v1/registries").await.json();
    assert!(listed["items"][0].get("events").is_none());

    let desk = Desk::open(world).await;
    let said = desk.say("registry show gl --webhook").await;
    let above = said.out.split("Inside the private network").next().unwrap();
    insta::assert_snapshot!(above.replace(&sensor, &format!("{:36}", "SENSOR")));
}
