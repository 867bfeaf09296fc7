//! What the service knows, is set to, and remembers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portolan_shared::model::RepositoryPatterns;
use portolan_shared::process::Clock;

use super::account::Account;
use super::claims::Claims;
use super::signer::Signer;

/// Requests and opaque tokens that are kept; the oldest go first.
const KEPT: usize = 100_000;

/// In which form the token is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAnswer {
    /// `token` alone, a JWT, as GitLab does.
    GitLab,
    /// `token`, `access_token`, `expires_in` and `issued_at`, as the specification recommends.
    Full,
    /// `access_token` and `expires_in`, as OAuth 2 servers do.
    AccessToken,
    /// `token` alone, a text that nobody but the issuer can read.
    Opaque,
}

/// One request for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The login in its Basic credential, if any.
    pub login: Option<String>,
    /// The scopes that it asked for, each on its own.
    pub scopes: Vec<String>,
    /// What it was answered.
    pub status: u16,
}

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) accounts: Vec<Account>,
    pub(super) public: RepositoryPatterns,
    pub(super) anything_public: bool,
    pub(super) lifetime: Duration,
    pub(super) backdated: Duration,
    pub(super) answer: TokenAnswer,
    pub(super) ban_after: Option<u64>,
    /// Projects that everyone may read.
    pub(super) public_below: BTreeSet<String>,
    /// Whether the instance has a registry.
    pub(super) registry_enabled: bool,
    /// Whether a request for `/v2/` is sent to the sign-in page, as before there was a dependency proxy.
    pub(super) signs_in: bool,
}

pub(super) struct State {
    pub(super) issuer: String,
    pub(super) service: String,
    /// Where tokens are asked for.
    pub(super) path: &'static str,
    /// The URL that it is known by.
    pub(super) url: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) signer: Signer,
    pub(super) settings: Mutex<Settings>,
    pub(super) memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) issued: u64,
    pub(super) failures: u64,
    pub(super) requests: VecDeque<TokenRequest>,
    pub(super) opaque: BTreeMap<u64, (String, Claims)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        lock(&self.settings)
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        lock(&self.memory)
    }

    pub(super) fn remember(&self, request: TokenRequest) {
        let mut memory = self.memory();
        if memory.requests.len() == KEPT {
            memory.requests.pop_front();
        }
        memory.requests.push_back(request);
    }

    pub(super) fn remember_opaque(&self, number: u64, token: &str, claims: Claims) {
        let mut memory = self.memory();
        if memory.opaque.len() == KEPT {
            memory.opaque.pop_first();
        }
        memory.opaque.insert(number, (token.to_owned(), claims));
    }
}
