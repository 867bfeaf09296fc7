//! What it remembers, and where a request goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::response::Response;
use portolan_shared::model::Digest;
use portolan_shared::process::Tasks;

use super::accounts::{Account, Caller, Reach};
use super::{api, distribution};
use crate::content::Content;
use crate::products::double::ProductDouble;
use crate::products::stage::{Question, page, with};
use crate::products::tokens::Tokens;

/// A running Harbor.
pub type HarborDouble = ProductDouble<Harbor>;

/// A Harbor: its accounts, policies and memory. A new one has no accounts, and every project is private.
#[derive(Debug, Default)]
pub struct Harbor {
    pub(super) accounts: Vec<Account>,
    pub(super) public: BTreeSet<String>,
    pub(super) blocked: BTreeSet<(String, Digest)>,
    pub(super) pulls: BTreeMap<(String, Digest), u64>,
    pub(super) mirrors: BTreeSet<String>,
    pub(super) upstream: u64,
    pub(super) slow_above: Option<usize>,
    pub(super) tokens: Tokens,
}

impl Harbor {
    /// A Harbor without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an administrator of the system.
    #[must_use]
    pub fn administrator(self, name: &str, secret: &str) -> Self {
        self.account(name, secret, Reach::Administrator)
    }

    /// Adds a user who is a member of these projects.
    #[must_use]
    pub fn user(self, name: &str, secret: &str, projects: &[&str]) -> Self {
        self.account(name, secret, Reach::Projects(owned(projects)))
    }

    /// Adds a robot of the whole system, `robot$NAME`.
    #[must_use]
    pub fn system_robot(self, name: &str, secret: &str) -> Self {
        self.account(&format!("robot${name}"), secret, Reach::Everything)
    }

    /// Adds a robot of one project, `robot$PROJECT+NAME`.
    #[must_use]
    pub fn project_robot(self, project: &str, name: &str, secret: &str) -> Self {
        let reach = Reach::Projects(owned(&[project]));
        self.account(&format!("robot${project}+{name}"), secret, reach)
    }

    /// Adds a robot of the whole system whose time is over.
    #[must_use]
    pub fn ended_robot(self, name: &str, secret: &str) -> Self {
        self.account(&format!("robot${name}"), secret, Reach::Ended)
    }

    /// Makes a project public.
    #[must_use]
    pub fn public(mut self, project: &str) -> Self {
        self.public.insert(project.to_owned());
        self
    }

    /// Makes a project a cache of another registry, which has one tag more in each repository.
    #[must_use]
    pub fn mirror(mut self, project: &str) -> Self {
        self.mirrors.insert(project.to_owned());
        self
    }

    /// How often the other registry had to be asked, for lists of tags and for tags.
    #[must_use]
    pub fn upstream(&self) -> u64 {
        self.upstream
    }

    /// Lets nobody pull a manifest any more, by whatever reference: a policy against vulnerable or unsigned images. Its API still lists it.
    pub fn block(&mut self, repository: &str, digest: &Digest) {
        self.blocked.insert((repository.to_owned(), digest.clone()));
    }

    /// Answers 504 to pages of artifacts that are larger than this, as the proxy in front of it does when it takes too long.
    pub fn slow_above(&mut self, rows: usize) {
        self.slow_above = Some(rows);
    }

    /// How often the pull time of a manifest was moved.
    #[must_use]
    pub fn pulls(&self, repository: &str, digest: &Digest) -> u64 {
        let of = (repository.to_owned(), digest.clone());
        self.pulls.get(&of).copied().unwrap_or_default()
    }

    /// How often any pull time was moved.
    #[must_use]
    pub fn pulls_in_all(&self) -> u64 {
        self.pulls.values().sum()
    }

    fn account(mut self, name: &str, secret: &str, reach: Reach) -> Self {
        self.accounts.push(Account {
            name: name.to_owned(),
            secret: secret.to_owned(),
            expires_at: -1,
            lists_robots: reach == Reach::Administrator,
            reach,
        });
        self
    }

    /// Lets the account of this whole name end, in seconds since 1970. It goes on working: only its list of robots says so.
    pub fn ends(&mut self, name: &str, at: i64) {
        for account in self.accounts.iter_mut().filter(|account| account.name == name) {
            account.expires_at = at;
        }
    }

    /// Lets the account of this whole name list robots, as only administrators may otherwise.
    pub fn let_list_robots(&mut self, name: &str) {
        for account in self.accounts.iter_mut().filter(|account| account.name == name) {
            account.lists_robots = true;
        }
    }

    /// Starts it holding `content`, over TLS if a configuration is given.
    pub async fn start(
        self,
        content: Content,
        tls: Option<Arc<rustls::ServerConfig>>,
        tasks: &Tasks,
    ) -> anyhow::Result<HarborDouble> {
        ProductDouble::start("Harbor", self, content, tls, tasks, answer).await
    }

    /// Who logs in with user name and secret; an error if these are wrong, or their time is over.
    pub(super) fn caller(&self, question: &Question) -> Result<Caller, ()> {
        let Some((name, secret)) = question.basic() else {
            return Ok(Caller::Stranger);
        };
        let found = self
            .accounts
            .iter()
            .find(|account| account.name == name && account.secret == secret);
        let found = found.filter(|account| account.reach != Reach::Ended);
        found.cloned().map(Caller::Known).ok_or(())
    }
}

fn owned(projects: &[&str]) -> BTreeSet<String> {
    projects.iter().map(ToString::to_string).collect()
}

fn answer(harbor: &mut Harbor, content: &Content, question: &Question) -> Response {
    let path = question.path.as_str();
    let response = if path == "/service/token" {
        distribution::token(harbor, question)
    } else if path.starts_with("/v2/") {
        distribution::answer(harbor, content, question)
    } else if path.starts_with("/api/v2.0/") {
        api::answer(harbor, content, question)
    } else {
        // The portal answers whatever it is asked.
        page(200)
    };
    let response = with(response, "x-request-id", "0b1f3a5c-1111-4222-8333-944455566677");
    with(response, "set-cookie", "sid=0123456789abcdef; Path=/; HttpOnly")
}
