//! The state files by name, and how each is read.

use data_encoding::HEXLOWER;

use super::directory::StateDir;
use super::enrolment::{Enrolled, Enrolment, Revoked};
use super::error::KeyringError;
use super::key::IdentityKey;

pub(super) const ENROLMENT: &str = "enrolment";
pub(super) const IDENTITY_KEY: &str = "identity.key";
pub(super) const TLS_KEY: &str = "tls.key";
pub(super) const CERTIFICATE: &str = "certificate";
pub(super) const CONTINUITY: &str = "continuity";
pub(super) const TRUST: &str = "trust";
pub(super) const INCARNATION: &str = "incarnation";
pub(super) const SEALING_KEYS: &str = "sealing.keys";
pub(super) const FLOORS: &str = "credential.versions";

pub(super) fn revoked_error(revoked: &Revoked) -> KeyringError {
    KeyringError::Revoked {
        sensor: revoked.was.sensor,
        at: revoked.at,
    }
}

pub(super) fn enrolment(dir: &StateDir) -> Result<Option<Enrolment>, KeyringError> {
    let Some(bytes) = dir.read(ENROLMENT)? else {
        return Ok(None);
    };
    Enrolment::from_bytes(&bytes)
        .map(Some)
        .map_err(|why| KeyringError::Damaged {
            path: dir.file(ENROLMENT),
            why,
        })
}

pub(super) fn identity_key(dir: &StateDir) -> Result<IdentityKey, KeyringError> {
    let lost = |why: String| KeyringError::IdentityLost {
        path: dir.file(IDENTITY_KEY),
        why,
    };
    match dir.read(IDENTITY_KEY) {
        Ok(Some(pkcs8)) => {
            IdentityKey::from_pkcs8(&pkcs8).map_err(|_| lost("it is not an Ed25519 key".to_owned()))
        }
        Ok(None) => Err(lost("it is missing".to_owned())),
        Err(KeyringError::Damaged { why, .. }) => Err(lost(why)),
        Err(other) => Err(other),
    }
}

/// The identity key of this very sensor.
pub(super) fn identity_key_of(dir: &StateDir, enrolled: &Enrolled) -> Result<IdentityKey, KeyringError> {
    let identity = identity_key(dir)?;
    if HEXLOWER.encode(identity.public_key()) != enrolled.identity {
        return Err(KeyringError::IdentityLost {
            path: dir.file(IDENTITY_KEY),
            why: "it is another key than the one this sensor was enrolled with".to_owned(),
        });
    }
    Ok(identity)
}
