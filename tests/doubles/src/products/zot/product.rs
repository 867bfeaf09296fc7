//! What it remembers, and where a request goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::response::Response;
use http::{Method, StatusCode, header};
use portolan_shared::model::{RepositoryPatterns, TagName};
use portolan_shared::process::Tasks;
use serde_json::{Value, json};

use super::search;
use crate::content::Content;
use crate::products::double::ProductDouble;
use crate::products::stage::{Question, json, text, with};
use crate::products::tokens::Tokens;
use crate::products::unconditional::unconditional;
use crate::products::v2::{self, Asked, Linked, Lists, View};

/// A running Zot.
pub type ZotDouble = ProductDouble<Zot>;

/// How it wants to be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Asks {
    /// By name and secret.
    #[default]
    Basic,
    /// For a token, which it gives itself.
    Bearer,
}

/// A Zot: its accounts and extensions. A new one has the search extension, and lets everybody read everything.
#[derive(Debug)]
pub struct Zot {
    accounts: BTreeMap<String, (String, RepositoryPatterns)>,
    asks: Asks,
    anybody: bool,
    search: bool,
    push_times: bool,
    tokens: Tokens,
    downloads: u64,
}

impl Zot {
    /// A Zot that is open to everybody, with search.
    #[must_use]
    pub fn new() -> Self {
        Self {
            accounts: BTreeMap::new(),
            asks: Asks::Basic,
            anybody: true,
            search: true,
            push_times: true,
            tokens: Tokens::default(),
            downloads: 0,
        }
    }

    /// Adds an account that reads what `globs` match; strangers read nothing any more.
    ///
    /// # Panics
    /// When a glob is malformed.
    #[must_use]
    pub fn account(mut self, name: &str, secret: &str, globs: &[&str]) -> Self {
        let globs = globs.iter().map(ToString::to_string).collect();
        let globs = RepositoryPatterns::new(globs).expect("the test's globs are well formed");
        self.accounts.insert(name.to_owned(), (secret.to_owned(), globs));
        self.anybody = false;
        self
    }

    /// Lets strangers read beside the accounts. The challenge is then on the answer that lets them in.
    #[must_use]
    pub fn open_to_strangers(mut self) -> Self {
        self.anybody = true;
        self
    }

    /// Asks for tokens in place of name and secret.
    #[must_use]
    pub fn by_token(mut self) -> Self {
        self.asks = Asks::Bearer;
        self
    }

    /// Leaves the search extension out: its paths are 404.
    #[must_use]
    pub fn without_search(mut self) -> Self {
        self.search = false;
        self
    }

    /// Has the schema of a version that does not know when tags were pushed.
    #[must_use]
    pub fn without_push_times(mut self) -> Self {
        self.push_times = false;
        self
    }

    /// How many downloads its statistics show.
    #[must_use]
    pub fn downloads(&self) -> u64 {
        self.downloads
    }

    /// Starts it holding `content`, over TLS if a configuration is given.
    pub async fn start(
        self,
        content: Content,
        tls: Option<Arc<rustls::ServerConfig>>,
        tasks: &Tasks,
    ) -> anyhow::Result<ZotDouble> {
        ProductDouble::start("Zot", self, content, tls, tasks, answer).await
    }

    pub(super) fn has_push_times(&self) -> bool {
        self.push_times
    }

    /// What somebody may read; an error if he does not come in at all.
    fn enter(&self, question: &Question) -> Result<RepositoryPatterns, ()> {
        if question.header(header::AUTHORIZATION).is_empty() {
            return self.anybody.then(RepositoryPatterns::all).ok_or(());
        }
        let login = match self.asks {
            Asks::Basic => self.login(question),
            Asks::Bearer => {
                let issued = question.bearer().and_then(|token| self.tokens.find(token));
                issued.and_then(|issued| issued.login.clone())
            }
        };
        let account = login.and_then(|login| self.accounts.get(&login));
        account.map(|(_, globs)| globs.clone()).ok_or(())
    }

    fn login(&self, question: &Question) -> Option<String> {
        let (name, secret) = question.basic()?;
        let (wanted, _) = self.accounts.get(&name)?;
        (*wanted == secret).then_some(name)
    }

    /// The scheme in lower case, the address without quotes, the scope empty.
    fn challenge(&self, question: &Question) -> String {
        match self.asks {
            Asks::Basic => "basic realm=zot".to_owned(),
            Asks::Bearer => format!("bearer realm={}/auth/token,service=zot,scope=\"\"", question.here),
        }
    }

    fn token(&mut self, question: &Question) -> Response {
        let Some(name) = self.login(question) else {
            return v2::error(401, "UNAUTHORIZED");
        };
        let token = self.tokens.issue(Some(name), question.parameters("scope"));
        json(200, &json!({"access_token": token, "expires_in": 300}))
    }
}

impl Default for Zot {
    fn default() -> Self {
        Self::new()
    }
}

fn answer(zot: &mut Zot, content: &Content, question: &Question) -> Response {
    match question.path.as_str() {
        "/auth/token" => return zot.token(question),
        "/v2/_zot/ext/mgmt" => return json(200, &management(zot)),
        _ => {}
    }
    let Ok(reads) = zot.enter(question) else {
        return v2::challenged(&[zot.challenge(question)]);
    };
    match question.path.as_str() {
        "/v2/_oci/ext/discover" => return json(200, &extensions(zot)),
        "/v2/_zot/ext/search" if zot.search => {
            return search::answer(
                zot,
                content,
                &reads,
                &question.parameter("query").unwrap_or_default(),
            );
        }
        _ => {}
    }
    let Some(behind) = question.path.strip_prefix("/v2/") else {
        return text(404, "text/plain", "404 page not found\n");
    };
    let Some(asked) = Asked::of(behind) else {
        return text(404, "text/plain", "404 page not found\n");
    };
    let allowed = asked
        .repository()
        .is_none_or(|name| name.parse().is_ok_and(|name| reads.matches(&name)));
    if !allowed {
        return v2::error(403, "DENIED");
    }
    match asked {
        Asked::Root => with(
            json(200, &json!({})),
            "www-authenticate",
            &zot.challenge(question),
        ),
        Asked::Catalog => {
            let names = content.repositories().keys().filter(|name| reads.matches(name));
            let names: Vec<String> = names.map(ToString::to_string).collect();
            listed(question, "repositories", None, &names)
        }
        Asked::Tags(name) => match content.repository(name) {
            None => v2::error(404, "NAME_UNKNOWN"),
            Some(repository) => {
                let tags: Vec<String> = repository.tags().keys().map(TagName::to_string).collect();
                listed(question, "tags", Some(name), &tags)
            }
        },
        Asked::Manifest(..) | Asked::Blob(..) => {
            let lists = Lists {
                linked: Linked::Path,
                usual: None,
                most: usize::MAX,
                holes: false,
            };
            let response = v2::answer(View::all(content), &asked, &unconditional(question), lists);
            let pulled = matches!(asked, Asked::Manifest(..)) && question.method == Method::GET;
            zot.downloads += u64::from(pulled && response.status() == StatusCode::OK);
            response
        }
    }
}

/// A page: everything, unless a number was asked for; 404 without a word if what it is to begin after is not there any more; a link whose
/// parameters are not escaped.
fn listed(question: &Question, member: &str, name: Option<&str>, all: &[String]) -> Response {
    let after = match question.parameter("last") {
        None => 0,
        Some(last) => match all.iter().position(|entry| *entry == last) {
            Some(at) => at + 1,
            None => return text(404, "text/plain", ""),
        },
    };
    let rest = &all[after..];
    let number = question.number("n").unwrap_or(rest.len()).min(rest.len());
    let mut body = json!({member: rest[..number]});
    if let Some(name) = name {
        body["name"] = json!(name);
    }
    let response = json(200, &body);
    match rest[..number].last() {
        Some(last) if number < rest.len() => {
            let link = format!("<{}?n={number}&last={last}>; rel=\"next\"", question.path);
            with(response, "link", &link)
        }
        _ => response,
    }
}

fn management(zot: &Zot) -> Value {
    let auth = match zot.asks {
        Asks::Basic => json!({"htpasswd": {}}),
        Asks::Bearer => json!({"bearer": {"realm": "zot", "service": "zot"}}),
    };
    let binary = if zot.search { "-mgmt-search" } else { "-mgmt" };
    json!({"distSpecVersion": "1.1.1", "binaryType": binary, "http": {"auth": auth}})
}

fn extensions(zot: &Zot) -> Value {
    let mut endpoints = vec!["/v2/_zot/ext/mgmt"];
    if zot.search {
        endpoints.push("/v2/_zot/ext/search");
    }
    json!({"extensions": [{
        "name": "_zot",
        "url": "extensions of this registry",
        "description": "zot registry extensions",
        "endpoints": endpoints,
    }]})
}
