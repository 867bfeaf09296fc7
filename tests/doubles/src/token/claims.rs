//! What a token says.

use portolan_shared::model::RepositoryName;
use serde::{Deserialize, Serialize};

use super::account::Account;

/// One entry of a token's access list, and one scope of a request (`type:name:actions`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// `repository` or `registry`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The repository, or `catalog`.
    pub name: String,
    /// What is allowed.
    pub actions: Vec<String>,
}

impl Access {
    /// Reading one repository.
    #[must_use]
    pub fn pull(repository: &str) -> Self {
        Self {
            kind: "repository".to_owned(),
            name: repository.to_owned(),
            actions: vec!["pull".to_owned()],
        }
    }

    /// Listing the catalog.
    #[must_use]
    pub fn catalog() -> Self {
        Self {
            kind: "registry".to_owned(),
            name: "catalog".to_owned(),
            actions: vec!["*".to_owned()],
        }
    }

    /// Reads a scope; none if it is not of the form `type:name:actions`. The name may itself contain colons.
    #[must_use]
    pub fn from_scope(scope: &str) -> Option<Self> {
        let (kind, rest) = scope.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        Some(Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            actions: actions.split(',').map(str::to_owned).collect(),
        })
    }

    /// As a scope.
    #[must_use]
    pub fn to_scope(&self) -> String {
        format!("{}:{}:{}", self.kind, self.name, self.actions.join(","))
    }

    /// Whether this grants all of `needed`.
    #[must_use]
    pub fn covers(&self, needed: &Self) -> bool {
        self.kind == needed.kind
            && self.name == needed.name
            && needed.actions.iter().all(|action| self.actions.contains(action))
    }

    /// What of this `account` may have (`None` is an anonymous caller, who may read what `public` matches); none if nothing.
    pub(super) fn granted(
        &self,
        account: Option<&Account>,
        public: impl Fn(&RepositoryName) -> bool,
    ) -> Option<Self> {
        let actions: Vec<String> = match self.kind.as_str() {
            "repository" => {
                let name = self.name.to_ascii_lowercase();
                // A wildcard is no repository: GitLab's path rule rejects it, for everyone.
                let name: RepositoryName = name.parse().ok().filter(|_| !name.contains('*'))?;
                let read = public(&name) || account.is_some_and(|account| account.may_read(&name));
                let push = read && account.is_some_and(|account| account.pushes);
                let allowed = |action: &&String| match action.as_str() {
                    "pull" => read,
                    "push" | "delete" | "*" => push,
                    _ => false,
                };
                self.actions.iter().filter(allowed).cloned().collect()
            }
            "registry" if self.name == "catalog" && self.actions == ["*"] => {
                let allowed = account.is_some_and(|account| account.catalog);
                self.actions.iter().filter(|_| allowed).cloned().collect()
            }
            _ => Vec::new(),
        };
        (!actions.is_empty()).then(|| Self {
            actions,
            ..self.clone()
        })
    }
}

/// A token's content; times in seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// A number for the token.
    pub jti: String,
    /// Who issued it.
    pub iss: String,
    /// For which service.
    pub aud: String,
    /// For whom; none for deploy tokens and anonymous callers.
    pub sub: Option<String>,
    /// Issued at.
    pub iat: i64,
    /// Not before.
    pub nbf: i64,
    /// Not after.
    pub exp: i64,
    /// How the caller proved itself.
    pub auth_type: String,
    /// What it allows.
    pub access: Vec<Access>,
}
