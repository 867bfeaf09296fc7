//! The service, and what registries need to check its tokens.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use axum::{Router, middleware};
use portolan_shared::model::RepositoryPatterns;
use portolan_shared::process::{Clock, SystemClock, Tasks};
use portolan_shared::secret::Secret;

use super::account::Account;
use super::claims::Access;
use super::endpoint;
use super::signer::Signer;
use super::state::{Settings, State, TokenAnswer, TokenRequest};
use super::verifier::TokenVerifier;
use crate::faults::{Faults, inject};
use crate::network::{RequestLog, Server, record};

/// Puts a token service together.
pub struct TokenServiceBuilder {
    issuer: String,
    service: String,
    path: &'static str,
    clock: Arc<dyn Clock>,
    host: Option<String>,
    settings: Settings,
}

impl TokenServiceBuilder {
    /// Adds an account. The first with a login and secret wins.
    #[must_use]
    pub fn account(mut self, account: Account) -> Self {
        self.settings.accounts.push(account);
        self
    }

    /// Lets everyone, anonymous callers too, read the repositories that match one of `globs`.
    ///
    /// # Panics
    /// When a glob is malformed.
    #[must_use]
    pub fn public(mut self, globs: &[&str]) -> Self {
        let globs: Vec<String> = globs.iter().map(|&glob| glob.to_owned()).collect();
        self.settings.anything_public = !globs.is_empty();
        self.settings.public = RepositoryPatterns::new(globs).expect("the test's globs are well formed");
        self
    }

    /// How long tokens live; 300 s unless said otherwise, as GitLab's.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.lifetime = lifetime;
        self
    }

    /// In which form tokens are handed out; as GitLab's unless said otherwise.
    #[must_use]
    pub fn answer(mut self, answer: TokenAnswer) -> Self {
        self.settings.answer = answer;
        self
    }

    /// Which clock it reads; the machine's unless said otherwise.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Under which name its realm is given out; its address unless said otherwise. The port stays.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// A service of nobody's in particular: under this name, at this path.
    #[must_use]
    pub fn called(mut self, service: &str, path: &'static str) -> Self {
        service.clone_into(&mut self.service);
        self.path = path;
        self
    }

    /// Starts it, over TLS if a configuration is given.
    pub async fn start(
        self,
        tls: Option<Arc<rustls::ServerConfig>>,
        tasks: &Tasks,
    ) -> anyhow::Result<TokenService> {
        self.start_within(tls, tasks, |_, tokens| tokens).await
    }

    /// Starts it as a part of something larger: `whole` is given the URL that it will be known by, and its routes.
    pub(crate) async fn start_within(
        self,
        tls: Option<Arc<rustls::ServerConfig>>,
        tasks: &Tasks,
        whole: impl FnOnce(&str, Router) -> Router,
    ) -> anyhow::Result<TokenService> {
        let listening = Server::bind(tls).await?;
        let url = listening.url(self.host.as_deref());
        let state = Arc::new(State {
            issuer: self.issuer,
            service: self.service,
            path: self.path,
            url,
            clock: self.clock,
            signer: Signer::new()?,
            settings: Mutex::new(self.settings),
            memory: Mutex::default(),
        });
        let (log, faults) = (RequestLog::default(), Faults::default());
        let router = whole(&state.url, endpoint::router(Arc::clone(&state)))
            .layer(middleware::from_fn_with_state(faults.clone(), inject))
            .layer(middleware::from_fn_with_state(log.clone(), record));
        let server = listening.serve("token service", router, tasks);
        Ok(TokenService {
            server,
            state,
            log,
            faults,
        })
    }
}

/// What the instance around a token service decides.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) accounts: Vec<Account>,
    pub(crate) public_below: BTreeSet<String>,
    pub(crate) registry_enabled: bool,
    pub(crate) signs_in: bool,
}

/// A running token service. Dropping it stops it.
#[derive(Debug)]
pub struct TokenService {
    server: Server,
    state: Arc<State>,
    log: RequestLog,
    faults: Faults,
}

impl TokenService {
    /// A service named `container_registry` of the issuer `omnibus-gitlab-issuer`, without accounts.
    #[must_use]
    pub fn builder() -> TokenServiceBuilder {
        TokenServiceBuilder {
            issuer: "omnibus-gitlab-issuer".to_owned(),
            service: "container_registry".to_owned(),
            path: "/jwt/auth",
            clock: Arc::new(SystemClock),
            host: None,
            settings: Settings {
                accounts: Vec::new(),
                public: RepositoryPatterns::all(),
                anything_public: false,
                lifetime: Duration::from_secs(300),
                backdated: Duration::ZERO,
                answer: TokenAnswer::GitLab,
                ban_after: None,
                public_below: BTreeSet::new(),
                registry_enabled: true,
                signs_in: false,
            },
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Its address as a URL without a path, by the name that it is given out under.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.state.url
    }

    /// What a registry names as its realm.
    #[must_use]
    pub fn realm(&self) -> String {
        format!("{}{}", self.state.url, self.state.path)
    }

    /// What a registry names as its service, and tokens as their audience.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.state.service
    }

    /// What tokens name as their issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.state.issuer
    }

    /// The certificate of the signing key in PEM: the `rootcertbundle` of a registry that is to accept the tokens.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        self.state.signer.certificate_pem()
    }

    /// Writes that certificate as `tokens.pem` into `folder`.
    pub fn write_certificate(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let path = folder.join("tokens.pem");
        std::fs::write(&path, self.certificate_pem()).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    /// How long tokens issued from now on live.
    pub fn set_lifetime(&self, lifetime: Duration) {
        self.state.settings().lifetime = lifetime;
    }

    /// Issues tokens from now on as of this long ago, expiry included. Registries accept a token for 60 s beyond its expiry, so
    /// a lifetime of 2 s backdated by 60 s is really refused after 2 s.
    pub fn set_backdated(&self, by: Duration) {
        self.state.settings().backdated = by;
    }

    /// In which form tokens are handed out from now on.
    pub fn set_answer(&self, answer: TokenAnswer) {
        self.state.settings().answer = answer;
    }

    /// Answers everyone with a bare 403 after this many failures, as a server that bans an address for a while; `None` lifts it.
    pub fn set_ban_after(&self, failures: Option<u64>) {
        self.state.settings().ban_after = failures;
        self.state.memory().failures = 0;
    }

    /// Changes the secret of an account, as when a token is rotated. Tokens that were issued stay valid.
    pub fn set_secret(&self, login: &str, secret: &str) {
        for account in &mut self.state.settings().accounts {
            if account.login == login {
                account.secret = Secret::new(secret.to_owned());
            }
        }
    }

    /// Replaces an account's rights, or adds the account.
    pub fn set_account(&self, account: Account) {
        let mut settings = self.state.settings();
        settings.accounts.retain(|other| other.login != account.login);
        settings.accounts.push(account);
    }

    /// Every request for a token so far, the latest hundred thousand.
    #[must_use]
    pub fn requests(&self) -> Vec<TokenRequest> {
        self.state.memory().requests.iter().cloned().collect()
    }

    /// Every token that was handed out as [`TokenAnswer::Opaque`], the latest hundred thousand.
    #[must_use]
    pub fn handed_out(&self) -> Vec<String> {
        let memory = self.state.memory();
        memory.opaque.values().map(|(token, _)| token.clone()).collect()
    }

    /// How often `scope` was asked for.
    #[must_use]
    pub fn calls_for(&self, scope: &str) -> usize {
        let asked = |request: &&TokenRequest| request.scopes.iter().any(|asked| asked == scope);
        self.state.memory().requests.iter().filter(asked).count()
    }

    /// Every scope asked for that goes beyond reading: push, delete, or everything. An inventory never asks for these.
    #[must_use]
    pub fn asked_beyond_reading(&self) -> Vec<String> {
        let beyond = |scope: &&String| {
            let actions = scope.rsplit(':').next().unwrap_or_default();
            **scope != Access::catalog().to_scope() && actions.split(',').any(|action| action != "pull")
        };
        let memory = self.state.memory();
        memory
            .requests
            .iter()
            .flat_map(|request| &request.scopes)
            .filter(beyond)
            .cloned()
            .collect()
    }

    /// Its faults.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Everything that it was asked, tokens or not.
    #[must_use]
    pub fn log(&self) -> &RequestLog {
        &self.log
    }

    /// Changes who is let in and to what, all at once.
    pub(crate) fn admit(&self, admission: Admission) {
        let mut settings = self.state.settings();
        settings.accounts = admission.accounts;
        settings.public_below = admission.public_below;
        settings.registry_enabled = admission.registry_enabled;
        settings.signs_in = admission.signs_in;
    }

    pub(crate) fn verifier(&self) -> TokenVerifier {
        TokenVerifier {
            state: Arc::clone(&self.state),
            realm: self.realm(),
        }
    }

    /// A token for `login` with exactly this access, signed as usual, whatever the account may have: for tests of registries.
    #[must_use]
    pub fn mint(&self, login: &str, access: Vec<Access>) -> Option<String> {
        let claims = endpoint::claims(
            &self.state,
            Some(login.to_owned()),
            "personal_access_token",
            access,
        );
        self.state.signer.sign(&claims)
    }
}
