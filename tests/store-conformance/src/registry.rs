//! Registries.

use std::num::{NonZeroU16, NonZeroU32};

use portolan_shared::model::{
    Budget, CredentialReference, NamePatterns, RegistryId, RepositoryPatterns, SensorId, TagFilter,
};
use portolan_shared::process::SystemRng;
use portolan_store::{
    KnownFacts, PageRequest, RegistryChange, RegistryChangeOutcome, RepositoryFilter, RunFilter, Store,
    StoreError,
};

use crate::site::{Site, at, digest, name, note, noted, registry, revoke, sensor};

/// Every field.
pub async fn registries_come_back_as_they_were_given(store: &dyn Store) {
    let site = Site::new(store).await;
    let (second, _) = sensor(store, site.tenant, "second").await;
    let mut new = registry(site.tenant, "harbor", &[second, site.sensor]);
    new.repositories = RepositoryPatterns::new(vec!["acme/**".to_owned(), "!re:.*/tmp".to_owned()]).unwrap();
    new.tags = TagFilter {
        names: NamePatterns::new(vec!["v*".to_owned(), "!*-rc".to_owned()]).unwrap(),
        newest: NonZeroU32::new(u32::MAX),
        max_age_days: NonZeroU32::new(30),
    };
    new.budget = Budget {
        concurrency: 3,
        per_second: NonZeroU16::new(u16::MAX),
        per_day: NonZeroU32::new(u32::MAX),
    };
    store.add_registry(&new, at(4), &note()).await.unwrap();
    let found = store.registry(site.tenant, new.id).await.unwrap().unwrap();
    assert_eq!(found.registry, new);
    assert_eq!(
        (found.version, found.created_at, found.changed_at),
        (1, at(4), at(4))
    );
    assert_eq!((found.last_attempt_at, found.last_success_at), (None, None));
    assert_eq!(found.facts, KnownFacts::default());
    assert_eq!(
        store
            .registry_by_name(site.tenant, &new.name)
            .await
            .unwrap()
            .unwrap(),
        found
    );
    let page = store
        .registries(
            site.tenant,
            &PageRequest {
                after: None,
                limit: 1,
            },
        )
        .await
        .unwrap();
    assert_eq!(page.items[0].registry.name.as_str(), "gl");
    let page = store
        .registries(
            site.tenant,
            &PageRequest {
                after: page.next,
                limit: 1,
            },
        )
        .await
        .unwrap();
    assert_eq!(page.items, [found]);
    assert!(page.next.is_none());
}

/// What it refers to must be there.
pub async fn names_are_unique_and_sensors_must_exist(store: &dyn Store) {
    let site = Site::new(store).await;
    let taken = store
        .add_registry(&registry(site.tenant, "gl", &[site.sensor]), at(3), &note())
        .await
        .unwrap_err();
    assert!(
        matches!(taken, StoreError::Taken { what: "registry", .. }),
        "{taken}"
    );
    let none = store
        .add_registry(&registry(site.tenant, "a", &[]), at(3), &note())
        .await
        .unwrap_err();
    assert!(matches!(none, StoreError::Refused { .. }), "{none}");
    let unknown = SensorId::random(&SystemRng);
    let stranger = Site::new(store).await;
    for sensor in [unknown, stranger.sensor] {
        let refused = store
            .add_registry(
                &registry(site.tenant, "a", &[site.sensor, sensor]),
                at(3),
                &note(),
            )
            .await;
        assert!(
            matches!(refused, Err(StoreError::Unknown { what: "sensor", name }) if name == sensor.to_string())
        );
    }
    revoke(store, site.tenant, site.sensor, 4).await;
    let refused = store
        .add_registry(&registry(site.tenant, "a", &[site.sensor]), at(5), &note())
        .await;
    assert!(matches!(refused, Err(StoreError::Unknown { what: "sensor", .. })));
    assert_eq!(
        store
            .registries(site.tenant, &PageRequest::first())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
}

/// Two people change the same registry.
pub async fn changes_are_checked_against_the_version_seen(store: &dyn Store) {
    let site = Site::new(store).await;
    let change = RegistryChange {
        name: Some("gitlab".parse().unwrap()),
        credential: Some(None),
        ..RegistryChange::default()
    };
    let changed = store
        .change_registry(site.tenant, site.registry, &change, Some(1), at(5), &noted)
        .await
        .unwrap();
    let RegistryChangeOutcome::Changed(record) = changed else {
        panic!("{changed:?}")
    };
    assert_eq!((record.version, record.changed_at), (2, at(5)));
    assert_eq!(
        (record.registry.name.as_str(), &record.registry.credential),
        ("gitlab", &None)
    );
    assert_eq!(record.registry.sensors, [site.sensor]);
    let late = store
        .change_registry(site.tenant, site.registry, &change, Some(1), at(6), &noted)
        .await
        .unwrap();
    assert_eq!(late, RegistryChangeOutcome::OutOfDate);
    let nowhere = store
        .change_registry(
            site.tenant,
            RegistryId::random(&SystemRng),
            &change,
            None,
            at(6),
            &noted,
        )
        .await
        .unwrap();
    assert_eq!(nowhere, RegistryChangeOutcome::Unknown);
    store
        .add_registry(&registry(site.tenant, "other", &[site.sensor]), at(6), &note())
        .await
        .unwrap();
    let taken = RegistryChange {
        name: Some("other".parse().unwrap()),
        ..RegistryChange::default()
    };
    let refused = store
        .change_registry(site.tenant, site.registry, &taken, None, at(7), &noted)
        .await;
    assert!(matches!(refused, Err(StoreError::Taken { .. })));
    let none = RegistryChange {
        sensors: Some(Vec::new()),
        ..RegistryChange::default()
    };
    assert!(
        store
            .change_registry(site.tenant, site.registry, &none, None, at(7), &noted)
            .await
            .is_err()
    );
    let found = store.registry(site.tenant, site.registry).await.unwrap().unwrap();
    assert_eq!(
        (found.version, found.registry.sensors),
        (2, vec![site.sensor]),
        "what was refused changed nothing"
    );
}

/// And another registry of the tenant keeps what it has.
pub async fn removal_takes_everything_of_the_registry_but_shared_content(store: &dyn Store) {
    let mut site = Site::new(store).await;
    let fence = site
        .sync(store, &[("acme/shop", &[("1", "one"), ("2", "two")])], 10)
        .await;
    let first = site.registry;
    let other = registry(site.tenant, "other", &[site.sensor]);
    store.add_registry(&other, at(11), &note()).await.unwrap();
    site.registry = other.id;
    site.sync(store, &[("acme/shop", &[("1", "one")])], 12).await;
    let removed = async || {
        store
            .remove_registry(site.tenant, first, &note(), &|_| None)
            .await
            .unwrap()
            .is_some()
    };
    assert!(removed().await);
    assert!(!removed().await);
    assert!(store.registry(site.tenant, first).await.unwrap().is_none());
    assert!(store.run(site.tenant, fence.attempt.run).await.unwrap().is_none());
    assert!(
        store
            .repository(site.tenant, first, &name("acme/shop"))
            .await
            .unwrap()
            .is_none()
    );
    let history = store
        .history(
            site.tenant,
            first,
            &name("acme/shop"),
            None,
            &PageRequest::first(),
        )
        .await
        .unwrap();
    assert!(history.items.is_empty());
    let all = store
        .repositories(site.tenant, &RepositoryFilter::default(), &PageRequest::first())
        .await
        .unwrap();
    assert_eq!(all.items.len(), 1);
    assert_eq!(
        store
            .runs(site.tenant, &RunFilter::default(), &PageRequest::first())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    let places = store
        .placements(site.tenant, &digest("one"), &PageRequest::first())
        .await
        .unwrap();
    assert_eq!(places.page.items.len(), 1);
    assert!(
        store
            .manifest(site.tenant, &digest("one"))
            .await
            .unwrap()
            .unwrap()
            .bytes
            .is_some()
    );
}

/// The inventory stays until a run says otherwise.
pub async fn a_change_of_address_wipes_nothing(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("acme/shop", &[("1", "one")])], 10).await;
    let change = RegistryChange {
        url: Some("https://moved.example.com".parse().unwrap()),
        credential: Some(Some(CredentialReference::DockerConfig(None))),
        ..RegistryChange::default()
    };
    site.set(store, change).await;
    assert_eq!(store.totals(site.tenant).await.unwrap().tags, 1);
    let fence = site.start(store, 20).await;
    let lease = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!(lease.registry_name.as_str(), "gl");
}

/// Its rows are cleared away later and by and by, and before as after that they are nobody's.
pub async fn what_a_removed_registry_leaves_behind_comes_to_nobody(store: &dyn Store) {
    let mut site = Site::new(store).await;
    let gone = site.registry;
    let tags = [("1", "one"), ("2", "two"), ("3", "three")];
    let fence = site
        .sync(store, &[("acme/cart", &tags), ("acme/shop", &tags)], 10)
        .await;
    let run = fence.attempt.run;
    let removed = store.remove_registry(site.tenant, gone, &note(), &|_| None).await;
    assert!(removed.unwrap().is_some());

    let next = registry(site.tenant, "next", &[site.sensor]);
    store.add_registry(&next, at(20), &note()).await.unwrap();
    site.registry = next.id;
    site.sync(store, &[("acme/shop", &[("4", "four")])], 21).await;
    let mut steps = 0;
    loop {
        let page = PageRequest::first();
        let shop = name("acme/shop");
        let tags = store.tags(site.tenant, next.id, &shop, &page).await.unwrap();
        let told: Vec<_> = tags.items.iter().map(|tag| tag.tag.as_str()).collect();
        assert_eq!(told, ["4"], "after {steps} steps");
        let history = store.history(site.tenant, next.id, &shop, None, &page).await;
        assert_eq!(history.unwrap().items.len(), 1, "after {steps} steps");
        assert_eq!(store.totals(site.tenant).await.unwrap().tags, 1);
        let account = store.run_coverage(site.tenant, run, None, &page).await;
        assert!(account.unwrap().items.is_empty());
        match store.clear_removed(1).await.unwrap() {
            0 => break,
            1 => steps += 1,
            more => panic!("{more} rows where one was allowed"),
        }
    }
    // Of each repository three tags, three lines of the ledger and their entry; the notes of both repositories and the run.
    assert_eq!(steps, 2 * (3 + 3 + 1) + 3);
}
