//! What sensors and operators do with sealed credentials.

use jiff::SignedDuration;
use portolan_proto::convert::sealed;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_proto::v1::sealing_client::SealingClient;
use portolan_shared::model::{CredentialId, RegistryId, RegistryUrl, RunId};
use portolan_shared::process::SystemRng;
use portolan_shared::secret::Secret;
use portolan_shared::secret::sealed::{
    BoundHosts, CredentialBinding, CredentialSecret, Recipient, SealingKeyPair, SealingKeyStatement,
    open as unseal, seal,
};
use portolan_store::SealedVersion;
use tonic::Status;
use tonic::transport::Channel;

use crate::scene::Scene;
use crate::sensor::Sensor;
use crate::session::Session;

pub(crate) const URL: &str = "https://registry.example";

pub(crate) async fn client(scene: &Scene, sensor: &Sensor) -> SealingClient<Channel> {
    SealingClient::new(sensor.channel(scene).await)
}

pub(crate) fn statement(scene: &Scene, sensor: &Sensor, pair: &SealingKeyPair) -> SealingKeyStatement {
    let now = scene.app().clock.now();
    SealingKeyStatement {
        tenant: sensor.tenant,
        sensor: sensor.id,
        key: pair.public_key(),
        created_at: now.into(),
        not_after: (now + SignedDuration::from_hours(30 * 24)).into(),
        generation: 1,
    }
}

pub(crate) fn signed(sensor: &Sensor, statement: &SealingKeyStatement) -> v1::SealingKeyStatement {
    let bytes = statement.encode();
    let signature = sensor.keys.identity.sign(&bytes).as_ref().to_vec();
    v1::SealingKeyStatement {
        statement: bytes.into(),
        signature: signature.into(),
    }
}

pub(crate) async fn publish_as(
    scene: &Scene,
    sensor: &Sensor,
    message: v1::SealingKeyStatement,
) -> Result<u32, Status> {
    let accepted = client(scene, sensor).await.publish_key(message).await?;
    Ok(accepted.into_inner().outdated_wraps)
}

pub(crate) async fn published(scene: &Scene, sensor: &Sensor) -> SealingKeyPair {
    let pair = SealingKeyPair::generate(&SystemRng);
    let message = signed(sensor, &statement(scene, sensor, &pair));
    publish_as(scene, sensor, message).await.unwrap();
    pair
}

/// A version of the credential of a registry, stored by an operator.
pub(crate) async fn put(
    scene: &Scene,
    registry: &str,
    id: CredentialId,
    version: u64,
    to: &[(&Sensor, &SealingKeyPair)],
) {
    let version = sealed_version(scene, registry, id, version, to).await;
    scene
        .app()
        .put_credential(&scene.admin, registry, version)
        .await
        .unwrap();
}

/// A version of the credential of a registry, sealed and not stored.
pub(crate) async fn sealed_version(
    scene: &Scene,
    registry: &str,
    id: CredentialId,
    version: u64,
    to: &[(&Sensor, &SealingKeyPair)],
) -> SealedVersion {
    let url: RegistryUrl = URL.parse().unwrap();
    let record = scene.app().registry(&scene.admin, registry).await.unwrap();
    let binding = CredentialBinding {
        tenant: record.registry.tenant,
        registry: record.registry.id,
        scheme: (&url).into(),
        host: (&url).into(),
        realm_hosts: BoundHosts::default(),
        storage_hosts: BoundHosts::default(),
        credential: id,
        version,
        created_at: scene.app().clock.now().into(),
        expires_at: None,
    };
    let password = format!("password-{version}");
    let login = CredentialSecret::new(Secret::new("reader".to_owned()), Secret::new(password)).unwrap();
    let recipients: Vec<_> = to
        .iter()
        .map(|(sensor, pair)| Recipient::own(sensor.id, pair))
        .collect();
    let sealed = seal(&login, &binding, &recipients, &SystemRng).unwrap();
    SealedVersion { binding, sealed }
}

pub(crate) fn opened(
    sensor: &Sensor,
    pair: &SealingKeyPair,
    wire: Option<&v1::SealedCredential>,
) -> (u64, String) {
    let sealed = sealed(wire.unwrap()).unwrap();
    let login = unseal(&sealed.binding, &sealed.payload, &sealed.wrap, sensor.id, pair).unwrap();
    (sealed.binding.version, login.password().expose().to_owned())
}

pub(crate) async fn offered(session: &mut Session) -> v1::JobOffer {
    match session.body().await {
        Body::JobOffer(offer) => offer,
        other => panic!("no offer: {other:?}"),
    }
}

pub(crate) async fn queue(scene: &Scene, registry: &str) -> RunId {
    let queued = scene.app().queue_run(&scene.admin, registry, Vec::new()).await;
    queued.unwrap().run.id
}

/// Adds a registry, and takes the run back that comes with it.
pub(crate) async fn registry(scene: &Scene, name: &str, sensor: &str) -> RegistryId {
    let run = scene.queue_run(name, sensor).await;
    scene.app().cancel_run(&scene.admin, run).await.unwrap();
    let found = scene.app().registry(&scene.admin, name).await.unwrap();
    found.registry.id
}
