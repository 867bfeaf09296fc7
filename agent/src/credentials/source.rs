//! A sealed login as the registry client of a job asks for it.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use portolan_registry::{
    Credential, CredentialError, Credentials, FiledLogin, LoginHolder, Logins, RefusedLogins,
};

use super::login::SealedLogin;

/// Gives the version that is held now.
pub struct SealedSource {
    login: Arc<SealedLogin>,
    refused: Arc<RefusedLogins>,
    /// Whether it counts that a version has authenticated.
    counts: bool,
}

impl SealedSource {
    /// For a sync: what has authenticated there is the lowest version that is taken from then on.
    #[must_use]
    pub fn of_sync(login: Arc<SealedLogin>, refused: Arc<RefusedLogins>) -> Self {
        Self {
            login,
            refused,
            counts: true,
        }
    }

    /// For a probe, which tries and changes nothing.
    #[must_use]
    pub fn of_probe(login: Arc<SealedLogin>, refused: Arc<RefusedLogins>) -> Self {
        Self {
            login,
            refused,
            counts: false,
        }
    }
}

#[async_trait]
impl Credentials for SealedSource {
    async fn current(&self) -> Result<Option<Credential>, CredentialError> {
        let (login, _) = self.login.get()?;
        Ok(Some(Credential::clone(&login)))
    }

    async fn logins(&self) -> Result<Logins, CredentialError> {
        let (credential, is_new) = self.login.get()?;
        if is_new {
            // Entered again: what the registry said of the same login before does not hold any more.
            let registry = self.login.registry().authority();
            self.refused.forget_login(&registry, &credential);
        }
        Ok(Logins::new(vec![FiledLogin {
            path: String::new(),
            entry: None,
            credential,
        }]))
    }

    fn accepted(&self, login: &Credential) {
        if self.counts {
            self.login.authenticated(login);
        }
    }

    fn kept_by(&self, holder: Weak<dyn LoginHolder>) {
        self.login.held_by(holder);
    }
}
