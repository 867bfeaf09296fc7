//! What sensors and clients do with sealed credentials.

use portolan_shared::model::{CredentialId, RegistryId, RegistryUrl, SensorId};
use portolan_shared::process::SystemRng;
use portolan_shared::secret::Secret;
use portolan_shared::secret::sealed::{
    BoundHosts, CredentialBinding, CredentialSecret, Recipient, SealingKeyPair, SealingKeyStatement,
    SignedSealingKey, seal,
};
use portolan_store::{
    DeliveredFor, Delivery, Fence, NewCredential, PublishOutcome, PutOutcome, SealedVersion, Store,
};

use crate::site::{Site, at, commit_listed, note, noted, whole};

pub(crate) const URL: &str = "https://registry.example.com:5050";

pub(crate) fn key(site: &Site, pair: &SealingKeyPair, generation: u64) -> SignedSealingKey {
    let statement = SealingKeyStatement {
        tenant: site.tenant,
        sensor: site.sensor,
        key: pair.public_key(),
        created_at: at(3).into(),
        not_after: at(86_400).into(),
        generation,
    };
    // Whose signature it is was asked before.
    SignedSealingKey::new(statement, [5; 64])
}

pub(crate) async fn publish(store: &dyn Store, site: &Site, pair: &SealingKeyPair) -> PublishOutcome {
    store
        .publish_key(&key(site, pair, 1), at(3), &note())
        .await
        .unwrap()
}

pub(crate) async fn published(store: &dyn Store, site: &Site) -> SealingKeyPair {
    let pair = SealingKeyPair::generate(&SystemRng);
    assert_eq!(publish(store, site, &pair).await, PublishOutcome::Published);
    pair
}

pub(crate) fn version(site: &Site, id: CredentialId, number: u64, recipients: &[Recipient]) -> NewCredential {
    let url: RegistryUrl = URL.parse().unwrap();
    let binding = CredentialBinding {
        tenant: site.tenant,
        registry: site.registry,
        scheme: (&url).into(),
        host: (&url).into(),
        realm_hosts: BoundHosts::default(),
        storage_hosts: BoundHosts::default(),
        credential: id,
        version: number,
        created_at: at(4).into(),
        expires_at: None,
    };
    let login = CredentialSecret::new(
        Secret::new("reader".to_owned()),
        Secret::new("password".to_owned()),
    )
    .unwrap();
    let sealed = seal(&login, &binding, recipients, &SystemRng).unwrap();
    NewCredential {
        version: SealedVersion { binding, sealed },
        created_by: "operator".to_owned(),
        now: at(i64::try_from(number).unwrap() + 3),
    }
}

pub(crate) async fn put(store: &dyn Store, credential: &NewCredential) -> PutOutcome {
    store.put_credential(credential, &noted).await.unwrap()
}

/// A site whose registry has the first version of a credential that its sensor can open.
pub(crate) async fn sealed(store: &dyn Store) -> (Site, SealingKeyPair, CredentialId) {
    let site = Site::new(store).await;
    let pair = published(store, &site).await;
    let id = CredentialId::random(&SystemRng);
    let first = version(&site, id, 1, &[Recipient::own(site.sensor, &pair)]);
    assert_eq!(put(store, &first).await, PutOutcome::Put);
    (site, pair, id)
}

pub(crate) async fn deliver(
    store: &dyn Store,
    site: &Site,
    registry: RegistryId,
    sensor: SensorId,
    fence: Fence,
) -> Delivery {
    let place = (site.tenant, registry);
    let what_for = DeliveredFor::Attempt(fence);
    store
        .deliver_credential(place, sensor, what_for, at(20), &noted)
        .await
        .unwrap()
}

pub(crate) async fn versions(store: &dyn Store, site: &Site) -> Option<(u64, Option<u64>, u64, bool)> {
    let found = store
        .credential(site.tenant, site.registry)
        .await
        .unwrap()?
        .sealed?;
    let worked = found.worked_at.is_some();
    Some((
        found.binding.version,
        found.former_version,
        found.last_version,
        worked,
    ))
}

/// A run that reads something.
pub(crate) async fn run_well(store: &dyn Store, site: &Site, seconds: i64) {
    let fence = site.start(store, seconds).await;
    let delivered = deliver(store, site, site.registry, site.sensor, fence).await;
    assert!(matches!(delivered, Delivery::Sealed(_)), "{delivered:?}");
    commit_listed(store, &fence, "a", seconds + 1).await;
    store.close_run(&fence, &whole(1), at(seconds + 2)).await.unwrap();
}
