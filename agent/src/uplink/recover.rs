//! Another certificate for a sensor whose own has ended, is not accepted any more, or is lost: by the proof of its identity key, over a
//! connection without a certificate.

use std::time::Duration;

use portolan_proto::v1::enrolment_client::EnrolmentClient;
use portolan_proto::{recovery_message, v1};
use portolan_shared::model::limits;
use portolan_shared::process::Clock;
use portolan_shared::tls::ControlPlaneTrust;
use tokio::time::timeout;

use super::channel::{Channel, Connector, Windows};
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::issued;
use crate::keyring::{ContinuityToken, Keyring, KeyringError, StoredCertificate, TlsKey};

/// For the challenge and its answer together.
const WITHIN: Duration = Duration::from_secs(15);

/// What a recovery brings. Not on disk yet.
#[derive(Debug)]
pub(super) struct Recovered {
    certificate: StoredCertificate,
    continuity: ContinuityToken,
}

impl Recovered {
    /// Stores both. The token comes first: where a person had to approve the recovery, the one before is void already, and whoever crashes
    /// in between must be able to recover once more.
    pub(super) fn store(&self, keyring: &Keyring) -> Result<(), KeyringError> {
        keyring.store_continuity(self.continuity.clone())?;
        keyring.store_certificate(self.certificate.clone())
    }
}

/// What a machine says of itself.
pub(super) struct Machine {
    pub(super) boot_id: String,
    /// As in a hello: 16 bytes, or none.
    pub(super) fingerprint: Vec<u8>,
}

/// Asks for a certificate for a new key. Nothing on this machine changes by it.
pub(super) async fn recover(
    connector: &Connector,
    to: &Endpoint,
    keyring: &Keyring,
    machine: Machine,
    clock: &dyn Clock,
) -> Result<Recovered, Failure> {
    let trust = ControlPlaneTrust::Roots(keyring.trust().roots.clone());
    let channel = connector.connect(to, trust, None, Windows::SESSION).await?;
    let local = |error: KeyringError| Failure::Local(error.to_string());
    let key = TlsKey::generate().map_err(local)?;
    let csr_der = key.signing_request().map_err(local)?;
    let asked = timeout(WITHIN, ask(&channel, keyring, csr_der, machine));
    let answer = asked.await.map_err(|_| Failure::Timeout {
        what: "the recovery",
        seconds: WITHIN.as_secs(),
    })??;
    let wrong = |what: &str| Failure::Protocol(what.to_owned());
    let bundle = answer.certificate.ok_or_else(|| wrong("no certificate"))?;
    let enrolled = keyring.enrolled();
    let (deployment, sensor, tenant) = (&enrolled.deployment, enrolled.sensor, enrolled.tenant);
    Ok(Recovered {
        certificate: issued::certificate(&bundle, &key, deployment, sensor, tenant, clock.now())?,
        continuity: issued::continuity(&answer.continuity_token)?,
    })
}

async fn ask(
    channel: &Channel,
    keyring: &Keyring,
    csr_der: Vec<u8>,
    machine: Machine,
) -> Result<v1::RecoverResponse, Failure> {
    let mut client = EnrolmentClient::with_origin(channel.clone(), channel.origin())
        .max_decoding_message_size(limits::HELLO_BYTES);
    let failure = |status: tonic::Status| channel.failure(&status);
    let sensor = keyring.sensor();
    let challenge = v1::ChallengeRequest {
        sensor_id: sensor.as_bytes().to_vec().into(),
    };
    let nonce = client
        .challenge(challenge)
        .await
        .map_err(failure)?
        .into_inner()
        .nonce;
    let shown = keyring.continuity();
    let mut request = v1::RecoverRequest {
        sensor_id: sensor.as_bytes().to_vec().into(),
        nonce,
        csr_der: csr_der.into(),
        continuity_token: shown
            .map_or_else(Vec::new, |token| token.expose().to_vec())
            .into(),
        boot_id: machine.boot_id,
        machine_fingerprint: machine.fingerprint.into(),
        signature: Vec::new().into(),
    };
    let message = recovery_message(sensor, &request, channel.anchor());
    request.signature = keyring.identity().sign(&message).into();
    Ok(client.recover(request).await.map_err(failure)?.into_inner())
}
