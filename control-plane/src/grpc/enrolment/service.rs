//! The calls of the enrolment service.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use portolan_proto::convert::{self, FieldError};
use portolan_proto::v1::enrolment_server::Enrolment;
use portolan_proto::{PROTOCOL, enrolment_message, recovery_message, v1, who_am_i_message};
use portolan_shared::model::{HostFacts, InvitationId, Reason, SensorId, SensorState, printable};
use portolan_shared::secret::SecretBytes;
use portolan_shared::tls::SpkiPin;
use tonic::{Request, Response, Status};

use super::challenge;
use crate::app::{EnrolmentAttempt, EnrolmentError, IssuedSensor, LateNote, RecoveryAttempt};
use crate::ca::RequestedKey;
use crate::grpc::door::Door;
use crate::grpc::gate::Call;

/// Version of the trust bundle, as long as there is one root.
const TRUST_VERSION: u64 = 1;
/// Longest time after the answer in which a refusal is written into the audit log.
const LATE: Duration = Duration::from_secs(1);
/// Length of a continuity token.
const TOKEN_BYTES: usize = 32;
/// Longest boot id that is kept: cut above.
const BOOT_ID_BYTES: usize = 64;

pub(in crate::grpc) struct EnrolmentService(pub(in crate::grpc) Arc<Door>);

/// The certificate bundle for an issued certificate.
pub(in crate::grpc) fn bundle(door: &Door, issued: &IssuedSensor) -> v1::CertificateBundle {
    v1::CertificateBundle {
        chain_der: issued.chain.iter().map(|der| der.to_vec().into()).collect(),
        not_after_ms: issued.not_after.as_millisecond(),
        server_time_ms: door.app.clock.now().as_millisecond(),
    }
}

fn signed(key: &[u8], signature: &[u8], pins: &[SpkiPin], message: impl Fn(SpkiPin) -> Vec<u8>) -> bool {
    let key = UnparsedPublicKey::new(&ED25519, key);
    pins.iter()
        .any(|pin| key.verify(&message(*pin), signature).is_ok())
}

/// A key that nobody holds, so that unknown sensors cost as much as known ones. It is a point of the curve: its base point.
const NOBODY: [u8; 32] = [
    0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
];

impl EnrolmentService {
    async fn enrol(&self, call: &Call, wire: v1::EnrolRequest) -> Result<v1::EnrolResponse, Status> {
        let door = &self.0;
        let refuse = door.refuser(call);
        let field = |error: FieldError| refuse.field(&error).into_status();
        let invitation =
            convert::id("invitation_id", &wire.invitation_id, InvitationId::from_slice).map_err(field)?;
        let identity_public_key: [u8; 32] = wire
            .identity_public_key
            .as_ref()
            .try_into()
            .map_err(|_| field(FieldError::new("identity_public_key", "must have 32 bytes")))?;
        if wire.secret.len() != 32 {
            return Err(field(FieldError::new("secret", "must have 32 bytes")));
        }
        let (lowest, highest) = convert::range(wire.protocol.as_ref()).map_err(field)?;
        if !(lowest..=highest).contains(&PROTOCOL) {
            let text = format!("this control plane speaks version {PROTOCOL} of the protocol");
            return Err(refuse.with(Reason::VersionUnsupported, text).into_status());
        }
        let key =
            RequestedKey::from_der(&wire.csr_der).map_err(|error| refuse.request(error).into_status())?;
        door.invitation_rate(invitation).map_err(|wait| {
            let text = "too many attempts with this invitation";
            refuse.later(Reason::Overloaded, text, wait).into_status()
        })?;
        if !door.denials.is_fresh() {
            let text = "the database does not answer";
            let wait = Duration::from_secs(5);
            return Err(refuse.later(Reason::StorageUnavailable, text, wait).into_status());
        }
        let pins = &door.app.server_pins;
        let proven = signed(&identity_public_key, &wire.signature, pins, |pin| {
            enrolment_message(invitation, &wire, pin)
        });
        let attempt = EnrolmentAttempt {
            invitation,
            secret: SecretBytes::new(wire.secret.to_vec()),
            identity_public_key,
            proven,
            key,
            host: wire.host.as_ref().map(HostFacts::from).unwrap_or_default(),
            source: call.connection.remote.ip().to_string(),
        };
        let enrolled = door.app.enrol(&door.authority, attempt).await.map_err(|error| {
            let refusal = refuse.enrolment(&error);
            if let EnrolmentError::Invalid(note) = error {
                self.write_later(note);
            }
            refusal.into_status()
        })?;
        let issued = enrolled.admitted.issued;
        Ok(v1::EnrolResponse {
            sensor_id: issued.sensor.as_bytes().to_vec().into(),
            tenant_id: issued.tenant.as_bytes().to_vec().into(),
            certificate: Some(bundle(door, &issued)),
            trust: Some(v1::TrustBundle {
                version: TRUST_VERSION,
                roots_der: vec![door.authority.server_root().to_vec().into()],
            }),
            endpoints: vec![door.app.sensor_url.clone()],
            sensor_name: enrolled.name,
            continuity_token: enrolled.admitted.continuity_token.expose().to_vec().into(),
        })
    }

    /// Writes a note at some moment of the next second: right after the answer it would hold up the next request, and so tell that there
    /// was something to write. What may wait at once is bounded by the rate of enrolment calls.
    fn write_later(&self, note: LateNote) {
        let app = Arc::clone(&self.0.app);
        let shutdown = self.0.tasks.shutdown().clone();
        let pause = app.rng.between(Duration::ZERO, LATE);
        self.0.tasks.spawn("late note", async move {
            tokio::select! {
                () = shutdown.cutting() => {}
                () = tokio::time::sleep(pause) => {}
            }
            if let Err(error) = app.write_note(note).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "an audit entry was lost"
                );
            }
        });
    }

    async fn who_am_i(&self, call: &Call, wire: v1::WhoAmIRequest) -> Result<v1::WhoAmIResponse, Status> {
        let door = &self.0;
        let refuse = door.refuser(call);
        let sensor = convert::id("sensor_id", &wire.sensor_id, SensorId::from_slice)
            .map_err(|error| refuse.field(&error).into_status())?;
        let now = door.app.clock.now();
        let good = challenge::made_at(&door.app.pepper, sensor, &wire.nonce, now).is_some();
        let standing = door
            .app
            .standing(sensor)
            .await
            .map_err(|error| refuse.store(&error).into_status())?;
        let key = standing.map_or(NOBODY, |standing| standing.identity_public_key);
        let proven = signed(&key, &wire.signature, &door.app.server_pins, |pin| {
            who_am_i_message(sensor, &wire.nonce, pin)
        });
        match standing {
            Some(standing) if good && proven => Ok(v1::WhoAmIResponse {
                reason: standing
                    .reason
                    .map_or(v1::Reason::Unspecified, v1::Reason::from)
                    .into(),
                state: SensorState::as_str(standing.state).to_owned(),
                retry_after_ms: 0,
                server_time_ms: now.as_millisecond(),
            }),
            _ => Err(refuse
                .with(Reason::IdentityUnknown, "the identity is not known")
                .into_status()),
        }
    }

    async fn recover(&self, call: &Call, wire: v1::RecoverRequest) -> Result<v1::RecoverResponse, Status> {
        let door = &self.0;
        let refuse = door.refuser(call);
        let sensor = convert::id("sensor_id", &wire.sensor_id, SensorId::from_slice)
            .map_err(|error| refuse.field(&error).into_status())?;
        let shown = match wire.continuity_token.len() {
            0 => None,
            TOKEN_BYTES => Some(SecretBytes::new(wire.continuity_token.to_vec())),
            _ => {
                let error = FieldError::new("continuity_token", "must have 32 bytes");
                return Err(refuse.field(&error).into_status());
            }
        };
        let fingerprint = match wire.machine_fingerprint.as_ref() {
            [] => None,
            bytes => Some(bytes.try_into().map_err(|_| {
                let error = FieldError::new("machine_fingerprint", "must have 16 bytes");
                refuse.field(&error).into_status()
            })?),
        };
        let key =
            RequestedKey::from_der(&wire.csr_der).map_err(|error| refuse.request(error).into_status())?;
        if !door.denials.is_fresh() {
            let text = "the database does not answer";
            let wait = Duration::from_secs(5);
            return Err(refuse.later(Reason::StorageUnavailable, text, wait).into_status());
        }
        // The proof comes before everything else, and costs the same for identities that do not exist.
        let now = door.app.clock.now();
        let challenged_at = challenge::made_at(&door.app.pepper, sensor, &wire.nonce, now);
        let standing = door
            .app
            .standing(sensor)
            .await
            .map_err(|error| refuse.store(&error).into_status())?;
        let identity = standing.map_or(NOBODY, |standing| standing.identity_public_key);
        let proven = signed(&identity, &wire.signature, &door.app.server_pins, |pin| {
            recovery_message(sensor, &wire, pin)
        });
        let Some(challenged_at) = challenged_at.filter(|_| standing.is_some() && proven) else {
            let text = "the identity is not known";
            return Err(refuse.with(Reason::IdentityUnknown, text).into_status());
        };
        let attempt = RecoveryAttempt {
            sensor,
            challenge: wire.nonce.to_vec(),
            challenged_at,
            shown,
            key,
            fingerprint,
            boot_id: printable(&wire.boot_id, BOOT_ID_BYTES),
            source: call.connection.remote.ip().to_string(),
        };
        let recovered = door.app.recover(&door.authority, attempt).await;
        let admitted = recovered.map_err(|error| refuse.recovery(&error).into_status())?;
        Ok(v1::RecoverResponse {
            certificate: Some(bundle(door, &admitted.issued)),
            continuity_token: admitted.continuity_token.expose().to_vec().into(),
        })
    }
}

#[tonic::async_trait]
impl Enrolment for EnrolmentService {
    async fn enrol(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolResponse>, Status> {
        let call = Door::call(&request)?;
        self.enrol(&call, request.into_inner()).await.map(Response::new)
    }

    async fn challenge(
        &self,
        request: Request<v1::ChallengeRequest>,
    ) -> Result<Response<v1::ChallengeResponse>, Status> {
        let call = Door::call(&request)?;
        let door = &self.0;
        let sensor = convert::id("sensor_id", &request.get_ref().sensor_id, SensorId::from_slice)
            .map_err(|error| door.refuser(&call).field(&error).into_status())?;
        let now = door.app.clock.now();
        let nonce = challenge::make(&door.app.pepper, door.app.rng.as_ref(), sensor, now);
        Ok(Response::new(v1::ChallengeResponse {
            nonce: nonce.into(),
            server_time_ms: now.as_millisecond(),
        }))
    }

    async fn who_am_i(
        &self,
        request: Request<v1::WhoAmIRequest>,
    ) -> Result<Response<v1::WhoAmIResponse>, Status> {
        let call = Door::call(&request)?;
        self.who_am_i(&call, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn recover(
        &self,
        request: Request<v1::RecoverRequest>,
    ) -> Result<Response<v1::RecoverResponse>, Status> {
        let call = Door::call(&request)?;
        self.recover(&call, request.into_inner()).await.map(Response::new)
    }
}
