//! A registry whose sensor has a sealing key.

use axum::http::{Method, StatusCode};
use portolan_shared::model::{CredentialId, RegistryId, SensorId};
use portolan_shared::process::SystemRng;
use portolan_shared::secret::sealed::{CredentialBinding, SealingKeyPair};
use portolan_store::{DeliveredFor, Delivery, PageRequest};
use serde_json::Value;

use crate::shop;
use crate::vault::{binding, publish, sealed};
use crate::world::{Answer, World};

pub(crate) const URL: &str = "https://registry.example.com:5050";

pub(crate) const PATH: &str = "/api/v1/registries/gl/credential";

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) sensor: SensorId,
    pub(crate) pair: SealingKeyPair,
    pub(crate) registry: RegistryId,
    pub(crate) id: CredentialId,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let world = World::new().await;
        let sensor = world.sensor("berlin-1").await;
        let pair = publish(&world, sensor).await;
        let registry = world.registry("gl", URL, "berlin-1").await;
        let id = CredentialId::random(&SystemRng);
        Self {
            world,
            sensor,
            pair,
            registry,
            id,
        }
    }

    pub(crate) fn binding(&self, version: u64) -> CredentialBinding {
        binding(&self.world, self.registry, URL, self.id, version)
    }

    pub(crate) fn sealed(&self, version: u64) -> Value {
        sealed(&self.binding(version), &[(self.sensor, &self.pair)])
    }

    pub(crate) async fn put(&self, body: Value) -> Answer {
        self.world
            .ask(&self.world.operator, Method::PUT, PATH, Some(body))
            .await
    }

    pub(crate) async fn put_version(&self, version: u64) -> Value {
        let answer = self.put(self.sealed(version)).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.json());
        answer.json()
    }

    pub(crate) async fn shown(&self) -> Value {
        self.world.get(PATH).await.json()
    }

    pub(crate) async fn recipients(&self) -> Vec<(String, String)> {
        let shown = self.shown().await;
        let recipients = shown["recipients"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        recipients
            .map(|one| (text(&one["sensor"]), text(&one["state"])))
            .collect()
    }

    /// Details of the audit entries of this action about the registry, newest first.
    pub(crate) async fn told(&self, action: &str) -> Vec<Value> {
        let log = self
            .world
            .app
            .store
            .audit(self.world.tenant, &PageRequest::first())
            .await
            .unwrap();
        let object = format!("registry:{}", self.registry);
        let entries = log.items.into_iter().map(|record| record.entry);
        entries
            .filter(|entry| entry.action == action && entry.object == object)
            .map(|entry| entry.details)
            .collect()
    }

    /// A run that reads something with the version in use.
    pub(crate) async fn run_well(&self) {
        let (world, epoch) = (&self.world, self.world.session(self.sensor).await);
        let fence = world.leased_run("gl", self.sensor, epoch).await;
        let place = (world.tenant, self.registry);
        let (what_for, now) = (DeliveredFor::Attempt(fence), world.app.clock.now());
        let delivered = world
            .app
            .store
            .deliver_credential(place, self.sensor, what_for, now, &|_| None)
            .await;
        assert!(matches!(delivered, Ok(Delivery::Sealed(_))), "{delivered:?}");
        shop::commit(world, &fence, "acme/shop", &[]).await;
        shop::close(world, &fence, 1, 0).await;
    }

    pub(crate) async fn patch(&self, body: Value) {
        let path = "/api/v1/registries/gl";
        let answer = self
            .world
            .ask(&self.world.operator, Method::PATCH, path, Some(body))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.json());
    }
}

pub(crate) fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(sensor, state): &(&str, &str)| ((*sensor).to_owned(), (*state).to_owned());
    expected.iter().map(owned).collect()
}
