//! From a credential reference to the logins that are valid now.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use portolan_shared::model::{Commands, CredentialReference, RegistryUrl};
use portolan_shared::process::{Clock, Uptime};

use super::command;
use super::docker_config::{CONFIG_BYTES, DockerConfig, Found, usual_places};
use super::environment::Environment;
use super::file::{self, Stamp, form, read, stamp};
use super::helper;
use super::kubernetes::{self, Mounted};
use crate::auth::credential::{Credential, CredentialError, Credentials, FiledLogin, Logins};

/// How long what a program said, or a file that seems unchanged, is kept.
const KEEPS: Duration = Duration::from_secs(300);
/// How long it is kept that a program failed: it is not started for every request that waits for it.
const FAILURE_KEEPS: Duration = Duration::from_secs(30);

/// Resolves a [`CredentialReference`]. Files are read again when they change, and after five minutes in any case; what a program says is
/// kept for five minutes, or until it is refused.
pub struct CredentialSource {
    reference: CredentialReference,
    registry: RegistryUrl,
    environment: Environment,
    commands: Commands,
    clock: Arc<dyn Clock>,
    kept: Mutex<Option<Kept>>,
    /// What answered with the logins that were read last, if a program did.
    program: Mutex<Option<String>>,
    /// One program at a time: others wait for what it says.
    asking: tokio::sync::Mutex<()>,
}

struct Kept {
    /// Of the files it was found in; none for what a program said by itself.
    stamps: Vec<Stamp>,
    found: Result<Logins, CredentialError>,
    until: Uptime,
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
            commands: Commands::default(),
            clock,
            kept: Mutex::default(),
            program: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// The same with these commands for references of the form `command:NAME`.
    #[must_use]
    pub fn with_commands(self, commands: Commands) -> Self {
        Self { commands, ..self }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self, stamps: &[Stamp]) -> Option<Result<Logins, CredentialError>> {
        let kept = self.lock();
        let kept = kept.as_ref().filter(|kept| kept.stamps == stamps)?;
        (self.clock.uptime() < kept.until).then(|| kept.found.clone())
    }

    fn keep(&self, stamps: Vec<Stamp>, found: &Result<Logins, CredentialError>) {
        let keeps = if found.is_ok() { KEEPS } else { FAILURE_KEEPS };
        *self.lock() = Some(Kept {
            stamps,
            found: found.clone(),
            until: Uptime(self.clock.uptime().0 + keeps),
        });
    }

    /// Keeps what was found, or that a program failed; other faults are of files, which say themselves when they have changed.
    fn keep_if_told(&self, stamps: Vec<Stamp>, found: &Result<Logins, CredentialError>) {
        if matches!(found, Ok(_) | Err(CredentialError::Helper { .. })) {
            self.keep(stamps, found);
        }
    }

    fn answered_by(&self, program: Option<String>) {
        *self.program.lock().unwrap_or_else(PoisonError::into_inner) = program;
    }

    async fn read_file(&self, path: &Path) -> Result<Logins, CredentialError> {
        let stamps = vec![stamp(path).await?];
        if let Some(kept) = self.kept(&stamps) {
            return kept;
        }
        let found = Logins::one(file::login(path).await?);
        self.keep(stamps, &Ok(found.clone()));
        Ok(found)
    }

    async fn read_systemd(&self, name: &str) -> Result<Logins, CredentialError> {
        let folder = self.environment.get("CREDENTIALS_DIRECTORY");
        let folder = folder.ok_or_else(|| CredentialError::NoCredentialsDirectory(name.to_owned()))?;
        // A name has no slash and does not begin with a dot.
        self.read_file(&Path::new(folder).join(name)).await
    }

    async fn read_mount(&self, folder: &Path) -> Result<Logins, CredentialError> {
        let mut tries = 1;
        loop {
            let (mounted, stamps) = kubernetes::look(folder).await?;
            if let Some(kept) = self.kept(&stamps) {
                return kept;
            }
            let _one_at_a_time = self.asking.lock().await;
            if let Some(kept) = self.kept(&stamps) {
                return kept;
            }
            let found = match mounted {
                Mounted::Login { username, password } => {
                    kubernetes::login(&username, &password).await.map(Logins::one)
                }
                Mounted::DockerConfig(path) => self.read_config(&path).await,
            };
            let now = kubernetes::look(folder).await;
            if now.is_ok_and(|(_, now)| now == stamps) {
                self.keep_if_told(stamps, &found);
                return found;
            }
            // It was changed meanwhile: the parts may be of two versions.
            if tries == kubernetes::TRIES {
                return Err(form(folder, "changes each time it is read"));
            }
            tries += 1;
        }
    }

    async fn ask_command(&self, name: &str) -> Result<Logins, CredentialError> {
        let _one_at_a_time = self.asking.lock().await;
        if let Some(kept) = self.kept(&[]) {
            return kept;
        }
        // Whoever mends the command has another one.
        self.answered_by(Some(format!("{:?}", self.commands.get(name))));
        let found = command::ask(name, &self.commands, &self.environment)
            .await
            .map(Logins::one);
        self.keep(Vec::new(), &found);
        found
    }

    async fn read_docker_config(&self, path: Option<&str>) -> Result<Logins, CredentialError> {
        let places = match path {
            Some(path) => vec![PathBuf::from(path)],
            None => usual_places(&self.environment),
        };
        let single = places.len() == 1;
        let mut last = None;
        for place in places {
            match self.read_one_config(&place).await {
                Ok(found) => return Ok(found),
                // The next place may have it.
                Err(error @ CredentialError::NoEntry { .. }) => last = Some(error),
                Err(error @ CredentialError::NoFile(_)) if single => return Err(error),
                Err(CredentialError::NoFile(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or(CredentialError::NoConfig))
    }

    async fn read_one_config(&self, path: &Path) -> Result<Logins, CredentialError> {
        let stamps = vec![stamp(path).await?];
        if let Some(kept) = self.kept(&stamps) {
            return kept;
        }
        let _one_at_a_time = self.asking.lock().await;
        if let Some(kept) = self.kept(&stamps) {
            return kept;
        }
        let found = self.read_config(path).await;
        self.keep_if_told(stamps, &found);
        found
    }

    /// The logins that a docker configuration has for the registry, or knows whom to ask for.
    async fn read_config(&self, path: &Path) -> Result<Logins, CredentialError> {
        let text = read(path, CONFIG_BYTES).await?;
        let config = DockerConfig::read(text.as_bytes()).map_err(|problem| form(path, problem))?;
        let filed = config
            .find(&self.registry)
            .map_err(|problem| form(path, problem))?;
        let mut logins = Vec::with_capacity(filed.len());
        let mut program = None;
        for entry in filed {
            let credential = match entry.found {
                Found::Entry(credential) => Some(credential),
                Found::Helper { name, server } => {
                    let credential = helper::ask(&name, &server, &self.environment).await?;
                    program = Some(name);
                    credential
                }
            };
            logins.extend(credential.map(|credential| FiledLogin {
                path: entry.path,
                entry: Some(entry.key),
                credential: Arc::new(credential),
            }));
        }
        self.answered_by(program);
        if logins.is_empty() {
            return Err(CredentialError::NoEntry {
                path: path.to_owned(),
                host: self.registry.reference_host(),
            });
        }
        Ok(Logins::new(logins))
    }
}

#[async_trait]
impl Credentials for CredentialSource {
    async fn current(&self) -> Result<Option<Credential>, CredentialError> {
        let logins = self.logins().await?;
        Ok(logins
            .choose(None)
            .map(|login| Credential::clone(&login.credential)))
    }

    async fn logins(&self) -> Result<Logins, CredentialError> {
        let found = match &self.reference {
            CredentialReference::File(path) => self.read_file(Path::new(path)).await,
            CredentialReference::Environment(prefix) => self.environment.login(prefix).map(Logins::one),
            CredentialReference::DockerConfig(path) => self.read_docker_config(path.as_deref()).await,
            CredentialReference::Systemd(name) => self.read_systemd(name).await,
            CredentialReference::Kubernetes(folder) => self.read_mount(Path::new(folder)).await,
            CredentialReference::Command(name) => self.ask_command(name).await,
        };
        // The one place that says what exactly was wrong: what is recorded of it goes to the control plane, which named the reference.
        found.inspect_err(|error| tracing::warn!(%error, reference = %self.reference, "no credential"))
    }

    fn program(&self) -> Option<String> {
        let program = self.program.lock().unwrap_or_else(PoisonError::into_inner);
        program
            .as_ref()
            .map(|program| format!("{} {program}", self.reference))
    }

    fn refused(&self, login: &Credential) {
        let mut kept = self.lock();
        let has_it = kept.as_ref().is_some_and(|kept| {
            let logins = kept.found.as_ref().ok();
            logins.is_some_and(|logins| logins.iter().any(|filed| *filed.credential == *login))
        });
        if has_it {
            *kept = None;
        }
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
