//! Opening, and sealing again to another key.

use super::binding::{BindingField, CredentialBinding};
use super::credential::CredentialSecret;
use super::key::SealingKeyPair;
use super::payload::{DataKey, SealedPayload};
use super::recipient::Recipient;
use super::wrap::Wrap;
use crate::model::{CredentialId, SensorId};
use crate::process::Rng;

/// A sealed credential did not open. Nothing of it is told but what kind of thing did not fit: see [`OpenError::field`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The wrap is for somebody else.
    #[error("credential {credential} was sealed to sensor {recipient}, not to this one")]
    Recipient {
        /// Which credential.
        credential: CredentialId,
        /// Whom it was sealed to.
        recipient: SensorId,
    },
    /// The wrap is for a key that was not given.
    #[error("credential {0} was sealed to another key of this sensor")]
    SealingKey(CredentialId),
    /// Wrap, payload and binding do not belong together, or one of them was changed since.
    #[error("credential {0} does not open: it was sealed for something else, or was changed since")]
    Ciphertext(CredentialId),
    /// Whoever sealed put another binding inside than outside.
    #[error("credential {credential} says inside that it is for another {field}")]
    Inside {
        /// Which credential.
        credential: CredentialId,
        /// What differs.
        field: BindingField,
    },
    /// It opened, and what is inside is not a login.
    #[error("credential {0} opened, and is not a login of a form that this version knows")]
    Content(CredentialId),
}

impl OpenError {
    /// What kind of thing did not fit.
    #[must_use]
    pub fn field(&self) -> BindingField {
        match self {
            Self::Recipient { .. } => BindingField::Recipient,
            Self::SealingKey(_) => BindingField::SealingKey,
            Self::Inside { field, .. } => *field,
            Self::Ciphertext(_) | Self::Content(_) => BindingField::Ciphertext,
        }
    }
}

/// Opens a sealed credential as the sensor `me`, with one of its keys.
///
/// `binding` is what the sensor holds to be true, not what came with the ciphertext: compare first, by
/// [`CredentialBinding::difference_from_registry`], to be able to say which field does not fit. Whether the version is too old or the
/// time is over is not decided here.
pub fn open(
    binding: &CredentialBinding,
    payload: &SealedPayload,
    wrap: &Wrap,
    me: SensorId,
    pair: &SealingKeyPair,
) -> Result<CredentialSecret, OpenError> {
    unwrap_and_open(binding, payload, wrap, me, pair).map(|(_, secret)| secret)
}

fn unwrap_and_open(
    binding: &CredentialBinding,
    payload: &SealedPayload,
    wrap: &Wrap,
    me: SensorId,
    pair: &SealingKeyPair,
) -> Result<(DataKey, CredentialSecret), OpenError> {
    let credential = binding.credential;
    if wrap.recipient() != me {
        return Err(OpenError::Recipient {
            credential,
            recipient: wrap.recipient(),
        });
    }
    if wrap.sealing_key() != pair.id() {
        return Err(OpenError::SealingKey(credential));
    }
    let bytes = binding.encode();
    let changed = OpenError::Ciphertext(credential);
    let key = wrap.open(&bytes, payload, pair).ok_or(changed)?;
    let plain = payload.decrypt(&key, &bytes).ok_or(changed)?;
    let (inside, secret) = CredentialSecret::from_plain(&plain).ok_or(OpenError::Content(credential))?;
    match binding.difference(&inside) {
        Some(field) => Err(OpenError::Inside { credential, field }),
        None => Ok((key, secret)),
    }
}

/// A sealed credential was not sealed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RewrapError {
    /// It did not open.
    #[error("the credential cannot be sealed again because it does not open")]
    Open(#[source] OpenError),
    /// A key that anybody could open with.
    #[error("the sealing key of sensor {0} is not one that can be sealed to")]
    Key(SensorId),
}

/// Seals the data key of a credential again: to a new key of the same sensor, or to another sensor that the caller trusts.
///
/// The payload is opened on the way, so that a wrap never vouches for what its maker could not open. It stays as it is.
pub fn rewrap(
    binding: &CredentialBinding,
    payload: &SealedPayload,
    wrap: &Wrap,
    me: SensorId,
    pair: &SealingKeyPair,
    to: &Recipient,
    rng: &dyn Rng,
) -> Result<Wrap, RewrapError> {
    let (key, _) = unwrap_and_open(binding, payload, wrap, me, pair).map_err(RewrapError::Open)?;
    Wrap::seal(&key, &binding.encode(), payload, to, rng).ok_or(RewrapError::Key(to.sensor()))
}
