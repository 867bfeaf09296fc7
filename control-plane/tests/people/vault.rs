//! What sensors and clients do with sealed credentials: keys are published, logins sealed.

use jiff::SignedDuration;
use portolan::web::api::credentials::SealedCredentialInput;
use portolan_shared::model::{CredentialId, RegistryId, RegistryUrl, SensorId};
use portolan_shared::process::SystemRng;
use portolan_shared::secret::Secret;
use portolan_shared::secret::sealed::{
    BoundHosts, CredentialBinding, CredentialSecret, Recipient, SealingKeyPair, SealingKeyStatement,
    SignedSealingKey, seal,
};
use portolan_store::PublishOutcome;
use serde_json::Value;

use crate::world::{World, note};

/// What is in every login.
pub(crate) const PASSWORD: &str = "correct-horse-battery-staple";

/// Publishes a sealing key of a sensor as the sensor would, without the wire.
pub(crate) async fn publish(world: &World, sensor: SensorId) -> SealingKeyPair {
    let now = world.app.clock.now();
    let pair = SealingKeyPair::generate(&SystemRng);
    let held = world
        .app
        .store
        .sensor(world.tenant, sensor)
        .await
        .unwrap()
        .unwrap();
    let statement = SealingKeyStatement {
        tenant: world.tenant,
        sensor,
        key: pair.public_key(),
        created_at: now.into(),
        not_after: (now + SignedDuration::from_hours(30 * 24)).into(),
        generation: held.generation,
    };
    let signed = SignedSealingKey::new(statement, [5; 64]);
    let published = world
        .app
        .store
        .publish_key(&signed, now, &note(now))
        .await
        .unwrap();
    assert_eq!(published, PublishOutcome::Published);
    pair
}

/// What a login is bound to.
pub(crate) fn binding(
    world: &World,
    registry: RegistryId,
    url: &str,
    id: CredentialId,
    version: u64,
) -> CredentialBinding {
    let url: RegistryUrl = url.parse().unwrap();
    CredentialBinding {
        tenant: world.tenant,
        registry,
        scheme: (&url).into(),
        host: (&url).into(),
        realm_hosts: BoundHosts::new(["auth.example.com".parse().unwrap()]).unwrap(),
        storage_hosts: BoundHosts::default(),
        credential: id,
        version,
        created_at: world.app.clock.now().into(),
        expires_at: None,
    }
}

/// A login that was sealed, as a body.
pub(crate) fn sealed(binding: &CredentialBinding, recipients: &[(SensorId, &SealingKeyPair)]) -> Value {
    let login =
        CredentialSecret::new(Secret::new("reader".to_owned()), Secret::new(PASSWORD.to_owned())).unwrap();
    let recipients: Vec<_> = recipients
        .iter()
        .map(|(sensor, pair)| Recipient::own(*sensor, pair))
        .collect();
    let sealed = seal(&login, binding, &recipients, &SystemRng).unwrap();
    serde_json::to_value(SealedCredentialInput::of(binding, &sealed)).unwrap()
}
