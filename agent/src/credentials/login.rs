//! One sealed credential in the hands of one job.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use portolan_registry::{Credential, CredentialError, LoginHolder};
use portolan_shared::model::{CredentialId, RegistryId, RegistryUrl};
use portolan_shared::process::{Clock, Rng, Uptime};
use portolan_shared::secret::sealed::{
    CredentialBinding, CredentialSecret, OpenError, Recipient, SealedForOne, open, rewrap,
};

use super::reach::Reach;
use crate::keyring::{Keyring, SealingKeys};

/// How long the plain text stays in memory without being asked for.
pub(super) const IDLE: Duration = Duration::from_secs(15 * 60);
/// Clients of one job that are told when they must not keep the login any more: a job has one, the doctor a few.
const HOLDERS: usize = 16;

const WITHDRAWN: CredentialError = CredentialError::Sealed("was withdrawn");
const ENDED: CredentialError = CredentialError::Sealed("has ended");
const CLOSED: CredentialError = CredentialError::Sealed("cannot be opened any more");

/// A sealed credential for as long as a job holds it. Opened when it is asked for; dropping it wipes what was opened.
pub struct SealedLogin {
    pub(super) keyring: Arc<Keyring>,
    pub(super) clock: Arc<dyn Clock>,
    registry: (RegistryId, RegistryUrl),
    state: Mutex<State>,
    holders: Mutex<Vec<Weak<dyn LoginHolder>>>,
}

struct State {
    /// What it is bound to, also after it was withdrawn: then still nobody else may be asked.
    binding: Arc<CredentialBinding>,
    /// Narrower with each version that was ever held.
    reach: Arc<Reach>,
    /// `None` once it was withdrawn.
    sealed: Option<SealedForOne>,
    opened: Option<Opened>,
    /// A version that was never used before in this process.
    is_new: bool,
}

struct Opened {
    login: Arc<Credential>,
    used: Uptime,
}

/// A login as a registry client takes it.
pub(super) fn login_of(secret: &CredentialSecret) -> Credential {
    Credential::Login {
        username: secret.username().expose().to_owned(),
        secret: secret.password().clone(),
    }
}

/// Opens it with whichever of this sensor's keys it was sealed to.
pub(super) fn open_with(keyring: &Keyring, sealed: &SealedForOne) -> Result<CredentialSecret, OpenError> {
    let keys = keyring.sealing_keys();
    let pair = keys
        .as_ref()
        .and_then(|keys| keys.pair(sealed.wrap.sealing_key()));
    if sealed.wrap.recipient() != keyring.sensor() {
        return Err(OpenError::Recipient {
            credential: sealed.binding.credential,
            recipient: sealed.wrap.recipient(),
        });
    }
    let pair = pair.ok_or(OpenError::SealingKey(sealed.binding.credential))?;
    open(
        &sealed.binding,
        &sealed.payload,
        &sealed.wrap,
        keyring.sensor(),
        pair,
    )
}

impl SealedLogin {
    pub(super) fn new(
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        registry: (RegistryId, RegistryUrl),
        sealed: SealedForOne,
        secret: &CredentialSecret,
        is_new: bool,
    ) -> Self {
        let opened = Opened {
            login: Arc::new(login_of(secret)),
            used: clock.uptime(),
        };
        Self {
            keyring,
            clock,
            registry,
            state: Mutex::new(State {
                reach: Arc::new(Reach::of(&sealed.binding)),
                binding: Arc::new(sealed.binding.clone()),
                sealed: Some(sealed),
                opened: Some(opened),
                is_new,
            }),
            holders: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of which registry.
    #[must_use]
    pub fn registry(&self) -> &RegistryUrl {
        &self.registry.1
    }

    pub(super) fn registry_id(&self) -> RegistryId {
        self.registry.0
    }

    /// What it is bound to.
    #[must_use]
    pub fn binding(&self) -> Arc<CredentialBinding> {
        Arc::clone(&self.state().binding)
    }

    /// Where the requests of its job may go.
    pub(super) fn reach(&self) -> Arc<Reach> {
        Arc::clone(&self.state().reach)
    }

    pub(super) fn credential(&self) -> CredentialId {
        self.state().binding.credential
    }

    /// Whether the plain text is in memory.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state().opened.is_some()
    }

    /// The login, opened if it is not. The second is true once for a version that is new here.
    pub(super) fn get(&self) -> Result<(Arc<Credential>, bool), CredentialError> {
        let mut state = self.state();
        let ends = state.binding.expires_at;
        if ends.is_some_and(|ends| self.clock.now() >= ends.timestamp()) {
            drop(state);
            self.close();
            return Err(ENDED);
        }
        let now = self.clock.uptime();
        let State {
            sealed,
            opened,
            is_new,
            ..
        } = &mut *state;
        let sealed = sealed.as_ref().ok_or(WITHDRAWN)?;
        let opened = match opened {
            Some(opened) => opened,
            none => {
                let secret = open_with(&self.keyring, sealed).map_err(|error| {
                    tracing::error!(%error, "a sealed credential cannot be opened again");
                    CLOSED
                })?;
                none.insert(Opened {
                    login: Arc::new(login_of(&secret)),
                    used: now,
                })
            }
        };
        opened.used = now;
        Ok((Arc::clone(&opened.login), std::mem::take(is_new)))
    }

    /// Remembers, for ever, that the version in use has authenticated: no older one is taken any more.
    pub(super) fn authenticated(&self, login: &Credential) {
        let (credential, version) = {
            let state = self.state();
            // An answer to a former version may come late.
            let is_current = state
                .opened
                .as_ref()
                .is_some_and(|opened| *opened.login == *login);
            if !is_current {
                return;
            }
            (state.binding.credential, state.binding.version)
        };
        if let Err(error) = self.keyring.raise_version_floor(credential, version) {
            tracing::error!(%error, %credential, version, "it will not be remembered after a restart that this version has worked");
        }
    }

    pub(super) fn held_by(&self, holder: Weak<dyn LoginHolder>) {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        holders.retain(|holder| holder.strong_count() > 0);
        let surplus = (holders.len() + 1).saturating_sub(HOLDERS);
        holders.drain(..surplus).for_each(|holder| drop_at(&holder));
        holders.push(holder);
    }

    /// Has everybody drop what is kept of the login.
    fn drop_kept(&self) {
        let holders = self
            .holders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        holders.iter().for_each(drop_at);
    }

    /// Wipes the plain text; it is opened again when it is asked for.
    pub(super) fn close(&self) {
        self.state().opened = None;
        self.drop_kept();
    }

    /// Wipes plain text and ciphertext.
    pub(super) fn withdraw(&self) {
        {
            let mut state = self.state();
            (state.sealed, state.opened) = (None, None);
        }
        self.drop_kept();
    }

    /// Wipes the plain text if nobody has asked for it for long.
    pub(super) fn look(&self, now: Uptime) {
        let idle = {
            let state = self.state();
            state
                .opened
                .as_ref()
                .is_some_and(|opened| now.since(opened.used) >= IDLE)
        };
        if idle {
            self.close();
        }
    }

    /// Another version, or the same again: used from the next request on.
    pub(super) fn replace(&self, sealed: SealedForOne, secret: &CredentialSecret, is_new: bool) {
        {
            let mut state = self.state();
            let same = state
                .sealed
                .as_ref()
                .is_some_and(|held| held.binding == sealed.binding);
            let login = login_of(secret);
            let unchanged = same && state.opened.as_ref().is_some_and(|opened| *opened.login == login);
            let reach = state.reach.within(&sealed.binding);
            if reach != *state.reach {
                tracing::info!(
                    "the versions of a sealed credential are bound to different hosts: until the job ends only those of all count"
                );
                state.reach = Arc::new(reach);
            }
            state.binding = Arc::new(sealed.binding.clone());
            state.sealed = Some(sealed);
            if unchanged {
                return;
            }
            state.is_new |= is_new;
            state.opened = Some(Opened {
                login: Arc::new(login),
                used: self.clock.uptime(),
            });
        }
        self.drop_kept();
    }

    /// The held ciphertext for the latest sealing key, before the former ones are deleted.
    pub(super) fn move_to(&self, keys: &SealingKeys, rng: &dyn Rng) {
        let mut state = self.state();
        let latest = &keys.latest().pair;
        let Some(held) = state
            .sealed
            .as_mut()
            .filter(|held| held.wrap.sealing_key() != latest.id())
        else {
            return;
        };
        let Some(pair) = keys.pair(held.wrap.sealing_key()) else {
            return;
        };
        let me = self.keyring.sensor();
        let to = Recipient::own(me, latest);
        match rewrap(&held.binding, &held.payload, &held.wrap, me, pair, &to, rng) {
            Ok(wrap) => held.wrap = wrap,
            Err(error) => tracing::warn!(%error, "a credential that is in use was not sealed again"),
        }
    }
}

fn drop_at(holder: &Weak<dyn LoginHolder>) {
    if let Some(holder) = holder.upgrade() {
        holder.drop_logins();
    }
}

impl std::fmt::Debug for SealedLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedLogin")
            .field("credential", &self.credential())
            .finish_non_exhaustive()
    }
}
