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
        }
    }

    /// The sensor is of this generation: `None` if that changes nothing. A key of an earlier one is void, and replaced.
    #[must_use]
    pub fn of_generation(&self, generation: u64, now: BothClocks, rng: &dyn Rng) -> Option<Self> {
        let known = self.latest.generation;
        if generation <= known {
            return None;
        }
        let mut keys = if known == 0 {
            self.clone()
        } else {
            self.rotated(now, rng)
        };
        keys.latest.generation = generation;
        Some(keys)
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
        })
    }

    fn wipe(&mut self) {
        self.latest.key.zeroize();
        self.former.iter_mut().for_each(|key| key.key.zeroize());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::{ManualClock, SeededRng};
    use portolan_shared::secret::sealed::IdentityPublicKey;

    fn both(now: Timestamp) -> BothClocks {
        BothClocks {
            here: now,
            there: now,
        }
    }

    #[test]
    fn a_wrong_clock_moves_neither_what_is_said_nor_the_replacement() {
        let (rng, clock) = (SeededRng::new(6), ManualClock::at_unix_seconds(1_700_000_000));
        let there = clock.now() - 100 * SEALING_KEY_LIFE;
        let now = BothClocks {
            here: clock.now(),
            there,
        };
        let keys = SealingKeys::first(now, &rng).of_generation(1, now, &rng).unwrap();
        let identity = IdentityKey::generate().unwrap();
        let (tenant, sensor) = (TenantId::random(&rng), SensorId::random(&rng));
        let signed = keys
            .latest()
            .statement(tenant, sensor, &identity)
            .unwrap()
            .unwrap();
        let said = signed.unverified();
        assert_eq!(said.created_at.timestamp(), there);
        assert_eq!(said.not_after.timestamp(), there + SEALING_KEY_LIFE);
        let (rotation, _) = keys.moments(&clock);
        clock.advance(SEALING_KEY_LIFE - Duration::from_secs(1));
        assert!(!rotation.has_come(&clock));
        clock.advance(Duration::from_secs(1));
        assert!(rotation.has_come(&clock));
    }

    #[test]
    fn keys_survive_the_disk_and_the_statement_is_the_identitys() {
        let (rng, clock) = (SeededRng::new(3), ManualClock::at_unix_seconds(1_700_000_000));
        let keys = SealingKeys::first(both(clock.now()), &rng);
        let (tenant, sensor) = (TenantId::random(&rng), SensorId::random(&rng));
        let identity = IdentityKey::generate().unwrap();
        let said = |keys: &SealingKeys| keys.latest().statement(tenant, sensor, &identity).unwrap();
        assert!(said(&keys).is_none(), "of which generation is not known");
        let told = keys.of_generation(1, both(clock.now()), &rng).unwrap();
        assert_eq!(
            told.latest().pair.id(),
            keys.latest().pair.id(),
            "the first one stays"
        );
        let signed = said(&told).unwrap();
        let public = IdentityPublicKey(identity.public_key().try_into().unwrap());
        assert_eq!(signed.verify(&public, tenant, sensor).unwrap().generation, 1);
        assert!(signed.recipient(&public, tenant, sensor, clock.now()).is_ok());

        let rotated = told.accepted().rotated(both(clock.now()), &rng);
        assert!(!rotated.latest().accepted);
        let read = SealingKeys::from_bytes(&rotated.to_bytes()).unwrap();
        for id in [told.latest().pair.id(), rotated.latest().pair.id()] {
            assert_eq!(read.pair(id).unwrap().id(), id);
        }
        assert!(!format!("{read:?}").contains(&BASE64.encode(read.latest.pair.to_secret().expose())));
        assert!(SealingKeys::from_bytes(b"{}").is_err());
    }

    #[test]
    fn a_later_generation_replaces_the_key_and_an_earlier_one_changes_nothing() {
        let (rng, now) = (SeededRng::new(4), both(Timestamp::UNIX_EPOCH));
        let keys = SealingKeys::first(now, &rng).of_generation(2, now, &rng).unwrap();
        assert!(keys.of_generation(2, now, &rng).is_none() && keys.of_generation(1, now, &rng).is_none());
        let next = keys.of_generation(3, now, &rng).unwrap();
        assert_ne!(next.latest().pair.id(), keys.latest().pair.id());
        assert!(
            next.pair(keys.latest().pair.id()).is_some(),
            "the former one is kept"
        );
    }

    #[test]
    fn keys_are_replaced_after_30_days_and_deleted_30_days_later_and_at_the_bound() {
        let (rng, clock) = (SeededRng::new(5), ManualClock::at_unix_seconds(1_700_000_000));
        let first = SealingKeys::first(both(clock.now()), &rng);
        let (rotation, deletion) = first.moments(&clock);
        assert!(deletion.is_none() && !rotation.has_come(&clock));
        clock.advance(SEALING_KEY_LIFE);
        assert!(rotation.has_come(&clock));
        let second = first.rotated(both(clock.now()), &rng);
        let deletion = second.moments(&clock).1.unwrap();
        assert!(!deletion.has_come(&clock));
        clock.advance(FORMER_KEY_LIFE);
        assert!(deletion.has_come(&clock));
        let ended = |at: Timestamp| at + FORMER_KEY_LIFE <= clock.now();
        let last = second.without_ended(ended).unwrap();
        assert!(!last.has_former() && last.without_ended(ended).is_none());

        let mut keys = last;
        for _ in 0..FORMER_KEYS {
            keys = keys.rotated(both(clock.now()), &rng);
        }
        let oldest = keys.former[0].pair.id();
        keys = keys.rotated(both(clock.now()), &rng);
        assert_eq!(keys.former.len(), FORMER_KEYS);
        assert!(keys.pair(oldest).is_none());
    }
}
