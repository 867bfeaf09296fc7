//! Logins that were refused. They are not tried again until they change: products lock accounts, and ban addresses, that keep trying.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use portolan_shared::process::Uptime;

use super::credential::Credential;
use crate::api::ErrorCode;
use crate::error::Fault;

/// Refusals that are remembered. None is forgotten for another one: at the bound only those logins are sent that were accepted before.
const REFUSALS: usize = 256;
/// The same of one registry: at this bound it is the only one that is affected.
const OF_REGISTRY: usize = 64;
/// Refusals in a row of logins that one program made up, each another one: it is believed no more.
const IN_A_ROW: usize = 3;
/// How long a refusal is remembered: the login is tried once more then, for it may have been put right without being changed.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
/// Accepted logins that are remembered; the one that was accepted first is forgotten beyond, and held back as if it were unknown.
const ACCEPTED: usize = 256;

/// Remembers which logins were refused, over the lives of clients: one for a whole process. A login that changes is another one, and is
/// tried. No login is kept, only a hash of it under a key that is drawn anew by every process.
///
/// At most 256 refusals are remembered, 64 of one registry, for 24 hours each. When there are as many, a login that has not been accepted
/// before fails as [`Fault::LoginHeldBack`] and is not sent: nobody can make the memory forget a refusal by causing others, and no registry
/// can have the logins of others held back by refusing its own. A program that answers with another login each time is held back after
/// three refusals in a row, until its reference changes or a day has passed: no login of it is ever the same that was refused.
#[derive(Debug, Default)]
pub struct RefusedLogins {
    hasher: RandomState,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    refusals: Vec<Entry>,
    accepted: Vec<Known>,
    /// What was refused when there was no room for it. No more than there is room for within two days.
    over: Vec<Over>,
}

/// A refusal came when there was no room for it: unknown logins are held back.
#[derive(Debug)]
struct Over {
    /// At this registry; at all if none.
    registry: Option<String>,
    until: Uptime,
}

#[derive(Debug)]
struct Entry {
    known: Known,
    refusal: Refusal,
    /// Which program made it up, as long as nothing of that program was accepted since.
    maker: Option<u64>,
    ends_at: Uptime,
}

/// A login at one place of a registry.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    registry: String,
    login: u64,
}

/// How a login was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) host: String,
    pub(super) status: StatusCode,
    pub(super) code: Option<ErrorCode>,
    pub(super) json: bool,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let Refusal {
            host,
            status,
            code,
            json,
        } = refusal;
        Self::LoginRefused {
            host,
            status,
            code,
            json,
        }
    }
}

/// Where a login is used: refused in one place, it may be good in the other.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) enum Place<'a> {
    /// The registry and its token service.
    Registry,
    /// The product's own API at this `HOST:PORT`.
    Api(&'a str),
}

impl Memory {
    fn forget_old(&mut self, now: Uptime) {
        self.refusals.retain(|entry| now < entry.ends_at);
        self.over.retain(|over| now < over.until);
    }

    fn of<'a>(&'a self, registry: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.refusals
            .iter()
            .filter(move |entry| entry.known.registry == registry)
    }

    /// Whether a login that nothing is known of must not be sent.
    fn holds_back(&self, registry: &str, maker: Option<u64>) -> bool {
        let is_over = |over: &Over| over.registry.as_ref().is_none_or(|full| full == registry);
        let in_a_row = || self.of(registry).filter(|entry| entry.maker == maker).count();
        self.refusals.len() >= REFUSALS
            || self.of(registry).count() >= OF_REGISTRY
            || self.over.iter().any(is_over)
            || maker.is_some() && in_a_row() >= IN_A_ROW
    }
}

impl RefusedLogins {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, registry: &str, place: Place<'_>, login: &Credential) -> Known {
        let mut hasher = self.hasher.build_hasher();
        place.hash(&mut hasher);
        std::mem::discriminant(login).hash(&mut hasher);
        match login {
            Credential::Login { username, secret } => {
                username.hash(&mut hasher);
                secret.expose().hash(&mut hasher);
            }
            Credential::IdentityToken(secret) | Credential::RegistryToken(secret) => {
                secret.expose().hash(&mut hasher);
            }
        }
        Known {
            registry: registry.to_owned(),
            login: hasher.finish(),
        }
    }

    /// A program that makes up logins, at one place.
    fn maker(&self, place: Place<'_>, program: Option<&str>) -> Option<u64> {
        program.map(|program| self.hasher.hash_one((place, program)))
    }

    /// Whether this login may be sent: an error says that, and how, it was refused before, or that it is held back. `program`: what made it
    /// up, as [`Credentials::program`](super::credential::Credentials::program) has it.
    pub(super) fn check(
        &self,
        registry: &str,
        place: Place<'_>,
        login: &Credential,
        program: Option<&str>,
        now: Uptime,
    ) -> Result<(), Fault> {
        let mut memory = self.lock();
        memory.forget_old(now);
        if memory.refusals.is_empty() && memory.over.is_empty() {
            return Ok(());
        }
        let known = self.known(registry, place, login);
        match memory.refusals.iter().find(|entry| entry.known == known) {
            Some(entry) => Err(entry.refusal.clone().into()),
            None if memory.accepted.contains(&known) => Ok(()),
            None if memory.holds_back(registry, self.maker(place, program)) => Err(Fault::LoginHeldBack),
            None => Ok(()),
        }
    }

    /// Remembers that this login was refused.
    pub(super) fn remember(
        &self,
        registry: &str,
        place: Place<'_>,
        login: &Credential,
        program: Option<&str>,
        refusal: Refusal,
        now: Uptime,
    ) {
        let known = self.known(registry, place, login);
        let ends_at = Uptime(now.0 + REMEMBERED);
        let mut memory = self.lock();
        memory.forget_old(now);
        memory.accepted.retain(|accepted| *accepted != known);
        memory.refusals.retain(|entry| entry.known != known);
        let full = match memory.refusals.len() >= REFUSALS {
            true => Some(None),
            false => (memory.of(registry).count() >= OF_REGISTRY).then(|| Some(registry.to_owned())),
        };
        if let Some(registry) = full {
            // Several were on their way at once. That this one is not known by name makes it no better.
            memory.over.retain(|over| over.registry != registry);
            memory.over.push(Over {
                registry,
                until: ends_at,
            });
            return;
        }
        memory.refusals.push(Entry {
            known,
            refusal,
            maker: self.maker(place, program),
            ends_at,
        });
    }

    /// Remembers that this login was accepted: it is sent whatever becomes of others.
    pub(super) fn accept(&self, registry: &str, place: Place<'_>, login: &Credential, program: Option<&str>) {
        let known = self.known(registry, place, login);
        let maker = self.maker(place, program);
        let mut memory = self.lock();
        // The row of its refusals is broken.
        let row = memory.refusals.iter_mut();
        row.filter(|entry| maker.is_some() && entry.maker == maker && entry.known.registry == registry)
            .for_each(|entry| entry.maker = None);
        if memory.accepted.contains(&known) {
            return;
        }
        if memory.accepted.len() >= ACCEPTED {
            memory.accepted.remove(0);
        }
        memory.accepted.push(known);
    }

    /// Forgets that `HOST:PORT` refused this one login, for somebody has entered it anew. What an API of the product said of it stands.
    pub fn forget_login(&self, registry: &str, login: &Credential) {
        let known = self.known(registry, Place::Registry, login);
        self.lock().refusals.retain(|entry| entry.known != known);
    }

    /// Forgets what `HOST:PORT` refused, for whoever has reason to believe that its logins are good again.
    pub fn forget(&self, registry: &str) {
        let mut memory = self.lock();
        memory.refusals.retain(|entry| entry.known.registry != registry);
        memory
            .over
            .retain(|over| over.registry.as_deref() != Some(registry));
    }
}

#[cfg(test)]
#[path = "refused_tests.rs"]
mod tests;
