//! A certificate by the proof of the identity key.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use portolan_proto::v1::enrolment_client::EnrolmentClient;
use portolan_proto::{recovery_message, v1};
use portolan_shared::model::{Reason, SensorState};
use portolan_shared::tls::{ControlPlaneTrust, control_plane_client};
use rustls_pki_types::CertificateDer;
use tonic::Status;
use tonic::transport::Channel;

use crate::conflict::{alarms, copy, record};
use crate::scene::{Scene, eventually, reason};
use crate::sensor::{Keys, Past, Sensor, connect, csr};
use crate::session::{hello, open};

async fn client(scene: &Scene, sensor: &Sensor) -> Result<EnrolmentClient<Channel>, Status> {
    let clock = Arc::clone(&scene.app().clock);
    let trust = ControlPlaneTrust::Roots(sensor.roots.clone());
    let channel = connect(scene, control_plane_client(trust, None, clock).unwrap()).await?;
    Ok(EnrolmentClient::new(channel))
}

/// Has itself challenged, and answers; gives the answer, which is not sent yet, and the keys that it wants a certificate for.
async fn prove(scene: &Scene, sensor: &Sensor) -> Result<(v1::RecoverRequest, Keys), Status> {
    let challenge = v1::ChallengeRequest {
        sensor_id: sensor.id.as_bytes().to_vec().into(),
    };
    let mut client = client(scene, sensor).await?;
    let nonce = client.challenge(challenge).await?.into_inner().nonce;
    let tls = Keys::new();
    let past = sensor.past.lock().unwrap().clone();
    let request = v1::RecoverRequest {
        sensor_id: sensor.id.as_bytes().to_vec().into(),
        nonce,
        csr_der: csr(&tls.tls).into(),
        continuity_token: past.continuity_token.into(),
        boot_id: "third".to_owned(),
        machine_fingerprint: vec![9; 16].into(),
        signature: Vec::new().into(),
    };
    Ok((sign(scene, sensor, request), tls))
}

fn sign(scene: &Scene, sensor: &Sensor, mut request: v1::RecoverRequest) -> v1::RecoverRequest {
    let message = recovery_message(sensor.id, &request, scene.app().server_pins[0]);
    request.signature = sensor.keys.identity.sign(&message).as_ref().to_vec().into();
    request
}

async fn send(
    scene: &Scene,
    sensor: &Sensor,
    request: v1::RecoverRequest,
) -> Result<v1::RecoverResponse, Status> {
    let mut client = client(scene, sensor).await?;
    Ok(client.recover(request).await?.into_inner())
}

/// Asks for a certificate by the proof of the identity key.
pub(crate) async fn recover(scene: &Scene, sensor: &Sensor) -> Result<Sensor, Status> {
    let (request, tls) = prove(scene, sensor).await?;
    let response = send(scene, sensor, request).await?;
    let chain = response.certificate.unwrap().chain_der;
    Ok(Sensor {
        id: sensor.id,
        tenant: sensor.tenant,
        // Its identity is another one; it is not used any more.
        keys: Arc::new(tls),
        chain: chain
            .iter()
            .map(|der| CertificateDer::from(der.to_vec()))
            .collect(),
        roots: sensor.roots.clone(),
        past: Arc::new(Mutex::new(Past {
            continuity_token: response.continuity_token.to_vec(),
            epoch: 0,
        })),
    })
}

#[tokio::test]
async fn t11_an_expired_certificate_is_replaced_by_the_proof_of_the_identity_key() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    open(&scene, &sensor).await.hello(hello(&[])).await;
    scene.clock.advance(Duration::from_secs(3 * 86_400));
    eventually("the database was asked again", || async {
        recover(&scene, &sensor).await.is_ok()
    })
    .await;
    let recovered = recover(&scene, &sensor).await.unwrap();
    open(&scene, &recovered).await.hello(hello(&[])).await;
    assert_eq!(record(&scene, &sensor).await.state, SensorState::Active);
}

#[tokio::test]
async fn only_the_identity_key_recovers() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let impostor = Sensor {
        keys: Arc::new(Keys::new()),
        ..copy(&sensor)
    };
    let refused = recover(&scene, &impostor).await.err().unwrap();
    assert_eq!(reason(&refused), Reason::IdentityUnknown);
    // Nor is what it has signed good for other keys than its own.
    let (proof, _) = prove(&scene, &sensor).await.unwrap();
    let stolen = v1::RecoverRequest {
        csr_der: csr(&Keys::new().tls).into(),
        ..proof.clone()
    };
    let refused = send(&scene, &sensor, stolen).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::IdentityUnknown);
    send(&scene, &sensor, proof).await.unwrap();
}

#[tokio::test]
async fn a_proof_is_good_once_and_for_a_minute() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let (proof, _) = prove(&scene, &sensor).await.unwrap();
    let (one, other) = tokio::join!(
        send(&scene, &sensor, proof.clone()),
        send(&scene, &sensor, proof.clone())
    );
    assert_ne!(one.is_ok(), other.is_ok(), "one of two that come at once");
    let refused = one.err().or(other.err()).unwrap();
    assert_eq!(reason(&refused), Reason::IdentityUnknown);
    let again = send(&scene, &sensor, proof.clone()).await.unwrap_err();
    assert_eq!(reason(&again), Reason::IdentityUnknown, "and none later");
    // Also with another key and signed anew, which nobody but the sensor itself can do: the challenge is used up.
    let renewed = v1::RecoverRequest {
        csr_der: csr(&Keys::new().tls).into(),
        ..proof
    };
    let renewed = send(&scene, &sensor, sign(&scene, &sensor, renewed)).await;
    assert_eq!(reason(&renewed.unwrap_err()), Reason::IdentityUnknown);
    let shown = record(&scene, &sensor).await;
    assert_ne!(
        shown.state,
        SensorState::Quarantined,
        "a repeated proof is no second machine"
    );
    assert!(alarms(&scene, &sensor).await.is_empty());

    let late = Sensor::enrol(&scene, "munich").await;
    let (proof, _) = prove(&scene, &late).await.unwrap();
    scene.clock.advance(Duration::from_secs(62));
    // The clock has leapt: nothing is granted before the database was asked again.
    eventually("it is too late", || async {
        let refused = send(&scene, &late, proof.clone()).await.unwrap_err();
        reason(&refused) == Reason::IdentityUnknown
    })
    .await;
    recover(&scene, &late).await.unwrap();
}
