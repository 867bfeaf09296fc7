//! What the audit log tells of credentials: whatever is done to one stands in it, or was not done.

use portolan_shared::model::{CredentialId, ProbeId, RegistryTarget, SensorId, TagFilter};
use portolan_shared::process::SystemRng;
use portolan_shared::secret::sealed::{CredentialBinding, Recipient};
use portolan_store::{AuditEntry, Delivery, NewCredential, NewProbe, PutOutcome, Store, StoreError};

use crate::site::{Site, at, entries, note, registry, sensor};
use crate::vault::{published, sealed, version};

fn named(action: &str) -> AuditEntry {
    AuditEntry {
        action: action.to_owned(),
        ..note()
    }
}

/// The actions of the tenant's log behind the first so many, oldest first.
async fn since(store: &dyn Store, site: &Site, before: u64) -> Vec<String> {
    let records = store.audit_range(site.tenant, before, 100).await.unwrap();
    records.into_iter().map(|linked| linked.record.action).collect()
}

/// The credential goes with its registry, and has an entry of its own.
pub async fn a_registry_takes_its_credential_along_and_both_are_told(store: &dyn Store) {
    let (site, _, id) = sealed(store).await;
    let plain = site.beside(store, "plain").await;
    let before = entries(store, site.tenant).await;
    let note = |credential: &CredentialId| {
        assert_eq!(*credential, id);
        Some(named("with-it"))
    };
    let gone = named("registry");
    let mut removed = Vec::new();
    for registry in [site.registry, site.registry, plain.registry] {
        removed.push(
            store
                .remove_registry(site.tenant, registry, &gone, &note)
                .await
                .unwrap(),
        );
    }
    let first = removed[0].clone().unwrap();
    assert_eq!(
        (first.credential, first.recipients),
        (Some(id), vec![site.sensor])
    );
    assert_eq!(removed[1], None);
    assert_eq!(removed[2].as_ref().unwrap().credential, None);
    assert_eq!(
        since(store, &site, before).await,
        ["with-it", "registry", "registry"]
    );
}

/// Both or neither, with both entries or none.
pub async fn a_registry_is_added_with_its_credential_or_not_at_all(store: &dyn Store) {
    let (site, pair, taken) = sealed(store).await;
    let own = [Recipient::own(site.sensor, &pair)];
    let mut new = registry(site.tenant, "new", &[site.sensor]);
    new.credential = None;
    let place = Site {
        registry: new.id,
        ..site.clone()
    };
    let id = CredentialId::random(&SystemRng);
    let before = entries(store, site.tenant).await;
    let add = async |credential: NewCredential| {
        let (registry, with) = (named("registry"), named("credential"));
        store
            .add_registry_with_credential(&new, &registry, &credential, &with)
            .await
    };
    let elsewhere = Site {
        registry: site.registry,
        ..site.clone()
    };
    for (credential, outcome) in [
        (version(&place, id, 2, &own), PutOutcome::OutOfDate(None, 1)),
        (version(&place, taken, 1, &own), PutOutcome::IdTaken),
        (
            version(&elsewhere, id, 1, &own),
            PutOutcome::OutOfDate(Some(taken), 2),
        ),
    ] {
        assert_eq!(add(credential).await.unwrap(), outcome);
        assert!(store.registry(site.tenant, new.id).await.unwrap().is_none());
    }
    assert_eq!(since(store, &site, before).await, [""; 0]);
    assert_eq!(add(version(&place, id, 1, &own)).await.unwrap(), PutOutcome::Put);
    let found = store.credential(site.tenant, new.id).await.unwrap().unwrap();
    assert_eq!(found.sealed.unwrap().binding.credential, id);
    assert_eq!(since(store, &site, before).await, ["registry", "credential"]);
    let again = add(version(&place, id, 1, &own)).await.unwrap_err();
    assert!(matches!(again, StoreError::Taken { .. }), "{again}");
}

fn trial(site: &Site, credential: NewCredential, sensors: &[SensorId]) -> NewProbe {
    let definition = registry(site.tenant, "probed", sensors);
    NewProbe {
        id: ProbeId::random(&SystemRng),
        tenant: site.tenant,
        registry: None,
        target: RegistryTarget {
            registry: definition.id,
            url: definition.url,
            ca: definition.ca,
            repositories: definition.repositories,
            credential: None,
            tags: TagFilter::default(),
            budget: definition.budget,
            requests_left: None,
        },
        repository: None,
        sensors: sensors.to_vec(),
        trial: Some(credential.version),
        asked_by: "operator".to_owned(),
        asked_at: at(10),
        expires_at: at(130),
    }
}

/// To whom it is sealed, while the probe waits, with an entry whenever it goes to another one.
pub async fn what_a_probe_tries_is_told_of_when_it_is_given_away(store: &dyn Store) {
    let site = Site::new(store).await;
    let pair = published(store, &site).await;
    let (second, _) = sensor(store, site.tenant, "second").await;
    let (third, _) = sensor(store, site.tenant, "third").await;
    let recipients = [site.sensor, second, third].map(|sensor| Recipient::own(sensor, &pair));
    let id = CredentialId::random(&SystemRng);
    let sealed = version(&site, id, 1, &recipients);
    let probe = trial(&site, sealed, &[site.sensor, second]);
    store.add_probe(&probe, &note()).await.unwrap();
    let before = entries(store, site.tenant).await;
    let give = async |sensor, seconds| {
        let note = |binding: &CredentialBinding| {
            assert_eq!(binding.credential, id);
            Some(note())
        };
        let delivered = store.deliver_trial((site.tenant, probe.id), sensor, at(seconds), &note);
        delivered.await.unwrap()
    };
    for (sensor, told) in [
        (site.sensor, 1),
        (site.sensor, 1),
        (second, 2),
        (second, 2),
        (site.sensor, 3),
    ] {
        let Delivery::Sealed(sealed) = give(sensor, 20).await else {
            panic!("it is for {sensor}");
        };
        assert_eq!(sealed.wrap.recipient(), sensor);
        assert_eq!(entries(store, site.tenant).await - before, told);
    }
    assert_eq!(give(third, 20).await, Delivery::NotForIt, "it was not asked");
    assert_eq!(
        give(site.sensor, 130).await,
        Delivery::NotForIt,
        "the time is over"
    );
    let nobody = store.deliver_trial(
        (site.tenant, ProbeId::random(&SystemRng)),
        site.sensor,
        at(20),
        &|_| None,
    );
    assert_eq!(nobody.await.unwrap(), Delivery::NotForIt);
    assert_eq!(entries(store, site.tenant).await - before, 3);
}
