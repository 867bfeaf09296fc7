//! Sealing.

use std::collections::BTreeSet;

use super::binding::CredentialBinding;
use super::credential::CredentialSecret;
use super::payload::{DataKey, SealedPayload, TAG};
use super::recipient::Recipient;
use super::wrap::Wrap;
use crate::model::{SensorId, limits};
use crate::process::Rng;

/// What one recipient needs of a sealed credential, and nothing else: one wrap of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedForOne {
    /// What it is bound to, by its own word.
    pub binding: CredentialBinding,
    /// The encrypted login.
    pub payload: SealedPayload,
    /// What the recipient opens it with.
    pub wrap: Wrap,
}

/// A credential as it is stored: one payload, and one wrap for each recipient in the order that they were given in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedCredential {
    /// The encrypted login.
    pub payload: SealedPayload,
    /// What each recipient opens it with.
    pub wraps: Vec<Wrap>,
}

/// A login was not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// To nobody.
    #[error("there is no sensor to seal the credential to")]
    NoRecipient,
    /// To too many.
    #[error(
        "{0} sensors are too many: a credential is sealed to at most {max}", max = limits::SEALED_RECIPIENTS
    )]
    TooManyRecipients(usize),
    /// To one sensor twice.
    #[error("sensor {0} is named twice among those to seal to")]
    RepeatedRecipient(SensorId),
    /// User name, password and what they are bound to are too long.
    #[error(
        "user name, password and hosts take {0} bytes, of at most {max}", max = limits::SEALED_PLAIN_BYTES
    )]
    TooLarge(usize),
    /// A key that anybody could open with.
    #[error("the sealing key of sensor {0} is not one that can be sealed to")]
    Key(SensorId),
    /// The cipher refused to work.
    #[error("the credential could not be encrypted")]
    Cipher,
}

/// Seals a login to sensors, for one registry. All recipients open the same payload; none can tell a wrap for another.
pub fn seal(
    secret: &CredentialSecret,
    binding: &CredentialBinding,
    recipients: &[Recipient],
    rng: &dyn Rng,
) -> Result<SealedCredential, SealError> {
    if recipients.is_empty() {
        return Err(SealError::NoRecipient);
    }
    if recipients.len() > limits::SEALED_RECIPIENTS {
        return Err(SealError::TooManyRecipients(recipients.len()));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = recipients.iter().find(|one| !seen.insert(one.sensor())) {
        return Err(SealError::RepeatedRecipient(twice.sensor()));
    }
    let binding = binding.encode();
    let plain = secret.to_plain(&binding, TAG).map_err(SealError::TooLarge)?;
    let key = DataKey::generate(rng);
    let payload = SealedPayload::encrypt(&key, &binding, plain).ok_or(SealError::Cipher)?;
    let wraps = recipients
        .iter()
        .map(|one| Wrap::seal(&key, &binding, &payload, one, rng).ok_or(SealError::Key(one.sensor())))
        .collect::<Result<_, _>>()?;
    Ok(SealedCredential { payload, wraps })
}
