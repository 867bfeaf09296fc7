//! Versions of sealed credentials, into use and out of it.

use futures::future::join_all;
use portolan_shared::model::{CredentialId, RegistryId};
use portolan_shared::process::SystemRng;
use portolan_shared::secret::sealed::Recipient;
use portolan_store::{
    DeliveredFor, Delivery, KEPT_PAST_VERSIONS, PageRequest, PutOutcome, RegistryChange, RevertOutcome, Store,
};

use crate::site::{at, commit_listed, entries, note, noted, registry, tenant, whole};
use crate::vault::{deliver, published, put, run_well, sealed, version, versions};

/// The others are told what would follow.
pub async fn of_many_puts_of_one_version_one_is_taken(store: &dyn Store) {
    let (site, pair, id) = sealed(store).await;
    let own = [Recipient::own(site.sensor, &pair)];
    let before = entries(store, site.tenant).await;
    let seconds: Vec<_> = (0..8).map(|_| version(&site, id, 2, &own)).collect();
    let outcomes = join_all(seconds.iter().map(|second| put(store, second))).await;
    let taken = outcomes
        .iter()
        .filter(|outcome| **outcome == PutOutcome::Put)
        .count();
    let late = PutOutcome::OutOfDate(Some(id), 3);
    assert_eq!(
        (taken, outcomes.iter().filter(|outcome| **outcome == late).count()),
        (1, 7)
    );
    assert_eq!(entries(store, site.tenant).await, before + 1);
    let stranger = CredentialId::random(&SystemRng);
    assert_eq!(
        put(store, &version(&site, stranger, 3, &own)).await,
        late,
        "a registry has one"
    );
    let mut elsewhere = site.clone();
    elsewhere.registry = RegistryId::random(&SystemRng);
    assert_eq!(
        put(store, &version(&elsewhere, id, 1, &own)).await,
        PutOutcome::UnknownRegistry
    );
    let beside = site.beside(store, "beside").await;
    assert_eq!(
        put(store, &version(&beside, id, 1, &own)).await,
        PutOutcome::IdTaken
    );
    let change = RegistryChange {
        url: Some("https://elsewhere.example.com".parse().unwrap()),
        ..RegistryChange::default()
    };
    store
        .change_registry(site.tenant, beside.registry, &change, None, at(5), &noted)
        .await
        .unwrap();
    let moved = version(&beside, stranger, 1, &own);
    assert_eq!(put(store, &moved).await, PutOutcome::Elsewhere);
}

/// Until then one can go back to it, and numbers are never used twice.
pub async fn the_version_before_is_kept_until_the_next_has_worked(store: &dyn Store) {
    let (site, pair, id) = sealed(store).await;
    let own = [Recipient::own(site.sensor, &pair)];
    let revert = || store.revert_credential(site.tenant, site.registry, at(9), Box::leak(Box::new(note())));
    assert_eq!(revert().await.unwrap(), RevertOutcome::NoFormer);
    run_well(store, &site, 10).await;
    assert_eq!(versions(store, &site).await, Some((1, None, 1, true)));

    assert_eq!(put(store, &version(&site, id, 2, &own)).await, PutOutcome::Put);
    assert_eq!(versions(store, &site).await, Some((2, Some(1), 2, false)));
    // A third that comes before the second was seen to work does not push out the one that is known to.
    assert_eq!(put(store, &version(&site, id, 3, &own)).await, PutOutcome::Put);
    assert_eq!(versions(store, &site).await, Some((3, Some(1), 3, false)));
    assert_eq!(revert().await.unwrap(), RevertOutcome::Reverted(id, 1));
    assert_eq!(versions(store, &site).await, Some((1, None, 3, true)));
    assert_eq!(
        put(store, &version(&site, id, 3, &own)).await,
        PutOutcome::OutOfDate(Some(id), 4)
    );
    assert_eq!(put(store, &version(&site, id, 4, &own)).await, PutOutcome::Put);

    run_well(store, &site, 30).await;
    assert_eq!(versions(store, &site).await, Some((4, None, 4, true)));
    assert_eq!(revert().await.unwrap(), RevertOutcome::NoFormer);
}

/// A run that reads nothing, or whose sensor had two versions, says nothing of either.
pub async fn a_version_has_worked_when_something_was_read_with_it(store: &dyn Store) {
    let (site, pair, id) = sealed(store).await;
    let fence = site.start(store, 10).await;
    deliver(store, &site, site.registry, site.sensor, fence).await;
    store.close_run(&fence, &whole(0), at(12)).await.unwrap();
    assert_eq!(versions(store, &site).await, Some((1, None, 1, false)));

    let fence = site.start(store, 20).await;
    deliver(store, &site, site.registry, site.sensor, fence).await;
    let second = version(&site, id, 2, &[Recipient::own(site.sensor, &pair)]);
    assert_eq!(put(store, &second).await, PutOutcome::Put);
    let place = (site.tenant, site.registry);
    let running = DeliveredFor::Running(fence);
    let newer = store
        .deliver_credential(place, site.sensor, running, at(21), &noted)
        .await
        .unwrap();
    let Delivery::Sealed(newer) = newer else {
        panic!("{newer:?}")
    };
    assert_eq!(newer.binding.version, 2);
    commit_listed(store, &fence, "a", 22).await;
    store.close_run(&fence, &whole(1), at(23)).await.unwrap();
    assert_eq!(versions(store, &site).await, Some((2, Some(1), 2, false)));
    let over = store
        .deliver_credential(place, site.sensor, running, at(24), &noted)
        .await
        .unwrap();
    assert_eq!(over, Delivery::NotForIt, "the attempt is over");
}

/// Whatever takes it away: removal, a reference in its place, the end of the registry.
pub async fn what_is_taken_away_leaves_nothing_to_open(store: &dyn Store) {
    let (site, pair, id) = sealed(store).await;
    let own = [Recipient::own(site.sensor, &pair)];
    let remove = || async {
        store
            .remove_credential(site.tenant, site.registry, at(9), &note())
            .await
            .unwrap()
    };
    let removed = remove().await.unwrap();
    assert_eq!(
        (removed.credential, removed.recipients),
        (Some(id), vec![site.sensor])
    );
    assert_eq!((remove().await, versions(store, &site).await), (None, None));
    assert_eq!(
        put(store, &version(&site, id, 1, &own)).await,
        PutOutcome::IdTaken
    );
    assert_eq!(
        put(store, &version(&site, id, 2, &own)).await,
        PutOutcome::OutOfDate(None, 1)
    );
    let next = CredentialId::random(&SystemRng);
    assert_eq!(put(store, &version(&site, next, 1, &own)).await, PutOutcome::Put);

    let change = RegistryChange {
        credential: Some(Some("env:GITLAB".parse().unwrap())),
        ..RegistryChange::default()
    };
    store
        .change_registry(site.tenant, site.registry, &change, None, at(10), &noted)
        .await
        .unwrap();
    assert_eq!(versions(store, &site).await, None);
    assert!(
        store
            .sealed_recipients(site.tenant, site.registry)
            .await
            .unwrap()
            .is_none()
    );
    let removed = remove().await.unwrap();
    assert_eq!(
        (removed.credential, removed.recipients),
        (None, vec![]),
        "the reference"
    );

    let last = CredentialId::random(&SystemRng);
    assert_eq!(put(store, &version(&site, last, 1, &own)).await, PutOutcome::Put);
    let record = store.registry(site.tenant, site.registry).await.unwrap().unwrap();
    assert_eq!(record.registry.credential, None);
    published(store, &site).await;
    assert_eq!(
        store
            .outdated_wraps(site.tenant, site.sensor, 8)
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(
        store
            .remove_registry(site.tenant, site.registry, &note(), &|_| None)
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        store
            .outdated_wraps(site.tenant, site.sensor, 8)
            .await
            .unwrap()
            .is_empty()
    );
}

/// With their versions, however many there were.
pub async fn credentials_are_listed_by_registry_for_their_tenant_alone(store: &dyn Store) {
    let (site, pair, id) = sealed(store).await;
    let own = [Recipient::own(site.sensor, &pair)];
    let more = u64::from(KEPT_PAST_VERSIONS) + 8;
    for number in 2..more {
        assert_eq!(
            put(store, &version(&site, id, number, &own)).await,
            PutOutcome::Put
        );
    }
    assert_eq!(
        versions(store, &site).await,
        Some((more - 1, Some(more - 2), more - 1, false))
    );
    site.beside(store, "a").await;
    let mut plain = registry(site.tenant, "z", &[site.sensor]);
    plain.credential = None;
    store.add_registry(&plain, at(6), &note()).await.unwrap();
    let one = PageRequest {
        after: None,
        limit: 1,
    };
    let first = store.credentials(site.tenant, &one).await.unwrap();
    assert_eq!(
        (
            first.items[0].registry.name.as_str(),
            first.items[0].sealed.is_none()
        ),
        ("a", true)
    );
    let rest = PageRequest {
        after: first.next,
        limit: 10,
    };
    let rest = store.credentials(site.tenant, &rest).await.unwrap();
    let names: Vec<_> = rest
        .items
        .iter()
        .map(|item| item.registry.name.as_str())
        .collect();
    assert_eq!((names, rest.next), (vec!["gl"], None));

    let stranger = tenant(store).await;
    assert!(
        store
            .credentials(stranger, &PageRequest::first())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert_eq!(store.credential(stranger, site.registry).await.unwrap(), None);
    assert!(
        store
            .sealed_recipients(stranger, site.registry)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .outdated_wraps(stranger, site.sensor, 8)
            .await
            .unwrap()
            .is_empty()
    );
    let taken = store
        .remove_credential(stranger, site.registry, at(9), &note())
        .await
        .unwrap();
    assert_eq!(taken, None);
}
