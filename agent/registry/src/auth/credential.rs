//! Logins.

use std::path::PathBuf;

use async_trait::async_trait;
use portolan_shared::secret::Secret;

/// A login for a registry.
#[derive(Debug, Clone, PartialEq)]
pub enum Credential {
    /// User name and password (or access token in its place).
    Login {
        /// The user name.
        username: String,
        /// The password.
        secret: Secret,
    },
    /// A refresh token of the registry's token service (`identitytoken` in docker's configuration).
    IdentityToken(Secret),
    /// A token for the registry itself (`registrytoken` in docker's configuration), sent as it is.
    RegistryToken(Secret),
}

/// Gives the login that is valid now.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// The login; `None` to ask as a stranger. Called every few seconds while requests are made, so it keeps what is costly to find.
    async fn current(&self) -> Result<Option<Credential>, CredentialError>;
}

/// No login.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anonymous;

#[async_trait]
impl Credentials for Anonymous {
    async fn current(&self) -> Result<Option<Credential>, CredentialError> {
        Ok(None)
    }
}

/// A login that does not change.
#[async_trait]
impl Credentials for Credential {
    async fn current(&self) -> Result<Option<Credential>, CredentialError> {
        Ok(Some(self.clone()))
    }
}

/// A login could not be had. Never repeats what was found in its place.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A file is not there.
    #[error("{} does not exist", .0.display())]
    NoFile(PathBuf),
    /// A file cannot be read.
    #[error("{} cannot be read ({kind})", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        kind: std::io::ErrorKind,
    },
    /// A file does not hold what it should.
    #[error("{} {problem}", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An environment variable is not set, or empty.
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    /// The docker configuration knows no login for this registry.
    #[error("{} holds no login for {host}", path.display())]
    NoEntry {
        /// Which file.
        path: PathBuf,
        /// For which host.
        host: String,
    },
    /// No docker configuration at the usual places.
    #[error("no docker configuration was found at its usual places")]
    NoConfig,
    /// A credential helper failed.
    #[error("the credential helper docker-credential-{name} {problem}")]
    Helper {
        /// Which helper.
        name: String,
        /// In which way.
        problem: &'static str,
    },
}
