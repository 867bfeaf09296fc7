//! What it remembers, and where a request goes.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::response::Response;
use portolan_shared::process::Tasks;

use super::{api, distribution};
use crate::content::Content;
use crate::products::double::ProductDouble;
use crate::products::stage::{Question, page, with};
use crate::products::tokens::Tokens;

/// A running Quay.
pub type QuayDouble = ProductDouble<Quay>;

/// The user name that comes with an OAuth token.
pub(super) const OAUTH: &str = "$oauthtoken";

/// Somebody, and the namespaces that he reads.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) secret: String,
    pub(super) namespaces: BTreeSet<String>,
}

/// A Quay: its accounts, and how it is configured. A new one has no accounts, shows no public catalog, and every repository is private.
#[derive(Debug, Default)]
pub struct Quay {
    pub(super) accounts: Vec<Account>,
    pub(super) public: BTreeSet<String>,
    pub(super) applications: BTreeSet<String>,
    pub(super) public_catalog: bool,
    pub(super) refuses_large_pages: bool,
    pub(super) tokens: Tokens,
}

impl Quay {
    /// A Quay without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an OAuth token, to be used as the secret of `$oauthtoken`.
    #[must_use]
    pub fn oauth_token(self, token: &str, namespaces: &[&str]) -> Self {
        self.account(OAUTH, token, namespaces)
    }

    /// Adds a robot account, `NAMESPACE+NAME`.
    #[must_use]
    pub fn robot(self, namespace: &str, name: &str, secret: &str) -> Self {
        self.account(&format!("{namespace}+{name}"), secret, &[namespace])
    }

    /// Makes a repository public.
    #[must_use]
    pub fn public(mut self, repository: &str) -> Self {
        self.public.insert(repository.to_owned());
        self
    }

    /// Makes a repository one of applications, which holds no images: the API still lists it.
    #[must_use]
    pub fn application(mut self, repository: &str) -> Self {
        self.applications.insert(repository.to_owned());
        self
    }

    /// Shows public repositories in the catalog, to strangers too.
    #[must_use]
    pub fn public_catalog(mut self) -> Self {
        self.public_catalog = true;
        self
    }

    /// Refuses pages of more than 100 tags with 413, as some versions did, in place of cutting them.
    #[must_use]
    pub fn refuses_large_pages(mut self) -> Self {
        self.refuses_large_pages = true;
        self
    }

    fn account(mut self, name: &str, secret: &str, namespaces: &[&str]) -> Self {
        self.accounts.push(Account {
            name: name.to_owned(),
            secret: secret.to_owned(),
            namespaces: namespaces.iter().map(ToString::to_string).collect(),
        });
        self
    }

    /// Starts it holding `content`, over TLS if a configuration is given.
    pub async fn start(
        self,
        content: Content,
        tls: Option<Arc<rustls::ServerConfig>>,
        tasks: &Tasks,
    ) -> anyhow::Result<QuayDouble> {
        ProductDouble::start("Quay", self, content, tls, tasks, answer).await
    }

    /// Whether somebody may read a repository.
    pub(super) fn shows(&self, account: Option<&Account>, repository: &str) -> bool {
        let namespace = repository.split('/').next().unwrap_or_default();
        self.public.contains(repository)
            || account.is_some_and(|account| account.namespaces.contains(namespace))
    }
}

fn answer(quay: &mut Quay, content: &Content, question: &Question) -> Response {
    let path = question.path.as_str();
    if path == "/v2/auth" {
        return distribution::token(quay, question);
    }
    if path.starts_with("/v2/") {
        let response = distribution::answer(quay, content, question);
        return with(response, "x-sparse-manifest-support", "true");
    }
    if path.starts_with("/api/v1/") {
        return api::answer(quay, content, question);
    }
    page(200)
}
