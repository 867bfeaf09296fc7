//! What a keyring holds for sealed credentials.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jiff::Timestamp;
use portolan_shared::model::CredentialId;
use portolan_shared::process::Rng;
use portolan_shared::secret::sealed::SignedSealingKey;

use super::directory::StateDir;
use super::error::KeyringError;
use super::files::{FLOORS, SEALING_KEYS};
use super::floors::VersionFloors;
use super::ring::Keyring;
use super::sealing::{BothClocks, GenerationRefused, SealingKeys};

/// What is wrong with the generation that the control plane says, among what is wrong by file.
const GENERATION: &str = "generation";

/// Sealing keys, and the versions below which credentials are refused.
#[derive(Debug)]
pub(super) struct SealedState {
    keys: RwLock<Option<Arc<SealingKeys>>>,
    /// `None` if they cannot be read: then nothing sealed is taken.
    floors: Mutex<Option<VersionFloors>>,
}

/// Files that are lost, each with what follows from that.
type Lost = Vec<(&'static str, String)>;

impl SealedState {
    /// Loads both. Lost keys are made anew; of lost versions nobody knows which are too old. Both with what is wrong, by file.
    pub(super) fn load(dir: &StateDir) -> Result<(Self, Lost), KeyringError> {
        let mut lost = Lost::new();
        let keys = match read(dir, SEALING_KEYS, SealingKeys::from_bytes) {
            Err(error @ KeyringError::Damaged { .. }) => {
                let warning = format!(
                    "{error}; a new sealing key is made, and credentials sealed to the lost one must be entered again"
                );
                lost.push((SEALING_KEYS, warning));
                None
            }
            other => other?,
        };
        let floors = match read(dir, FLOORS, VersionFloors::from_bytes) {
            Err(error @ KeyringError::Damaged { .. }) => {
                let warning = format!(
                    "{error}; sealed credentials are refused until it is restored, or removed by somebody who knows that no old one is delivered"
                );
                lost.push((FLOORS, warning));
                None
            }
            other => Some(other?.unwrap_or_default()),
        };
        let state = Self {
            keys: RwLock::new(keys.map(Arc::new)),
            floors: Mutex::new(floors),
        };
        Ok((state, lost))
    }

    fn floors(&self) -> MutexGuard<'_, Option<VersionFloors>> {
        self.floors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read<T>(
    dir: &StateDir,
    name: &'static str,
    from: fn(&[u8]) -> Result<T, String>,
) -> Result<Option<T>, KeyringError> {
    let Some(bytes) = dir.read(name)? else {
        return Ok(None);
    };
    from(&bytes).map(Some).map_err(|why| KeyringError::Damaged {
        path: dir.file(name),
        why,
    })
}

impl Keyring {
    /// The sealing keys; none before the first start after enrolment.
    #[must_use]
    pub fn sealing_keys(&self) -> Option<Arc<SealingKeys>> {
        let keys = self.sealed().keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.as_ref().map(Arc::clone)
    }

    /// The sealing keys; the first one is made if there is none.
    pub fn sealing_keys_or_new(
        &self,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<Arc<SealingKeys>, KeyringError> {
        match self.sealing_keys() {
            Some(keys) => Ok(keys),
            None => self.store_sealing_keys(SealingKeys::first(self.both_clocks(now), rng)),
        }
    }

    /// This moment, which is `now` by this machine's clock, on both clocks.
    #[must_use]
    pub fn both_clocks(&self, now: Timestamp) -> BothClocks {
        let skew = self.certificate().map(|held| held.skew()).unwrap_or_default();
        BothClocks {
            here: now,
            there: now.checked_add(skew).unwrap_or(now),
        }
    }

    /// Stores sealing keys in the place of those before; they are in use only once they are on disk.
    pub fn store_sealing_keys(&self, keys: SealingKeys) -> Result<Arc<SealingKeys>, KeyringError> {
        self.dir().write(SEALING_KEYS, &keys.to_bytes())?;
        self.warn(SEALING_KEYS, None);
        let keys = Arc::new(keys);
        let mut held = self.sealed().keys.write().unwrap_or_else(PoisonError::into_inner);
        *held = Some(Arc::clone(&keys));
        Ok(keys)
    }

    /// Has [`Keyring::warnings`] tell of a generation that is not believed, or of none any more.
    pub fn doubt_generation(&self, refused: Option<&GenerationRefused>) {
        let warning = refused.map(|refused| format!("{refused}; {}", refused.advice()));
        self.warn(GENERATION, warning);
    }

    /// What is said of the latest sealing key; `None` as long as it is not known of which generation it is.
    pub fn sealing_statement(&self, keys: &SealingKeys) -> Result<Option<SignedSealingKey>, KeyringError> {
        keys.latest()
            .statement(self.enrolled().tenant, self.sensor(), self.identity())
    }

    /// The highest version of a credential that has worked, 0 if none has; an error if that is not known, or cannot be remembered.
    ///
    /// # Errors
    /// [`KeyringError::Versions`].
    pub fn version_floor(&self, credential: CredentialId) -> Result<u64, KeyringError> {
        let floors = self.sealed().floors();
        let floors = floors.as_ref().ok_or(KeyringError::Versions("is damaged"))?;
        if !floors.has_room_for(credential) {
            return Err(KeyringError::Versions("is full"));
        }
        Ok(floors.of(credential))
    }

    /// This version has worked: no earlier one is taken any more, also after a restart. Where it cannot be written it holds until then.
    pub fn raise_version_floor(&self, credential: CredentialId, version: u64) -> Result<(), KeyringError> {
        let mut floors = self.sealed().floors();
        let Some(raised) = floors
            .as_ref()
            .and_then(|floors| floors.raised(credential, version))
        else {
            return Ok(());
        };
        let written = self.dir().write(FLOORS, &raised.to_bytes());
        *floors = Some(raised);
        written
    }
}
