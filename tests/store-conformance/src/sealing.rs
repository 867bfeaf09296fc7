//! Sealing keys, and who may have what is sealed to them.

use portolan_shared::model::TenantId;
use portolan_shared::process::SystemRng;
use portolan_shared::secret::sealed::{Recipient, SealingKeyPair, rewrap};
use portolan_store::{
    DeliveredFor, Delivery, KEPT_SEALING_KEYS, PublishOutcome, RegistryChange, StandingChange, Store,
};

use crate::site::{Site, at, entries, note, noted, sensor, session, tenant};
use crate::vault::{deliver, key, publish, published, sealed};

/// Of a sensor's keys the one that it last said is the latest, and none of another generation counts.
pub async fn the_key_that_was_said_last_is_the_latest(store: &dyn Store) {
    let site = Site::new(store).await;
    let latest = || async {
        let found = store.sealing_keys(site.tenant, &[site.sensor]).await.unwrap();
        found
            .get(&site.sensor)
            .map(|key| key.signed.unverified().key_id())
    };
    assert_eq!(latest().await, None);
    let mut pairs = Vec::new();
    for _ in 0..=KEPT_SEALING_KEYS {
        pairs.push(published(store, &site).await);
        assert_eq!(latest().await, pairs.last().map(SealingKeyPair::id));
    }
    let before = entries(store, site.tenant).await;
    assert_eq!(
        publish(store, &site, pairs.last().unwrap()).await,
        PublishOutcome::Known
    );
    assert_eq!(entries(store, site.tenant).await, before);
    assert_eq!(publish(store, &site, &pairs[2]).await, PublishOutcome::Published);
    assert_eq!(latest().await, Some(pairs[2].id()));
    let other = tenant(store).await;
    assert!(
        store
            .sealing_keys(other, &[site.sensor])
            .await
            .unwrap()
            .is_empty()
    );

    let next = key(&site, &SealingKeyPair::generate(&SystemRng), 2);
    assert_eq!(
        store.publish_key(&next, at(5), &note()).await.unwrap(),
        PublishOutcome::Refused
    );
    let approve = StandingChange::Approve {
        until: at(100),
        fingerprint: None,
    };
    store
        .change_standing(site.tenant, site.sensor, approve, at(6), &note())
        .await
        .unwrap();
    assert_eq!(latest().await, None, "its state may have existed twice");
    assert_eq!(publish(store, &site, &pairs[0]).await, PublishOutcome::Refused);
    assert_eq!(
        store.publish_key(&next, at(7), &note()).await.unwrap(),
        PublishOutcome::Published
    );
    assert_eq!(latest().await, Some(next.unverified().key_id()));
}

/// Nor for another registry, nor when the registry has moved; and the first time is written down.
pub async fn t34_a_credential_is_handed_to_its_recipients_for_its_registry_alone(store: &dyn Store) {
    let (site, _pair, id) = sealed(store).await;
    let (other, serial) = sensor(store, site.tenant, "other").await;
    let epoch = session(store, site.tenant, other, serial).await;
    let both = RegistryChange {
        sensors: Some(vec![site.sensor, other]),
        ..RegistryChange::default()
    };
    store
        .change_registry(site.tenant, site.registry, &both, None, at(5), &noted)
        .await
        .unwrap();
    let beside = site.beside(store, "beside").await;
    let fence = site.start(store, 10).await;

    let before = entries(store, site.tenant).await;
    let sealed = deliver(store, &site, site.registry, site.sensor, fence).await;
    let Delivery::Sealed(sealed) = sealed else {
        panic!("{sealed:?}")
    };
    assert_eq!(
        (sealed.binding.credential, sealed.wrap.recipient()),
        (id, site.sensor)
    );
    assert_eq!(entries(store, site.tenant).await, before + 1);
    deliver(store, &site, site.registry, site.sensor, fence).await;
    assert_eq!(
        entries(store, site.tenant).await,
        before + 1,
        "not the first time"
    );

    assert_eq!(
        deliver(store, &site, site.registry, other, fence).await,
        Delivery::NotForIt
    );
    assert_eq!(
        deliver(store, &site, beside.registry, site.sensor, fence).await,
        Delivery::NoneNeeded
    );
    let stranger = tenant(store).await;
    let theirs = store.deliver_credential(
        (stranger, site.registry),
        site.sensor,
        DeliveredFor::Attempt(fence),
        at(20),
        &noted,
    );
    assert_eq!(theirs.await.unwrap(), Delivery::NoneNeeded);

    // Only who can open it is asked to read the registry.
    store.return_lease(&fence, at(21)).await.unwrap();
    let waiting = store
        .leasable_runs(at(22), &[other, site.sensor], 10)
        .await
        .unwrap();
    assert_eq!(
        waiting.iter().map(|run| run.sensors.clone()).collect::<Vec<_>>(),
        [[site.sensor]]
    );
    assert!(
        store
            .leasable_runs(at(22), &[other], 10)
            .await
            .unwrap()
            .is_empty()
    );
    let run = fence.attempt.run;
    assert!(
        store
            .lease_run(site.tenant, run, other, epoch, at(22))
            .await
            .unwrap()
            .is_none()
    );

    for (url, is_there) in [
        ("https://registry.example.com", false),
        ("https://registry.example.com:5050/prefix", true),
    ] {
        let change = RegistryChange {
            url: Some(url.parse().unwrap()),
            ..RegistryChange::default()
        };
        store
            .change_registry(site.tenant, site.registry, &change, None, at(23), &noted)
            .await
            .unwrap();
        let waiting = store.leasable_runs(at(24), &[site.sensor], 10).await.unwrap();
        assert_eq!(!waiting.is_empty(), is_there, "{url}");
    }
    let approve = StandingChange::Approve {
        until: at(100),
        fingerprint: None,
    };
    store
        .change_standing(site.tenant, site.sensor, approve, at(25), &note())
        .await
        .unwrap();
    assert!(
        store
            .leasable_runs(at(26), &[site.sensor], 10)
            .await
            .unwrap()
            .is_empty()
    );
}

/// And only by what is for the latest key.
pub async fn a_wrap_is_replaced_if_it_is_still_the_one(store: &dyn Store) {
    let (site, old, id) = sealed(store).await;
    let outdated = || async { store.outdated_wraps(site.tenant, site.sensor, 8).await.unwrap() };
    assert!(outdated().await.is_empty());
    let between = published(store, &site).await;
    let new = published(store, &site).await;
    let found = outdated().await;
    assert_eq!(found.len(), 1);
    let sealed = &found[0];
    assert_eq!(sealed.wrap.sealing_key(), old.id());
    let to = |pair: &SealingKeyPair| {
        rewrap(
            &sealed.binding,
            &sealed.payload,
            &sealed.wrap,
            site.sensor,
            &old,
            &Recipient::own(site.sensor, pair),
            &SystemRng,
        )
        .unwrap()
    };
    let replace = |tenant: TenantId, replaced, wrap| async move {
        store
            .rewrap(tenant, (id, 1), replaced, &wrap, &note())
            .await
            .unwrap()
    };
    let before = entries(store, site.tenant).await;
    assert!(
        !replace(site.tenant, old.id(), to(&between)).await,
        "not for the latest key"
    );
    assert!(
        !replace(site.tenant, between.id(), to(&new)).await,
        "not the one that is there"
    );
    assert!(!replace(tenant(store).await, old.id(), to(&new)).await);
    assert_eq!(entries(store, site.tenant).await, before);
    assert!(replace(site.tenant, old.id(), to(&new)).await);
    assert!(!replace(site.tenant, old.id(), to(&new)).await, "once");
    assert!(
        !replace(site.tenant, new.id(), to(&new)).await,
        "nor the latest by itself, over and over"
    );
    assert_eq!(entries(store, site.tenant).await, before + 1);
    assert!(outdated().await.is_empty());
    let wraps = store
        .credential(site.tenant, site.registry)
        .await
        .unwrap()
        .unwrap()
        .sealed
        .unwrap()
        .wraps;
    assert_eq!((wraps[0].key, wraps[0].key_is_latest), (new.id(), true));
}
