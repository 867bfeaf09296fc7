//! The keys that credentials are sealed to.

use std::time::Duration;

use data_encoding::BASE64;
use jiff::Timestamp;
use portolan_shared::model::{SensorId, TenantId};
use portolan_shared::process::{Clock, Rng};
use portolan_shared::secret::SecretBytes;
use portolan_shared::secret::sealed::{
    SealingKeyId, SealingKeyPair, SealingKeyStatement, SignedSealingKey, UnixSecond,
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::error::KeyringError;
use super::key::IdentityKey;
use super::moment::Moment;

/// A sealing key is replaced after this time.
pub const SEALING_KEY_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// A replaced one is kept for at most this time longer.
pub const FORMER_KEY_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// Replaced keys that are kept; beyond, the oldest is deleted. By time there is never more than one.
const FORMER_KEYS: usize = 4;

/// The first generation that is believed is at most this: a sensor begins with 1, unless it is older than its sealing keys.
const FIRST_GENERATION: u64 = 100;
/// A generation is believed if it is at most this much later than the one before. Each stands for an approval by a person.
const GENERATIONS_AT_ONCE: u64 = 8;
/// Later generations that are believed within [`RISES_WITHIN`].
const RISES: usize = 4;
/// The time that later generations are counted in.
const RISES_WITHIN: Duration = Duration::from_secs(86_400);

/// A generation that is not believed.
///
/// Whoever gets the control plane into his hands for a while could have a sensor count so far that an honest one, which believes a sensor that
/// is ahead of it by 1,000 for each time that it was restored, would never take a statement of its again. So it is a month's work to come that
/// far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("generation {said} is not believed: the one before is {known}, and {why}")]
pub struct GenerationRefused {
    /// The one that is known.
    pub known: u64,
    /// What the control plane said.
    pub said: u64,
    /// What speaks against it.
    pub why: Doubt,
}

/// What speaks against a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// None is known, and it is above `FIRST_GENERATION`.
    #[error("a sensor does not begin with it")]
    First,
    /// It is later by more than `GENERATIONS_AT_ONCE`.
    #[error("it is too much later")]
    TooFar,
    /// There were as many as `RISES` already.
    #[error("it is the fifth within a day")]
    TooMany,
}

impl GenerationRefused {
    /// What comes of it, and what is to be done.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self.why {
            Doubt::First | Doubt::TooFar => {
                "nothing can be sealed to this sensor: if the control plane is right, it must be enrolled anew"
            }
            Doubt::TooMany => {
                "nothing can be sealed to this sensor until it is believed, within a day; if nobody has approved the sensor so often, ask who did"
            }
        }
    }
}

/// A moment as two machines have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BothClocks {
    /// By this machine's clock.
    pub here: Timestamp,
    /// By the control plane's, as far as is known.
    pub there: Timestamp,
}

/// The latest sealing key, and those before it for which there may still be wraps.
#[derive(Debug, Clone)]
pub struct SealingKeys {
    latest: SealingKey,
    former: Vec<FormerKey>,
    /// When the last few later generations were believed, by this machine's clock.
    rises: Vec<Timestamp>,
}

/// A key that may be sealed to.
#[derive(Debug, Clone)]
pub struct SealingKey {
    /// The key.
    pub pair: SealingKeyPair,
    /// When it was made, by this machine's clock.
    pub made_at: Timestamp,
    /// The same by the control plane's clock: what others are told, so that a clock that is wrong here makes no key that has ended, or lives
    /// for too long.
    pub created_at: UnixSecond,
    /// Of which generation of the sensor it is; 0 as long as the control plane has not said which that is.
    pub generation: u64,
    /// The control plane has confirmed that it knows it.
    pub accepted: bool,
}

/// A key that was replaced.
#[derive(Debug, Clone)]
struct FormerKey {
    pair: SealingKeyPair,
    replaced_at: UnixSecond,
}

impl SealingKeys {
    /// The first key of a sensor.
    #[must_use]
    pub fn first(now: BothClocks, rng: &dyn Rng) -> Self {
        Self {
            latest: SealingKey::new(now, 0, rng),
            former: Vec::new(),
            rises: Vec::new(),
        }
    }

    /// The key to seal to.
    #[must_use]
    pub fn latest(&self) -> &SealingKey {
        &self.latest
    }

    /// Whether replaced keys are still kept.
    #[must_use]
    pub fn has_former(&self) -> bool {
        !self.former.is_empty()
    }

    /// The key of this id.
    #[must_use]
    pub fn pair(&self, id: SealingKeyId) -> Option<&SealingKeyPair> {
        let former = self.former.iter().map(|key| &key.pair);
        std::iter::once(&self.latest.pair)
            .chain(former)
            .find(|pair| pair.id() == id)
    }

    /// With a new key in the place of the latest one, which is kept.
    #[must_use]
    pub fn rotated(&self, now: BothClocks, rng: &dyn Rng) -> Self {
        let mut former = self.former.clone();
        former.push(FormerKey {
            pair: self.latest.pair.clone(),
            replaced_at: now.here.into(),
        });
        let surplus = former.len().saturating_sub(FORMER_KEYS);
        former.drain(..surplus);
        Self {
            latest: SealingKey::new(now, self.latest.generation, rng),
            former,
            rises: self.rises.clone(),
        }
    }

    /// The sensor is of this generation: `None` if that changes nothing. A key of an earlier one is void, and replaced.
    ///
    /// # Errors
    /// If it is too far from the one that is known, or there were too many within a day: nothing is changed then. What is refused as
    /// [`Doubt::TooMany`] can be judged again later.
    pub fn of_generation(
        &self,
        generation: u64,
        now: BothClocks,
        rng: &dyn Rng,
    ) -> Result<Option<Self>, GenerationRefused> {
        let known = self.latest.generation;
        if generation <= known {
            return Ok(None);
        }
        let recent = |at: &&Timestamp| {
            Duration::try_from(now.here.duration_since(**at)).is_ok_and(|ago| ago < RISES_WITHIN)
        };
        let rises: Vec<Timestamp> = self.rises.iter().filter(recent).copied().collect();
        let refused = |why| {
            let said = generation;
            Err(GenerationRefused { known, said, why })
        };
        let mut keys = match known {
            0 if generation > FIRST_GENERATION => return refused(Doubt::First),
            0 => self.clone(),
            _ if generation - known > GENERATIONS_AT_ONCE => return refused(Doubt::TooFar),
            _ if rises.len() >= RISES => return refused(Doubt::TooMany),
            _ => Self {
                rises: rises.into_iter().chain([now.here]).collect(),
                ..self.rotated(now, rng)
            },
        };
        keys.latest.generation = generation;
        Ok(Some(keys))
    }

    /// The control plane knows the latest key.
    #[must_use]
    pub fn accepted(&self) -> Self {
        let mut keys = self.clone();
        keys.latest.accepted = true;
        keys
    }

    /// Without the replaced keys: nothing is sealed to them any more.
    #[must_use]
    pub fn alone(&self) -> Self {
        Self {
            latest: self.latest.clone(),
            former: Vec::new(),
            rises: self.rises.clone(),
        }
    }

    /// Without the replaced keys whose time is over: `None` if there is none.
    #[must_use]
    pub fn without_ended(&self, ended: impl Fn(Timestamp) -> bool) -> Option<Self> {
        let mut keys = self.clone();
        keys.former.retain(|key| !ended(key.replaced_at.timestamp()));
        (keys.former.len() < self.former.len()).then_some(keys)
    }

    /// When the latest key is due to be replaced, and when the first of the replaced ones to be deleted.
    #[must_use]
    pub fn moments(&self, clock: &dyn Clock) -> (Moment, Option<Moment>) {
        let rotation = Moment::after(self.latest.made_at, SEALING_KEY_LIFE, clock);
        let first = self.former.iter().map(|key| key.replaced_at).min();
        let deletion = first.map(|at| Moment::after(at.timestamp(), FORMER_KEY_LIFE, clock));
        (rotation, deletion)
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut form = Form {
            latest: LatestForm {
                key: BASE64.encode(self.latest.pair.to_secret().expose()),
                made_at: self.latest.made_at,
                created_at: self.latest.created_at.timestamp(),
                generation: self.latest.generation,
                accepted: self.latest.accepted,
            },
            former: self
                .former
                .iter()
                .map(|key| FormerForm {
                    key: BASE64.encode(key.pair.to_secret().expose()),
                    replaced_at: key.replaced_at.timestamp(),
                })
                .collect(),
            rises: self.rises.clone(),
        };
        let bytes = serde_json::to_vec(&form).expect("strings, numbers and times always have a JSON form");
        form.wipe();
        Zeroizing::new(bytes)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let mut form: Form = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let keys = form.read();
        form.wipe();
        keys.ok_or_else(|| "it holds something that is no sealing key".to_owned())
    }
}

impl SealingKey {
    fn new(now: BothClocks, generation: u64, rng: &dyn Rng) -> Self {
        Self {
            pair: SealingKeyPair::generate(rng),
            made_at: now.here,
            created_at: now.there.into(),
            generation,
            accepted: false,
        }
    }

    /// What is said of it, signed; `None` as long as nobody knows of which generation it is.
    pub fn statement(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        identity: &IdentityKey,
    ) -> Result<Option<SignedSealingKey>, KeyringError> {
        if self.generation == 0 {
            return Ok(None);
        }
        let end = self.created_at.timestamp().checked_add(SEALING_KEY_LIFE);
        let statement = SealingKeyStatement {
            tenant,
            sensor,
            key: self.pair.public_key(),
            created_at: self.created_at,
            not_after: end.unwrap_or(Timestamp::MAX).into(),
            generation: self.generation,
        };
        let signature = identity.sign(&statement.encode());
        let signature = signature
            .try_into()
            .map_err(|_| KeyringError::Key("used to sign"))?;
        Ok(Some(SignedSealingKey::new(statement, signature)))
    }
}

#[derive(Serialize, Deserialize)]
struct Form {
    latest: LatestForm,
    former: Vec<FormerForm>,
    /// Not in what earlier agents wrote.
    #[serde(default)]
    rises: Vec<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct LatestForm {
    key: String,
    made_at: Timestamp,
    created_at: Timestamp,
    generation: u64,
    accepted: bool,
}

#[derive(Serialize, Deserialize)]
struct FormerForm {
    key: String,
    replaced_at: Timestamp,
}

fn pair(text: &str) -> Option<SealingKeyPair> {
    let secret = SecretBytes::new(BASE64.decode(text.as_bytes()).ok()?);
    SealingKeyPair::from_secret(&secret).ok()
}

impl Form {
    fn read(&self) -> Option<SealingKeys> {
        let former = self.former.iter().map(|key| {
            Some(FormerKey {
                pair: pair(&key.key)?,
                replaced_at: key.replaced_at.into(),
            })
        });
        Some(SealingKeys {
            latest: SealingKey {
                pair: pair(&self.latest.key)?,
                made_at: self.latest.made_at,
                created_at: self.latest.created_at.into(),
                generation: self.latest.generation,
                accepted: self.latest.accepted,
            },
            former: former.collect::<Option<_>>()?,
            rises: self.rises.clone(),
        })
    }

    fn wipe(&mut self) {
        self.latest.key.zeroize();
        self.former.iter_mut().for_each(|key| key.key.zeroize());
    }
}

#[cfg(test)]
#[path = "sealing_tests.rs"]
mod tests;
