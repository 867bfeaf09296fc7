//! Push events that sensors relay.

use jiff::SignedDuration;
use portolan::app::LiveSession;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_proto::v1::sensor_message;
use portolan_shared::model::{
    EventAction, EventSubject, RegistryName, RelayedEvent, RelayedEvents, RunTrigger, limits,
};
use portolan_store::{EventDoor, PageRequest, RunFilter};

use crate::scene::{Scene, eventually};
use crate::sensor::Sensor;
use crate::session::{Session, hello, open};

fn listening() -> v1::Hello {
    v1::Hello {
        capabilities: vec!["events".to_owned()],
        notify_url: "https://agent.example:5443/notify".to_owned(),
        job_slots: 0,
        ..hello(&[])
    }
}

fn pushed(registry: &str, repository: &str, tag: &str) -> v1::PushEvent {
    v1::PushEvent {
        registry: registry.to_owned(),
        repository: repository.to_owned(),
        tag: tag.to_owned(),
        action: "pushed".to_owned(),
        received_at_ms: 1_800_000_000_000,
        count: 1,
        ..v1::PushEvent::default()
    }
}

async fn relay(session: &mut Session, number: u64, events: Vec<v1::PushEvent>) -> v1::PushEventsAck {
    let events = v1::PushEvents {
        number,
        events,
        counts: Vec::new(),
    };
    session.send(sensor_message::Body::PushEvents(events)).await;
    loop {
        match session.body().await {
            Body::PushEventsAck(ack) => return ack,
            Body::JobOffer(_) | Body::AuditCheckpoint(_) => {}
            other => panic!("no acknowledgement: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_a_sensor_was_told_of_is_durable_when_it_is_acknowledged_and_becomes_a_run() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let registry = scene.add_registry("gitlab", "berlin", "on-push").await;
    let mut session = open(&scene, &sensor).await;
    let welcome = session.hello(listening()).await;
    assert!(welcome.capabilities.contains(&"events".to_owned()));
    let events = vec![
        pushed("gitlab", "acme/shop", "1.0"),
        pushed("gitlab", "acme/shop", "2.0"),
    ];
    let ack = relay(&mut session, 1, events).await;
    assert_eq!((ack.number, ack.unknown), (1, Vec::<String>::new()));
    let (tenant, store) = (sensor.tenant, &scene.app().store);
    let counts = store.event_counts(tenant, registry).await.unwrap();
    assert_eq!(counts.len(), 1);
    assert_eq!(
        (counts[0].door, counts[0].accepted),
        (EventDoor::Sensor(sensor.id), 2)
    );
    eventually("a run looks at both tags, and at nothing else", || async {
        let filter = RunFilter {
            registry: Some(registry),
            state: None,
        };
        let runs = store
            .runs(tenant, &filter, &PageRequest::first())
            .await
            .unwrap()
            .items;
        runs.iter().any(|run| {
            run.trigger == RunTrigger::Event && run.scope.lines() == ["acme/shop:1.0", "acme/shop:2.0"]
        })
    })
    .await;
}

#[tokio::test]
async fn events_of_registries_that_are_not_this_sensors_are_named_and_dropped() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let _other = Sensor::enrol(&scene, "munich").await;
    let registry = scene.add_registry("munich-only", "munich", "on-push").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(listening()).await;
    let events = vec![pushed("munich-only", "a", "1"), pushed("nowhere", "a", "1")];
    let ack = relay(&mut session, 1, events).await;
    assert_eq!(ack.unknown, ["munich-only", "nowhere"]);
    let figures = scene.app().event_tally.render();
    let unknown = "portolan_push_events_total{door=\"sensor\",outcome=\"unknown_registry\"} 2";
    assert!(figures.contains(unknown), "{figures}");
    let store = &scene.app().store;
    assert!(
        store
            .event_counts(sensor.tenant, registry)
            .await
            .unwrap()
            .is_empty()
    );
    let later = scene.app().clock.now() + SignedDuration::from_secs(5);
    assert!(store.due_events(later, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_taken_of_one_registry_keeps_nothing_of_another_back() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let refused = scene.add_registry("a-refused", "berlin", "on-push").await;
    let taken = scene.add_registry("b-taken", "berlin", "on-push").await;
    let now = scene.app().clock.now();
    let (live, _commands) = LiveSession::new(sensor.tenant, sensor.id, 1, [0; 16], [0; 16], now);
    let event = |registry: &str| RelayedEvent {
        registry: registry.parse().unwrap(),
        subject: EventSubject::Repository("acme/shop".parse().unwrap()),
        action: EventAction::Pushed,
        received_at: now,
        count: 1,
    };
    // More than the store takes at once, as no message may have.
    let mut events = vec![event("a-refused"); limits::EVENTS_PER_NOTIFICATION + 1];
    events.push(event("b-taken"));
    let relayed = RelayedEvents {
        number: 1,
        events,
        counts: Vec::new(),
    };
    let unknown = scene.app().take_relayed_events(&live, relayed).await.unwrap();
    assert!(unknown.is_empty());
    let counted = async |registry| {
        let counts = scene.app().store.event_counts(sensor.tenant, registry).await;
        counts.unwrap().len()
    };
    assert_eq!((counted(refused).await, counted(taken).await), (1, 1));
    let counts = scene
        .app()
        .store
        .event_counts(sensor.tenant, refused)
        .await
        .unwrap();
    assert_eq!(
        (counts[0].accepted, counts[0].given_up),
        (0, 1),
        "the whole registry is looked at in place of what was acknowledged and not taken"
    );
    let figures = scene.app().event_tally.render();
    for line in [
        "portolan_push_events_total{door=\"sensor\",outcome=\"given_up\"} 1",
        "portolan_push_events_total{door=\"sensor\",outcome=\"accepted\"} 1",
    ] {
        assert!(figures.contains(line), "{line}: {figures}");
    }
}

#[tokio::test]
async fn what_a_sensor_kept_for_an_hour_came_an_hour_ago_and_its_start_is_no_event() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let registry = scene.add_registry("gitlab", "berlin", "on-push").await;
    let now = scene.app().clock.now();
    let hour_ago = now - SignedDuration::from_hours(1);
    let (live, _commands) = LiveSession::new(sensor.tenant, sensor.id, 1, [0; 16], [0; 16], now);
    let event = |subject, action, received_at| RelayedEvent {
        registry: "gitlab".parse().unwrap(),
        subject,
        action,
        received_at,
        count: 1,
    };
    let tag = |tag: &str| EventSubject::Tag("acme/shop".parse().unwrap(), tag.parse().unwrap());
    let earlier = hour_ago - SignedDuration::from_mins(5);
    let relayed = RelayedEvents {
        number: 1,
        events: vec![
            event(EventSubject::Registry, EventAction::Started, now),
            event(tag("1"), EventAction::Pushed, hour_ago),
            event(tag("2"), EventAction::Pushed, earlier),
        ],
        counts: Vec::new(),
    };
    scene.app().take_relayed_events(&live, relayed).await.unwrap();
    let store = &scene.app().store;
    let record = store.registry(sensor.tenant, registry).await.unwrap().unwrap();
    let counts = store.event_counts(sensor.tenant, registry).await.unwrap();
    let came = |at: Option<jiff::Timestamp>| at.map(jiff::Timestamp::as_millisecond);
    for told in [record.last_event_at, counts[0].last_at] {
        assert_eq!(came(told), came(Some(hour_ago)));
    }
    assert_eq!((counts[0].accepted, counts[0].given_up), (2, 0));
    let figures = scene.app().event_tally.render();
    assert!(!figures.contains("given_up"), "{figures}");
}

#[tokio::test]
async fn whoever_did_not_agree_on_events_may_not_relay_any() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    let welcome = session.hello(hello(&[])).await;
    assert!(!welcome.capabilities.contains(&"events".to_owned()));
    let events = v1::PushEvents {
        number: 1,
        ..v1::PushEvents::default()
    };
    session.send(sensor_message::Body::PushEvents(events)).await;
    match session.body().await {
        Body::Goodbye(goodbye) => assert_eq!(goodbye.reason(), v1::Reason::ProtocolViolation),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_malformed_ends_the_session() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(listening()).await;
    let events = v1::PushEvents {
        number: 1,
        events: vec![pushed("gitlab", "NOT A NAME", "1")],
        counts: Vec::new(),
    };
    session.send(sensor_message::Body::PushEvents(events)).await;
    match session.body().await {
        Body::Goodbye(goodbye) => assert_eq!(goodbye.reason(), v1::Reason::ProtocolViolation),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_sensor_that_does_not_know_single_tags_reads_their_repositories() {
    let scene = Scene::new().await;
    let relaying = Sensor::enrol(&scene, "berlin").await;
    let old = Sensor::enrol(&scene, "munich").await;
    scene
        .add_registry_of("gitlab", &["berlin", "munich"], "on-push")
        .await;
    let mut session = open(&scene, &relaying).await;
    session.hello(listening()).await;
    let mut worker = open(&scene, &old).await;
    worker.hello(hello(&[])).await;
    relay(&mut session, 1, vec![pushed("gitlab", "acme/shop", "1.0")]).await;
    let sync = loop {
        match worker.body().await {
            Body::JobOffer(offer) => match offer.job {
                // A registry that was never read is read whole first.
                Some(v1::job_offer::Job::Sync(sync)) if sync == v1::SyncJob::default() => {}
                Some(v1::job_offer::Job::Sync(sync)) => break sync,
                None => panic!("no sync"),
            },
            Body::AuditCheckpoint(_) => {}
            other => panic!("no offer: {other:?}"),
        }
    };
    assert_eq!(sync.repositories, ["acme/shop"]);
    assert!(sync.references.is_empty());
    let name: RegistryName = "gitlab".parse().unwrap();
    assert!(
        scene
            .app()
            .store
            .registry_by_name(old.tenant, &name)
            .await
            .unwrap()
            .is_some()
    );
}
