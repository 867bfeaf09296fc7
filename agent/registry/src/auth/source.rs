//! From a credential reference to the login that is valid now.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use portolan_shared::model::{CredentialReference, RegistryUrl};
use portolan_shared::process::{Clock, Uptime};
use portolan_shared::secret::Secret;
use tokio::io::AsyncReadExt as _;

use super::credential::{Credential, CredentialError, Credentials};
use super::docker_config::{DockerConfig, Found, usual_places};
use super::helper;

/// Bytes of a credential file: refused above.
const FILE_BYTES: u64 = 16 * 1024;
/// Bytes of a docker configuration: refused above.
pub(super) const CONFIG_BYTES: u64 = 64 * 1024;
/// How long what a helper said is kept.
const HELPER_KEEPS: Duration = Duration::from_secs(300);

/// The environment variables, as the process was given them. Passed in, because the environment is read once, at the start.
#[derive(Clone, Default)]
pub struct Environment(Arc<BTreeMap<String, String>>);

impl Environment {
    /// Takes the variables, for instance those of `std::env::vars`.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(Arc::new(variables.into_iter().collect()))
    }

    /// The value of a variable, unless it is empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Environment {
    /// Names only: values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Resolves a [`CredentialReference`]. A file is read again when it changes; what a credential helper says is kept for five minutes.
pub struct CredentialSource {
    reference: CredentialReference,
    registry: RegistryUrl,
    environment: Environment,
    clock: Arc<dyn Clock>,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    stamp: Stamp,
    credential: Credential,
    until: Option<Uptime>,
}

/// Changes when a file does.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    modified: (i64, i64),
    changed: (i64, i64),
    length: u64,
    inode: u64,
}

impl CredentialSource {
    /// A source for one registry.
    #[must_use]
    pub fn new(
        reference: CredentialReference,
        registry: RegistryUrl,
        environment: Environment,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            reference,
            registry,
            environment,
            clock,
            kept: Mutex::default(),
        }
    }

    fn kept(&self, stamp: &Stamp) -> Option<Credential> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref().filter(|kept| kept.stamp == *stamp)?;
        let fresh = kept.until.is_none_or(|until| self.clock.uptime() < until);
        fresh.then(|| kept.credential.clone())
    }

    fn keep(&self, stamp: Stamp, credential: &Credential, until: Option<Uptime>) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept {
            stamp,
            credential: credential.clone(),
            until,
        });
    }

    async fn read_file(&self, path: &Path) -> Result<Credential, CredentialError> {
        let stamp = stamp(path).await?;
        if let Some(kept) = self.kept(&stamp) {
            return Ok(kept);
        }
        let text = read(path, FILE_BYTES).await?;
        let credential = one_line(&text).map_err(|problem| CredentialError::Form {
            path: path.to_owned(),
            problem,
        })?;
        self.keep(stamp, &credential, None);
        Ok(credential)
    }

    fn read_environment(&self, prefix: &str) -> Result<Credential, CredentialError> {
        let read = |suffix: &str| {
            let name = format!("{prefix}_{suffix}");
            match self.environment.get(&name) {
                Some(value) => Ok(value.to_owned()),
                None => Err(CredentialError::NoVariable(name)),
            }
        };
        Ok(Credential::Login {
            username: read("USERNAME")?,
            secret: Secret::new(read("SECRET")?),
        })
    }

    async fn read_docker_config(&self, path: Option<&str>) -> Result<Credential, CredentialError> {
        let places = match path {
            Some(path) => vec![PathBuf::from(path)],
            None => usual_places(&self.environment),
        };
        let single = places.len() == 1;
        let mut last = None;
        for place in places {
            match self.read_one_config(&place).await {
                Ok(credential) => return Ok(credential),
                // The next place may have it.
                Err(error @ CredentialError::NoEntry { .. }) => last = Some(error),
                Err(error @ CredentialError::NoFile(_)) if single => return Err(error),
                Err(CredentialError::NoFile(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or(CredentialError::NoConfig))
    }

    async fn read_one_config(&self, path: &Path) -> Result<Credential, CredentialError> {
        let stamp = stamp(path).await?;
        if let Some(kept) = self.kept(&stamp) {
            return Ok(kept);
        }
        let text = read(path, CONFIG_BYTES).await?;
        let config = DockerConfig::read(text.as_bytes()).map_err(|problem| CredentialError::Form {
            path: path.to_owned(),
            problem,
        })?;
        let no_entry = || CredentialError::NoEntry {
            path: path.to_owned(),
            host: self.registry.reference_host(),
        };
        let (credential, until) = match config.find(&self.registry) {
            Ok(Found::Entry(credential)) => (credential, None),
            Ok(Found::Helper { name, server }) => {
                let said = helper::ask(&name, &server, &self.environment).await?;
                let until = Uptime(self.clock.uptime().0 + HELPER_KEEPS);
                (said.ok_or_else(no_entry)?, Some(until))
            }
            Ok(Found::Nothing) => return Err(no_entry()),
            Err(problem) => {
                return Err(CredentialError::Form {
                    path: path.to_owned(),
                    problem,
                });
            }
        };
        self.keep(stamp, &credential, until);
        Ok(credential)
    }
}

#[async_trait]
impl Credentials for CredentialSource {
    async fn current(&self) -> Result<Option<Credential>, CredentialError> {
        let found = match &self.reference {
            CredentialReference::File(path) => self.read_file(Path::new(path)).await,
            CredentialReference::Environment(prefix) => self.read_environment(prefix),
            CredentialReference::DockerConfig(path) => self.read_docker_config(path.as_deref()).await,
        };
        // The one place that says what exactly was wrong: what is recorded of it goes to the control plane, which named the reference.
        found
            .inspect_err(|error| tracing::warn!(%error, reference = %self.reference, "no credential"))
            .map(Some)
    }
}

async fn stamp(path: &Path) -> Result<Stamp, CredentialError> {
    let metadata = tokio::fs::metadata(path)
        .await
        .map_err(|error| refused(path, &error))?;
    must_be_regular(path, &metadata)?;
    Ok(Stamp {
        path: path.to_owned(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        length: metadata.len(),
        inode: metadata.ino(),
    })
}

async fn read(path: &Path, bound: u64) -> Result<String, CredentialError> {
    let file = tokio::fs::OpenOptions::new()
        .read(true)
        // Opening a pipe or a device must not wait for anybody.
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .await
        .map_err(|error| refused(path, &error))?;
    let metadata = file.metadata().await.map_err(|error| refused(path, &error))?;
    must_be_regular(path, &metadata)?;
    let form = |problem| CredentialError::Form {
        path: path.to_owned(),
        problem,
    };
    let mut content = Vec::new();
    file.take(bound + 1)
        .read_to_end(&mut content)
        .await
        .map_err(|error| refused(path, &error))?;
    if content.len() as u64 > bound {
        return Err(form("is too large"));
    }
    String::from_utf8(content).map_err(|_| form("is not text in UTF-8"))
}

/// Reading from pipes and devices has effects, and no end. Links are followed: that is how orchestrators mount secrets.
fn must_be_regular(path: &Path, metadata: &std::fs::Metadata) -> Result<(), CredentialError> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(CredentialError::Form {
            path: path.to_owned(),
            problem: "is not a regular file",
        })
    }
}

fn refused(path: &Path, error: &std::io::Error) -> CredentialError {
    if error.kind() == std::io::ErrorKind::NotFound {
        CredentialError::NoFile(path.to_owned())
    } else {
        CredentialError::Unreadable {
            path: path.to_owned(),
            kind: error.kind(),
        }
    }
}

/// Reads `username:secret`, with or without an end of line.
fn one_line(text: &str) -> Result<Credential, &'static str> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let line = lines
        .next()
        .ok_or("is empty: expected one line, username:secret")?;
    if lines.next().is_some() {
        return Err("has more than one line: expected username:secret");
    }
    let (username, secret) = line
        .trim()
        .split_once(':')
        .ok_or("has no colon: expected one line, username:secret")?;
    if username.is_empty() || secret.is_empty() {
        return Err("lacks the user name or the secret: expected one line, username:secret");
    }
    Ok(Credential::Login {
        username: username.to_owned(),
        secret: Secret::new(secret.to_owned()),
    })
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
