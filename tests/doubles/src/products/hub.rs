//! Docker Hub: a registry, a token service and a web API, each on a host of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use http::Method;
use portolan_shared::process::Tasks;
use serde_json::{Value, json};

use super::stage::{Question, Stage, json, page, with};
use super::v2::{self, Asked, Linked, Lists, View};
use crate::content::{Content, Repository};

const SERVICE: &str = "registry.docker.io";
/// Manifests that may be read within six hours.
const PULLS: u32 = 100;
const LISTS: Lists = Lists {
    linked: Linked::Path,
    usual: Some(100),
    most: 1_000,
    holes: false,
};
/// Repositories below it are for everybody.
const PUBLIC: &str = "library/";

/// What can be changed while it serves.
#[derive(Debug, Clone)]
pub struct HubManners {
    /// Whether tags in the web API carry their digest and media type, which its reference does not promise.
    pub digests: bool,
    /// Rows on a page of the web API, whatever the client asks for.
    pub page: usize,
    /// Where `next` leads: the web API itself if none.
    pub next_host: Option<String>,
    /// Manifests read so far.
    pub pulls: u32,
}

#[derive(Debug)]
struct State {
    content: Content,
    login: (String, String),
    auth_url: String,
    manners: HubManners,
    /// Tokens of the registry, and what they allow: the repository, or nothing.
    tokens: BTreeMap<String, String>,
    /// Tokens of the web API.
    sessions: Vec<String>,
}

/// A running Docker Hub. Dropping it stops it.
#[derive(Debug)]
pub struct HubDouble {
    state: Arc<Mutex<State>>,
    auth: Stage,
    registry: Stage,
    api: Stage,
}

impl HubDouble {
    /// Starts it with one account, which may read everything that is there. `library/` is public.
    pub async fn start(
        content: Content,
        login: (&str, &str),
        tls: Option<Arc<rustls::ServerConfig>>,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(State {
            content,
            login: (login.0.to_owned(), login.1.to_owned()),
            auth_url: String::new(),
            manners: HubManners {
                digests: true,
                page: 100,
                next_host: None,
                pulls: 0,
            },
            tokens: BTreeMap::new(),
            sessions: Vec::new(),
        }));
        let stage = |name, answer: fn(&mut State, &Question) -> Response| {
            let state = Arc::clone(&state);
            let answer = move |question: &Question| answer(&mut lock(&state), question);
            Stage::start(name, tls.clone(), tasks, answer)
        };
        let auth = stage("Docker Hub's token service", token).await?;
        let registry = stage("Docker Hub's registry", registry).await?;
        let api = stage("Docker Hub's web API", api).await?;
        lock(&state).auth_url = auth.url();
        Ok(Self {
            state,
            auth,
            registry,
            api,
        })
    }

    /// `registry-1.docker.io`.
    #[must_use]
    pub fn registry(&self) -> &Stage {
        &self.registry
    }

    /// `auth.docker.io`.
    #[must_use]
    pub fn auth(&self) -> &Stage {
        &self.auth
    }

    /// `hub.docker.com`.
    #[must_use]
    pub fn api(&self) -> &Stage {
        &self.api
    }

    /// Changes what it does; the next request sees it.
    pub fn behave(&self, change: impl FnOnce(&mut HubManners)) {
        change(&mut lock(&self.state).manners);
    }

    /// Manifests that were read, which is what it counts as pulls.
    #[must_use]
    pub fn pulls(&self) -> u32 {
        lock(&self.state).manners.pulls
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `GET /token`: to anybody for what is public, to the account for everything.
fn token(state: &mut State, question: &Question) -> Response {
    if question.path != "/token" || question.method != Method::GET {
        return page(404);
    }
    let known = question.basic().map(|login| login == state.login);
    if known == Some(false) {
        return json(401, &json!({"details": "incorrect username or password"}));
    }
    let granted = question.parameters("scope").into_iter().find_map(|scope| {
        let name = scope.strip_prefix("repository:")?.strip_suffix(":pull")?;
        (known == Some(true) || name.starts_with(PUBLIC)).then(|| name.to_owned())
    });
    let token = format!("hub-{}", state.tokens.len());
    state.tokens.insert(token.clone(), granted.unwrap_or_default());
    let body = json!({"token": token, "access_token": token, "expires_in": 300, "issued_at": "2026-01-02T03:04:05Z"});
    json(200, &body)
}

fn registry(state: &mut State, question: &Question) -> Response {
    let Some(asked) = question.path.strip_prefix("/v2/").and_then(Asked::of) else {
        return page(404);
    };
    let granted = question.bearer().and_then(|token| state.tokens.get(token));
    let scope = match (&asked, asked.repository()) {
        (Asked::Catalog, _) => "registry:catalog:*".to_owned(),
        (_, Some(name)) => format!("repository:{name}:pull"),
        _ => String::new(),
    };
    let allowed = match (&asked, asked.repository()) {
        (Asked::Root, _) => granted.is_some(),
        (_, Some(name)) => granted.is_some_and(|granted| granted == name),
        // Nobody is ever shown a catalog.
        _ => false,
    };
    if !allowed {
        let mut challenge = format!("Bearer realm=\"{}/token\",service=\"{SERVICE}\"", state.auth_url);
        if !scope.is_empty() {
            challenge.push_str(&format!(",scope=\"{scope}\""));
        }
        if granted.is_some() {
            challenge.push_str(",error=\"insufficient_scope\"");
        }
        return v2::challenged(&[challenge]);
    }
    let counted = matches!(asked, Asked::Manifest(..));
    if counted && question.method == Method::GET {
        if state.manners.pulls >= PULLS {
            return limits(state, v2::error(429, "TOOMANYREQUESTS"));
        }
        state.manners.pulls += 1;
    }
    let response = v2::answer(View::all(&state.content), &asked, question, LISTS);
    if counted {
        limits(state, response)
    } else {
        response
    }
}

fn limits(state: &State, response: Response) -> Response {
    let left = PULLS.saturating_sub(state.manners.pulls);
    let response = with(response, "ratelimit-limit", &format!("{PULLS};w=21600"));
    let response = with(response, "ratelimit-remaining", &format!("{left};w=21600"));
    with(response, "docker-ratelimit-source", "192.0.2.7")
}

fn api(state: &mut State, question: &Question) -> Response {
    let response = answer(state, question);
    let response = with(response, "x-ratelimit-limit", "180");
    let response = with(response, "x-ratelimit-remaining", "179");
    with(response, "x-ratelimit-reset", "1767323105")
}

fn answer(state: &mut State, question: &Question) -> Response {
    if question.path == "/v2/auth/token" {
        return session(state, question);
    }
    let path: Vec<&str> = question.path.trim_matches('/').split('/').collect();
    let known = question
        .bearer()
        .is_some_and(|token| state.sessions.iter().any(|session| session == token));
    let rows = match path[..] {
        ["v2", "namespaces", namespace, "repositories"] => repositories(state, namespace, known),
        ["v2", "namespaces", namespace, "repositories", name, "tags"] => tags(state, namespace, name, known),
        _ => None,
    };
    match rows {
        None => json(404, &json!({"message": "object not found", "errinfo": {}})),
        Some(rows) => listed(state, question, &rows),
    }
}

/// `POST /v2/auth/token`.
fn session(state: &mut State, question: &Question) -> Response {
    let sent: Value = serde_json::from_slice(&question.body).unwrap_or_default();
    let right = sent["identifier"] == state.login.0.as_str() && sent["secret"] == state.login.1.as_str();
    if question.method != Method::POST || !right {
        return json(401, &json!({"detail": "Incorrect authentication credentials"}));
    }
    let token = format!("jwt-{}", state.sessions.len());
    state.sessions.push(token.clone());
    json(200, &json!({"access_token": token}))
}

fn repositories(state: &State, namespace: &str, known: bool) -> Option<Vec<Value>> {
    let below = format!("{namespace}/");
    let row = |(name, repository): (&_, &Repository)| {
        let name: &str = name;
        let newest = repository
            .tags()
            .keys()
            .map(|tag| repository.pushed(tag.as_str()).published())
            .max();
        let public = below == PUBLIC;
        (known || public).then(|| {
            json!({"name": name, "namespace": namespace, "repository_type": "image", "is_private": !public,
                "last_updated": newest.map(|time| time.to_string())})
        })
    };
    let within = state
        .content
        .repositories()
        .iter()
        .filter_map(|(name, repository)| Some((name.as_str().strip_prefix(&below)?, repository)));
    let all: Vec<_> = within.collect();
    (!all.is_empty()).then(|| all.into_iter().filter_map(row).collect())
}

fn tags(state: &State, namespace: &str, name: &str, known: bool) -> Option<Vec<Value>> {
    let whole = format!("{namespace}/{name}");
    let repository = state
        .content
        .repository(&whole)
        .filter(|_| known || whole.starts_with(PUBLIC))?;
    let row = |(tag, digest): (&portolan_shared::model::TagName, &_)| {
        let pushed = repository.pushed(tag.as_str()).published();
        let mut row = json!({"name": tag, "full_size": 1_000, "last_updated": pushed, "tag_status": "active",
            "tag_last_pushed": pushed, "tag_last_pulled": null, "images": [{"architecture": "amd64", "os": "linux"}]});
        if state.manners.digests {
            row["digest"] = json!(digest);
            row["media_type"] = json!(
                state
                    .content
                    .manifests()
                    .get(digest)
                    .map(|stored| &stored.media_type)
            );
        }
        row
    };
    Some(repository.tags().iter().map(row).collect())
}

fn listed(state: &State, question: &Question, rows: &[Value]) -> Response {
    let size = question
        .number("page_size")
        .unwrap_or(10)
        .clamp(1, state.manners.page);
    let number = question.number("page").unwrap_or(1).max(1);
    let start = (number - 1).saturating_mul(size).min(rows.len());
    let end = (start + size).min(rows.len());
    if number > 1 && start == end {
        return json(404, &json!({"message": "Invalid page."}));
    }
    let host = state.manners.next_host.as_deref().unwrap_or(&question.here);
    let link = |number: usize| format!("{host}{}?page={number}&page_size={size}", question.path);
    let next = (end < rows.len()).then(|| link(number + 1));
    let previous = (number > 1).then(|| link(number - 1));
    let body = json!({"count": rows.len(), "next": next, "previous": previous, "results": &rows[start..end]});
    json(200, &body)
}
