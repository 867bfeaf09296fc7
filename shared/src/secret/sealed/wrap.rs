//! The data key of a payload, sealed to one recipient.

use std::fmt;

use super::fields::put;
use super::form::{FormError, Suite};
use super::hybrid;
use super::key::{SealingKeyId, SealingKeyPair};
use super::payload::{DataKey, SealedPayload, TAG};
use super::recipient::Recipient;
use crate::model::{SensorId, limits};
use crate::process::Rng;

/// What one sensor needs to open a [`SealedPayload`]: its data key, sealed to one sealing key of that sensor, for that payload.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrap {
    suite: Suite,
    recipient: SensorId,
    sealing_key: SealingKeyId,
    encapsulated: [u8; 32],
    ciphertext: [u8; CIPHERTEXT],
}

const CIPHERTEXT: usize = 32 + TAG;
const FORM: &str = "wrap";
const CONTEXT: &[u8] = b"portolan credential wrap v1";

impl Wrap {
    /// Seals a data key. `None` if nothing can be sealed to the recipient's key.
    pub(super) fn seal(
        key: &DataKey,
        binding: &[u8],
        payload: &SealedPayload,
        recipient: &Recipient,
        rng: &dyn Rng,
    ) -> Option<Self> {
        let (suite, sealing_key) = (recipient.key().suite(), recipient.key().id());
        let associated = associated(suite, binding, recipient.sensor(), sealing_key, payload);
        let (encapsulated, ciphertext) = hybrid::seal_to(
            recipient.key().as_bytes(),
            CONTEXT,
            &associated,
            key.as_slice(),
            rng,
        )?;
        Some(Self {
            suite,
            recipient: recipient.sensor(),
            sealing_key,
            encapsulated,
            ciphertext: ciphertext.try_into().ok()?,
        })
    }

    /// The data key; `None` if anything is not as it was at the time of sealing.
    pub(super) fn open(
        &self,
        binding: &[u8],
        payload: &SealedPayload,
        pair: &SealingKeyPair,
    ) -> Option<DataKey> {
        let associated = associated(self.suite, binding, self.recipient, self.sealing_key, payload);
        let key = hybrid::open_with(
            pair.private(),
            CONTEXT,
            &associated,
            &self.encapsulated,
            &self.ciphertext,
        )?;
        DataKey::from_slice(&key)
    }

    /// The suite that it was made with.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Which sensor can open it.
    #[must_use]
    pub fn recipient(&self) -> SensorId {
        self.recipient
    }

    /// With which of its keys.
    #[must_use]
    pub fn sealing_key(&self) -> SealingKeyId {
        self.sealing_key
    }

    /// The bytes that are stored and sent: always [`limits::WRAP_BYTES`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(limits::WRAP_BYTES);
        out.push(self.suite.number());
        out.extend_from_slice(self.recipient.as_bytes());
        out.extend_from_slice(self.sealing_key.as_bytes());
        out.extend_from_slice(&self.encapsulated);
        out.extend_from_slice(&self.ciphertext);
        out
    }

    /// Reads the bytes that are stored and sent.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        let (suite, rest) = bytes.split_first().ok_or(FormError::Malformed(FORM))?;
        let suite = Suite::parse(*suite, FORM)?;
        Self::from_parts(suite, rest).ok_or(FormError::Malformed(FORM))
    }

    fn from_parts(suite: Suite, bytes: &[u8]) -> Option<Self> {
        let (recipient, rest) = bytes.split_first_chunk::<16>()?;
        let (sealing_key, rest) = rest.split_first_chunk::<16>()?;
        let (encapsulated, ciphertext) = rest.split_first_chunk::<32>()?;
        Some(Self {
            suite,
            recipient: SensorId::from_slice(recipient).ok()?,
            sealing_key: SealingKeyId::from_slice(sealing_key).ok()?,
            encapsulated: *encapsulated,
            ciphertext: ciphertext.try_into().ok()?,
        })
    }
}

fn associated(
    suite: Suite,
    binding: &[u8],
    recipient: SensorId,
    sealing_key: SealingKeyId,
    payload: &SealedPayload,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(128 + binding.len());
    put(&mut out, CONTEXT);
    put(&mut out, &[suite.number()]);
    put(&mut out, binding);
    put(&mut out, recipient.as_bytes());
    put(&mut out, sealing_key.as_bytes());
    put(&mut out, &payload.ciphertext_hash());
    out
}

impl fmt::Debug for Wrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wrap")
            .field("recipient", &self.recipient)
            .field("sealing_key", &self.sealing_key)
            .finish_non_exhaustive()
    }
}
