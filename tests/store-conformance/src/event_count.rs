//! Push events that are counted, and that start nothing.

use portolan_shared::model::limits::EVENT_COUNT;
use portolan_shared::model::{EventSubject, RegistryId, RepositoryPatterns};
use portolan_shared::process::SystemRng;
use portolan_store::{EventCount, EventDoor, EventIntake, RegistryChange, Schedule, Store, StoreError, When};

use crate::heard::{intake, is_due, note, site, tag, take};
use crate::site::{Site, at};

/// But counted, and when they came is known.
pub async fn events_of_a_registry_that_is_not_read_on_push_start_nothing(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")])], 6).await;
    assert!(!note(store, &site, &[tag("a", "1"), EventSubject::Registry], at(10)).await);
    assert!(!is_due(store, &site, at(100)).await);
    assert_eq!(site.record(store).await.last_event_at, Some(at(10)));
    // What waits is looked at while it is so, and not any more.
    site.read_on_push(store, 20).await;
    note(store, &site, &[tag("a", "1")], at(21)).await;
    let paused = Schedule {
        when: When::OnPush,
        paused: true,
        ..Schedule::default()
    };
    site.read(store, paused, 22).await;
    assert!(!is_due(store, &site, at(30)).await && take(store, &site, at(30)).await.is_none());
    assert!(
        note(store, &site, &[tag("a", "2")], at(31)).await,
        "it is kept for later"
    );
    site.read_on_push(store, 32).await;
    assert!(is_due(store, &site, at(40)).await);
    site.read(store, Schedule::default(), 41).await;
    site.read_on_push(store, 42).await;
    assert!(!is_due(store, &site, at(50)).await && take(store, &site, at(50)).await.is_none());
}

/// What the registry does not want is not looked at.
pub async fn events_of_what_is_left_out_are_only_counted(store: &dyn Store) {
    let site = site(store).await;
    let change = RegistryChange {
        repositories: Some(RepositoryPatterns::new(vec!["acme/*".to_owned()]).unwrap()),
        ..RegistryChange::default()
    };
    site.set(store, change).await;
    assert!(!note(store, &site, &[tag("tools/x", "1")], at(10)).await);
    assert!(note(store, &site, &[tag("tools/x", "1"), tag("acme/a", "1")], at(11)).await);
    assert_eq!(
        take(store, &site, at(12)).await.unwrap().scope.lines(),
        ["acme/a:1"]
    );
    let counts = store.event_counts(site.tenant, site.registry).await.unwrap();
    assert_eq!(counts[0].accepted, 3);
}

/// However much a sensor says that it has counted.
pub async fn counts_stop_at_their_bound_and_keep_no_event_back(store: &dyn Store) {
    let site = site(store).await;
    let boast = EventIntake {
        ignored: u64::MAX,
        refused: EVENT_COUNT - 1,
        ..intake(&site, &[], at(10))
    };
    let ordinary = EventIntake {
        ignored: 1,
        refused: 1,
        ..intake(&site, &[tag("a", "1")], at(11))
    };
    store.note_events(&boast).await.unwrap();
    let counts = store.event_counts(site.tenant, site.registry).await.unwrap();
    assert_eq!(
        (counts[0].ignored, counts[0].refused),
        (EVENT_COUNT, EVENT_COUNT - 1)
    );
    for events in 1..=2 {
        store.note_events(&ordinary).await.unwrap();
        let counts = store.event_counts(site.tenant, site.registry).await.unwrap();
        assert_eq!(
            (counts[0].accepted, counts[0].ignored, counts[0].refused),
            (events, EVENT_COUNT, EVENT_COUNT)
        );
    }
    assert!(is_due(store, &site, at(12)).await);
}

/// That a sensor begins to listen is no event that was given up, and none that came.
pub async fn a_sensor_that_begins_to_listen_has_given_nothing_up(store: &dyn Store) {
    let site = site(store).await;
    let begun = EventIntake {
        door: EventDoor::Sensor(site.sensor),
        subjects: vec![(EventSubject::Registry, 0)],
        ..intake(&site, &[], at(10))
    };
    assert!(
        store.note_events(&begun).await.unwrap().pending,
        "it is looked at"
    );
    let counts = store.event_counts(site.tenant, site.registry).await.unwrap();
    let [count] = &counts[..] else {
        panic!("{counts:?}");
    };
    assert_eq!((count.accepted, count.given_up, count.last_at), (0, 0, None));
}

/// What a sensor tells late came when it came to the sensor, by whatever clock that has; that it announces what was seen meanwhile does not depend on it.
pub async fn what_is_told_late_came_when_it_came(store: &dyn Store) {
    const DAY: i64 = 86_400;
    let site = site(store).await;
    site.sync(store, &[("a", &[("1", "one")]), ("b", &[("1", "one")])], 10)
        .await;
    let late = async |at_sensor: &[(&str, i64)], seconds: i64| {
        let named = at_sensor.iter();
        let named = named.map(|(repository, seconds)| (crate::site::name(repository), at(*seconds)));
        let intake = EventIntake {
            door: EventDoor::Sensor(site.sensor),
            named_at: named.collect(),
            ..intake(
                &site,
                &at_sensor
                    .iter()
                    .map(|(name, _)| tag(name, "1"))
                    .collect::<Vec<_>>(),
                at(seconds),
            )
        };
        store.note_events(&intake).await.unwrap();
        let mut of_repositories = Vec::new();
        for repository in ["a", "b"] {
            let named = crate::site::name(repository);
            let found = store.repository(site.tenant, site.registry, &named).await;
            of_repositories.push(found.unwrap().unwrap().last_event_at);
        }
        let counts = store.event_counts(site.tenant, site.registry).await.unwrap();
        let of_all = site.record(store).await.last_event_at;
        assert_eq!(of_all, counts[0].last_at);
        (of_all, of_repositories)
    };
    let told = late(&[("a", 300)], 3_600).await;
    assert_eq!(told, (Some(at(300)), vec![Some(at(300)), None]));
    let told = late(&[("a", 200), ("b", 5)], 3_610).await;
    assert_eq!(
        told,
        (Some(at(300)), vec![Some(at(300)), Some(at(10))]),
        "no later one, and none before b was seen"
    );
    let told = late(&[("b", 2 * DAY)], 3_620).await;
    assert_eq!(
        told,
        (Some(at(3_620)), vec![Some(at(300)), Some(at(3_620))]),
        "nothing comes later than it is told"
    );
}

/// By door, since ever, for their registry alone.
pub async fn what_came_in_is_counted_by_door(store: &dyn Store) {
    let site = site(store).await;
    let first = EventIntake {
        subjects: vec![(tag("a", "1"), 3), (EventSubject::Registry, 2)],
        ignored: 4,
        ..intake(&site, &[], at(10))
    };
    let relayed = EventIntake {
        door: EventDoor::Sensor(site.sensor),
        ..first.clone()
    };
    let refused = EventIntake {
        refused: 7,
        last_refused: Some("signature".to_owned()),
        ..intake(&site, &[], at(20))
    };
    for intake in [&relayed, &first, &refused, &intake(&site, &[], at(30))] {
        store.note_events(intake).await.unwrap();
    }
    let of_door = |door| EventCount {
        door,
        accepted: 3,
        ignored: 4,
        refused: 0,
        given_up: 2,
        last_at: Some(at(10)),
        last_refused: None,
    };
    let webhook = EventCount {
        refused: 7,
        last_refused: Some((at(20), "signature".to_owned())),
        ..of_door(EventDoor::Webhook)
    };
    let counts = store.event_counts(site.tenant, site.registry).await.unwrap();
    assert_eq!(counts, [webhook, of_door(EventDoor::Sensor(site.sensor))]);
    assert_eq!(
        store.tenant_of_registry(site.registry).await.unwrap(),
        Some(site.tenant)
    );
    let stranger = RegistryId::random(&SystemRng);
    assert_eq!(store.tenant_of_registry(stranger).await.unwrap(), None);
    let nowhere = EventIntake {
        registry: stranger,
        ..first
    };
    assert!(matches!(
        store.note_events(&nowhere).await,
        Err(StoreError::Unknown { .. })
    ));
    let beside = site.beside(store, "other").await;
    assert!(
        store
            .event_counts(site.tenant, beside.registry)
            .await
            .unwrap()
            .is_empty()
    );
    let (tenant, registry) = (site.tenant, site.registry);
    store
        .remove_registry(tenant, registry, &crate::site::note(), &|_| None)
        .await
        .unwrap();
    assert!(store.event_counts(tenant, registry).await.unwrap().is_empty());
    assert!(!is_due(store, &site, at(1_000)).await);
}
