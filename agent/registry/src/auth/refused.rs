//! Logins that were refused. They are not tried again until they change: products lock accounts, and ban addresses, that keep trying.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::StatusCode;

use super::credential::Credential;
use crate::api::ErrorCode;
use crate::error::Fault;

/// Refusals that are remembered; the oldest is forgotten beyond.
const REFUSALS: usize = 256;

/// Remembers which logins were refused, over the lives of clients: one for a whole process. A login that changes is another one, and is
/// tried. No login is kept, only a hash of it under a key that is drawn anew by every process.
#[derive(Debug, Default)]
pub struct RefusedLogins {
    hasher: RandomState,
    refusals: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    registry: String,
    login: u64,
    refusal: Refusal,
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

impl RefusedLogins {
    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self, place: Place<'_>, login: &Credential) -> u64 {
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
        hasher.finish()
    }

    /// How this login was refused; `None` if it was not.
    pub(super) fn refusal(&self, registry: &str, place: Place<'_>, login: &Credential) -> Option<Refusal> {
        let entries = self.lock();
        if entries.is_empty() {
            return None;
        }
        let login = self.hash(place, login);
        entries
            .iter()
            .find(|entry| entry.login == login && entry.registry == registry)
            .map(|entry| entry.refusal.clone())
    }

    /// Remembers that this login was refused.
    pub(super) fn remember(&self, registry: &str, place: Place<'_>, login: &Credential, refusal: Refusal) {
        let login = self.hash(place, login);
        let mut entries = self.lock();
        entries.retain(|entry| !(entry.login == login && entry.registry == registry));
        if entries.len() >= REFUSALS {
            entries.remove(0);
        }
        entries.push(Entry {
            registry: registry.to_owned(),
            login,
            refusal,
        });
    }

    /// Forgets what `HOST:PORT` refused, for whoever has reason to believe that its logins are good again.
    pub fn forget(&self, registry: &str) {
        self.lock().retain(|entry| entry.registry != registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::secret::Secret;

    fn login(username: &str, secret: &str) -> Credential {
        Credential::Login {
            username: username.to_owned(),
            secret: Secret::new(secret.to_owned()),
        }
    }

    fn refusal() -> Refusal {
        Refusal {
            host: "h".to_owned(),
            status: StatusCode::UNAUTHORIZED,
            code: None,
            json: true,
        }
    }

    #[test]
    fn a_refusal_is_of_one_login_at_one_place_of_one_registry() {
        let logins = RefusedLogins::default();
        logins.remember("r:443", Place::Registry, &login("u", "hidden"), refusal());
        let known = |registry, place, login: &Credential| logins.refusal(registry, place, login).is_some();
        assert!(known("r:443", Place::Registry, &login("u", "hidden")));
        assert!(!known("r:443", Place::Registry, &login("u", "changed")));
        assert!(!known("r:443", Place::Registry, &login("uh", "idden")));
        assert!(!known("other:443", Place::Registry, &login("u", "hidden")));
        assert!(!known("r:443", Place::Api("r:443"), &login("u", "hidden")));
        let token = Credential::RegistryToken(Secret::new("hidden".to_owned()));
        assert!(!known("r:443", Place::Registry, &token));
        assert!(!format!("{logins:?}").contains("hidden"), "no secret is kept");
        logins.forget("r:443");
        assert!(!known("r:443", Place::Registry, &login("u", "hidden")));
    }

    #[test]
    fn the_oldest_is_forgotten_at_the_bound() {
        let logins = RefusedLogins::default();
        for index in 0..=REFUSALS {
            logins.remember(
                "r:443",
                Place::Registry,
                &login("u", &index.to_string()),
                refusal(),
            );
        }
        let known = |secret: usize| {
            logins
                .refusal("r:443", Place::Registry, &login("u", &secret.to_string()))
                .is_some()
        };
        assert!(!known(0) && known(1) && known(REFUSALS));
        assert_eq!(logins.lock().len(), REFUSALS);
    }
}
