//! Logins.

use std::path::PathBuf;
use std::sync::{Arc, Weak};

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

    /// The logins, where repositories have some of their own; called in place of [`Credentials::current`].
    async fn logins(&self) -> Result<Logins, CredentialError> {
        let current = self.current().await?;
        Ok(current.map_or_else(Logins::default, Logins::one))
    }

    /// Which program made up the logins that were found last, in words that change with its reference; `None` for those that somebody has
    /// written down. What a program answers may be another login each time, so that its being refused says nothing of the next.
    fn program(&self) -> Option<String> {
        None
    }

    /// This login was refused just now: what was kept of it is to be found anew when it is asked for next.
    fn refused(&self, _login: &Credential) {}

    /// The registry, or its token service, let this login in just now.
    fn accepted(&self, _login: &Credential) {}

    /// Somebody keeps what is given out, and wants to be told when it must not be kept any more. Called once by each client.
    fn kept_by(&self, _holder: Weak<dyn LoginHolder>) {}
}

/// Keeps a login, and what was gained by it, while it is in use.
pub trait LoginHolder: Send + Sync {
    /// Drops all of it: the login is asked for again with the next request, and shown again where it is needed.
    fn drop_logins(&self);
}

/// The logins for one registry. Empty to ask as a stranger.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Logins(Vec<FiledLogin>);

/// A login and what it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct FiledLogin {
    /// For this repository and those below it; for the registry as such if empty.
    pub path: String,
    /// The name of the entry that it was found under, where a file has several.
    pub entry: Option<String>,
    /// The login.
    pub credential: Arc<Credential>,
}

impl Logins {
    /// One login for everything.
    #[must_use]
    pub fn one(credential: Credential) -> Self {
        Self(vec![FiledLogin {
            path: String::new(),
            entry: None,
            credential: Arc::new(credential),
        }])
    }

    /// Several logins; of those with the same path the first counts.
    #[must_use]
    pub fn new(mut logins: Vec<FiledLogin>) -> Self {
        // Stable, so that the order among paths of one length is the given one.
        logins.sort_by_key(|login| std::cmp::Reverse(login.path.len()));
        Self(logins)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The login for a repository, or for the registry as such: that with the longest path that the repository is at or below. Where none
    /// fits, that with the shortest path: a login that is for a part only is asked what else it may see, before a stranger is.
    #[must_use]
    pub fn choose(&self, repository: Option<&str>) -> Option<&FiledLogin> {
        self.0
            .iter()
            .find(|login| {
                login.path.is_empty()
                    || repository.is_some_and(|repository| is_below(repository, &login.path))
            })
            .or(self.0.last())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &FiledLogin> {
        self.0.iter()
    }
}

fn is_below(repository: &str, path: &str) -> bool {
    repository
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
#[derive(Debug, Clone, thiserror::Error)]
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
        problem: ProgramProblem,
    },
    /// systemd gave the process no credentials.
    #[error(
        "systemd gave this process no credentials (CREDENTIALS_DIRECTORY is not set): LoadCredential={0}:/PATH in the unit does"
    )]
    NoCredentialsDirectory(String),
    /// The policy has no command of this name.
    #[error("policy.toml has no [[command]] of the name {0}")]
    NoCommand(String),
    /// It was sealed, and is not to be had any more.
    #[error("the sealed credential {0}")]
    Sealed(&'static str),
    /// A command failed.
    #[error("the command {name} {problem}")]
    Command {
        /// Its name.
        name: String,
        /// In which way.
        problem: ProgramProblem,
    },
}

/// How a program that was asked for a login failed. What it said is never repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProgramProblem {
    /// Its name is none.
    #[error("has a name that is none")]
    Name,
    /// It is not there.
    #[error("is not in PATH")]
    NotFound,
    /// It cannot be started.
    #[error("cannot be started ({0})")]
    NotStarted(std::io::ErrorKind),
    /// Its answer cannot be read.
    #[error("cannot be read from ({0})")]
    Unreadable(std::io::ErrorKind),
    /// It said more than 64 KiB.
    #[error("answered too much")]
    TooMuch,
    /// It took longer than ten seconds.
    #[error("gave no answer in 10 s")]
    NoAnswer,
    /// It ended with an error.
    #[error(
        "failed ({}, {complaint_bytes} bytes on its standard error)",
        code.map_or_else(|| "killed by a signal".to_owned(), |code| format!("exit code {code}"))
    )]
    Failed {
        /// Its exit code; none if a signal ended it.
        code: Option<i32>,
        /// How much it complained. What it said is not repeated: there may be secrets in it.
        complaint_bytes: u64,
    },
    /// What it said is no login.
    #[error("answered something that is no login")]
    NoLogin,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filed(path: &str) -> FiledLogin {
        FiledLogin {
            path: path.to_owned(),
            entry: Some(format!("h/{path}")),
            credential: Arc::new(Credential::RegistryToken(Secret::new(path.to_owned()))),
        }
    }

    #[test]
    fn the_longest_path_wins_and_the_shortest_stands_in() {
        let logins = Logins::new(vec![filed("team"), filed(""), filed("team/app")]);
        let chosen =
            |logins: &Logins, name: Option<&str>| logins.choose(name).map(|login| login.path.clone());
        for (repository, path) in [
            (Some("team/app"), "team/app"),
            (Some("team/app/x"), "team/app"),
            (Some("team/application"), "team"),
            (Some("team"), "team"),
            (Some("teams/app"), ""),
            (None, ""),
        ] {
            assert_eq!(
                chosen(&logins, repository).as_deref(),
                Some(path),
                "{repository:?}"
            );
        }
        let parts = Logins::new(vec![filed("a/b"), filed("c")]);
        assert_eq!(chosen(&parts, None).as_deref(), Some("c"));
        assert_eq!(chosen(&parts, Some("a/b/d")).as_deref(), Some("a/b"));
        assert_eq!(chosen(&parts, Some("elsewhere")).as_deref(), Some("c"));
        assert_eq!(Logins::default().choose(Some("a")), None);
    }

    proptest! {
        #[test]
        fn a_chosen_path_is_the_longest_that_fits(
            paths in proptest::collection::btree_set("[ab](/[ab]){0,2}", 1..6),
            repository in "[ab](/[ab]){0,3}",
        ) {
            let logins = Logins::new(paths.iter().map(|path| filed(path)).chain([filed("")]).collect());
            let longest = paths
                .iter()
                .filter(|path| repository == **path || repository.starts_with(&format!("{path}/")))
                .max_by_key(|path| path.len());
            let chosen = logins.choose(Some(&repository)).unwrap();
            prop_assert_eq!(&chosen.path, longest.map_or("", |path| path.as_str()));
        }
    }
}
