//! The control plane's side of sealed credentials: it keeps a statement, seals as an entering client would, and delivers what it likes.

use std::sync::Arc;

use portolan_proto::convert::sealed_to_wire;
use portolan_proto::v1;
use portolan_shared::process::{Clock as _, SystemClock, SystemRng};
use portolan_shared::secret::Secret;
use portolan_shared::secret::sealed::{
    CredentialBinding, CredentialSecret, IdentityPublicKey, SealedForOne, SignedSealingKey, seal,
};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use v1::sealing_server::Sealing;

use crate::plane::{ControlPlane, Shared};

/// What a sensor has said of its sealing key.
pub struct Published(watch::Sender<Option<v1::SealingKeyStatement>>);

impl Default for Published {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

/// Keeps no wraps.
pub struct Keeper(pub Arc<Shared>);

#[tonic::async_trait]
impl Sealing for Keeper {
    async fn publish_key(
        &self,
        request: Request<v1::SealingKeyStatement>,
    ) -> Result<Response<v1::SealingKeyAccepted>, Status> {
        self.0.published.0.send_replace(Some(request.into_inner()));
        Ok(Response::new(v1::SealingKeyAccepted::default()))
    }

    async fn outdated_wraps(
        &self,
        _: Request<v1::OutdatedWrapsRequest>,
    ) -> Result<Response<v1::OutdatedWrapsResponse>, Status> {
        Ok(Response::new(v1::OutdatedWrapsResponse::default()))
    }

    async fn rewrap(&self, _: Request<v1::RewrapRequest>) -> Result<Response<v1::RewrapResponse>, Status> {
        panic!("nothing is sealed to an older key")
    }
}

impl ControlPlane {
    /// Waits for the sensor's sealing key, verifies it by the identity that enrolled, and seals to it.
    pub async fn seal(&self, binding: &CredentialBinding, login: (&str, &str)) -> v1::SealedCredential {
        let shared = self.shared();
        let mut published = shared.published.0.subscribe();
        let said = published
            .wait_for(Option::is_some)
            .await
            .unwrap()
            .clone()
            .unwrap();
        let signed = SignedSealingKey::parse(&said.statement, &said.signature).unwrap();
        let identity = shared.identity.lock().unwrap().clone();
        let identity = IdentityPublicKey(identity.try_into().unwrap());
        let recipient = signed.recipient(&identity, shared.tenant, shared.sensor, SystemClock.now());
        let (user, password) = login;
        let secret =
            CredentialSecret::new(Secret::new(user.to_owned()), Secret::new(password.to_owned())).unwrap();
        let sealed = seal(&secret, binding, &[recipient.unwrap()], &SystemRng).unwrap();
        sealed_to_wire(&SealedForOne {
            binding: binding.clone(),
            payload: sealed.payload,
            wrap: sealed.wraps.into_iter().next().unwrap(),
        })
    }
}
