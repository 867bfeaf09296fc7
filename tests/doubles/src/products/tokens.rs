//! Tokens of the products that are their own token service.

use std::collections::BTreeMap;

/// Tokens that were given out, for whom and for what. They do not end.
#[derive(Debug, Default)]
pub(super) struct Tokens(BTreeMap<String, Issued>);

/// What one token stands for.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    /// Whose it is; none if it was given to a stranger.
    pub(super) login: Option<String>,
    /// What it was asked for, and granted.
    pub(super) scopes: Vec<String>,
}

impl Tokens {
    /// Gives out a token.
    pub(super) fn issue(&mut self, login: Option<String>, scopes: Vec<String>) -> String {
        let token = format!("token-{}", self.0.len());
        self.0.insert(token.clone(), Issued { login, scopes });
        token
    }

    /// What a token stands for.
    pub(super) fn find(&self, token: &str) -> Option<&Issued> {
        self.0.get(token)
    }
}

impl Issued {
    /// Whether it lets read a repository.
    pub(super) fn pulls(&self, repository: &str) -> bool {
        let wanted = format!("repository:{repository}:pull");
        self.scopes.contains(&wanted)
    }
}
