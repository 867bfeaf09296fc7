//! Who may ask for tokens, and for what.

use portolan_shared::model::{RepositoryName, RepositoryPatterns};
use portolan_shared::secret::Secret;

/// A credential and its rights. A new one may read nothing.
#[derive(Debug, Clone)]
pub struct Account {
    pub(super) login: String,
    pub(super) secret: Secret,
    pub(super) reads: Option<RepositoryPatterns>,
    pub(super) catalog: bool,
    pub(super) pushes: bool,
    pub(super) registry_scope: bool,
    pub(super) deploy_token: bool,
}

impl Account {
    /// An account that may log in and read nothing.
    #[must_use]
    pub fn new(login: &str, secret: &str) -> Self {
        Self {
            login: login.to_owned(),
            secret: Secret::new(secret.to_owned()),
            reads: None,
            catalog: false,
            pushes: false,
            registry_scope: true,
            deploy_token: false,
        }
    }

    /// May read the repositories that match one of `globs`, whether or not they exist.
    ///
    /// # Panics
    /// When a glob is malformed.
    #[must_use]
    pub fn reads(mut self, globs: &[&str]) -> Self {
        let globs = globs.iter().map(|&glob| glob.to_owned()).collect();
        self.reads = Some(RepositoryPatterns::new(globs).expect("the test's globs are well formed"));
        self
    }

    /// May read every repository.
    #[must_use]
    pub fn reads_everything(mut self) -> Self {
        self.reads = Some(RepositoryPatterns::all());
        self
    }

    /// May read everything, and the catalog too, as GitLab's instance administrators.
    #[must_use]
    pub fn administrator(mut self) -> Self {
        self.catalog = true;
        self.reads_everything()
    }

    /// May also push what it may read: for tests that change a real registry from outside.
    #[must_use]
    pub fn pushes(mut self) -> Self {
        self.pushes = true;
        self
    }

    /// Is valid, but its token lacks every scope that has to do with registries (only `read_user`): 403.
    #[must_use]
    pub fn without_registry_scope(mut self) -> Self {
        self.registry_scope = false;
        self
    }

    /// Is a deploy token: its name must match exactly, and the tokens name no subject.
    #[must_use]
    pub fn deploy_token(mut self) -> Self {
        self.deploy_token = true;
        self
    }

    pub(super) fn may_read(&self, repository: &RepositoryName) -> bool {
        self.reads.as_ref().is_some_and(|globs| globs.matches(repository))
    }
}
