//! What signatures are made over. Each begins with its own domain string, so that none can be used in place of another.

use portolan_shared::model::{Digest, InvitationId, SensorId};
use portolan_shared::tls::SpkiPin;
use prost::Message as _;

use crate::v1::{EnrolRequest, RecoverRequest};

/// What an enrolment request's signature is made over: bound to the invitation, to every other field, and to the root that the control
/// plane was recognised by, so that it is of no use anywhere else.
#[must_use]
pub fn enrolment_message(invitation: InvitationId, request: &EnrolRequest, root: SpkiPin) -> Vec<u8> {
    let unsigned = EnrolRequest {
        signature: Vec::new().into(),
        ..request.clone()
    };
    let mut message = b"portolan enrol v1\0".to_vec();
    message.extend_from_slice(invitation.as_bytes());
    message.extend_from_slice(&Digest::sha256_of(&unsigned.encode_to_vec()).to_bytes());
    message.extend_from_slice(&root.0);
    message
}

/// What the signature of a question for the sensor's own state is made over.
#[must_use]
pub fn who_am_i_message(sensor: SensorId, nonce: &[u8], root: SpkiPin) -> Vec<u8> {
    let mut message = b"portolan who am i v1\0".to_vec();
    message.extend_from_slice(sensor.as_bytes());
    message.extend_from_slice(&Digest::sha256_of(nonce).to_bytes());
    message.extend_from_slice(&root.0);
    message
}

/// What the signature of a recovery is made over: bound to the challenge, to the key that is to be certified, to the continuity token and the
/// machine that are shown, and to the root that the control plane was recognised by.
#[must_use]
pub fn recovery_message(sensor: SensorId, request: &RecoverRequest, root: SpkiPin) -> Vec<u8> {
    let mut message = b"portolan recover v1\0".to_vec();
    message.extend_from_slice(sensor.as_bytes());
    let parts = [
        &request.nonce,
        &request.csr_der,
        &request.continuity_token,
        &request.machine_fingerprint,
    ];
    for part in parts {
        message.extend_from_slice(&Digest::sha256_of(part).to_bytes());
    }
    message.extend_from_slice(&Digest::sha256_of(request.boot_id.as_bytes()).to_bytes());
    message.extend_from_slice(&root.0);
    message
}
