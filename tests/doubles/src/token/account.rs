//! Who may ask for tokens, and for what.

use std::collections::BTreeSet;

use portolan_shared::model::{RepositoryName, RepositoryPatterns};
use portolan_shared::secret::Secret;

/// A credential and its rights. A new one may read nothing.
#[derive(Debug, Clone)]
pub struct Account {
    pub(super) login: String,
    pub(super) secret: Secret,
    pub(super) any_login: bool,
    pub(super) reads: Option<RepositoryPatterns>,
    pub(super) below: BTreeSet<String>,
    pub(super) catalog: bool,
    pub(super) pushes: bool,
    pub(super) registry_scope: bool,
    pub(super) auth_type: &'static str,
}

impl Account {
    /// An account that may log in and read nothing.
    #[must_use]
    pub fn new(login: &str, secret: &str) -> Self {
        Self {
            login: login.to_owned(),
            secret: Secret::new(secret.to_owned()),
            any_login: false,
            reads: None,
            below: BTreeSet::new(),
            catalog: false,
            pushes: false,
            registry_scope: true,
            auth_type: "personal_access_token",
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
    pub fn administrator(self) -> Self {
        self.catalog().reads_everything()
    }

    /// May list the catalog.
    #[must_use]
    pub fn catalog(mut self) -> Self {
        self.catalog = true;
        self
    }

    /// May also push and delete what it may read: for tests that change a real registry from outside.
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
        self.auth_type = "deploy_token";
        self
    }

    /// Proves itself in another way: what GitLab calls its `auth_type`, such as `build` for a job's token.
    #[must_use]
    pub fn auth_type(mut self, auth_type: &'static str) -> Self {
        self.auth_type = auth_type;
        self
    }

    /// Is known by its secret alone, whatever login comes with it, as GitLab's personal, project and group tokens are.
    #[must_use]
    pub fn any_login(mut self) -> Self {
        self.any_login = true;
        self
    }

    /// May read the repositories at and below these paths, whether or not they exist: any number of projects.
    #[must_use]
    pub fn reads_below(mut self, paths: impl IntoIterator<Item = String>) -> Self {
        self.below.extend(paths);
        self
    }

    pub(super) fn is_meant_by(&self, login: &str, secret: &str) -> bool {
        (self.any_login || self.login == login) && self.secret.expose() == secret
    }

    pub(super) fn may_read(&self, repository: &RepositoryName) -> bool {
        self.reads.as_ref().is_some_and(|globs| globs.matches(repository))
            || is_below(repository.as_str(), &self.below)
    }
}

/// Whether `repository` is one of `paths`, or below one.
pub(super) fn is_below(repository: &str, paths: &BTreeSet<String>) -> bool {
    let parents = repository.match_indices('/').map(|(at, _)| &repository[..at]);
    parents.chain([repository]).any(|path| paths.contains(path))
}
