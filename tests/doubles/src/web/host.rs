//! The web host: its state, its routes, and the handle that tests hold.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::extract::State as Shared;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use axum::{Router, middleware};
use http::{HeaderMap, StatusCode, Uri, header};
use portolan_shared::process::{Clock, Tasks};

use super::answers::{self, Refused};
use super::caller::Caller;
use super::gate::{self, Counter};
use super::instance::Instance;
use super::paging::Query;
use super::switches::Switches;
use super::{groups, metadata, projects, repositories, rules, tags, tokens};
use crate::content::Content;
use crate::faults::Faults;
use crate::network::RequestLog;
use crate::registry::{Inside, RegistryDouble};
use crate::token::{Admission, TokenService, TokenServiceBuilder};

/// What all requests see.
pub(super) struct State {
    instance: Mutex<Instance>,
    switches: Mutex<Switches>,
    pub(super) counter: Counter,
    pub(super) clock: Arc<dyn Clock>,
    url: OnceLock<String>,
    registry: OnceLock<(Inside, String)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A request to the REST API, with all that is needed to answer it.
pub(super) struct Ask<'a> {
    pub(super) url: &'a str,
    pub(super) switches: Switches,
    pub(super) instance: &'a Instance,
    pub(super) caller: Caller<'a>,
    pub(super) query: Query,
    pub(super) content: &'a Content,
    pub(super) database: bool,
    /// Host and port of the registry.
    pub(super) prefix: &'a str,
}

impl State {
    fn instance(&self) -> MutexGuard<'_, Instance> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn switches(&self) -> Switches {
        self.switches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Answers a request, refusing a credential that does not count before anything else is looked at.
    pub(super) fn answer(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        work: impl FnOnce(&Ask<'_>) -> Result<Response, Refused>,
    ) -> Response {
        let (Some(url), Some((registry, prefix))) = (self.url.get(), self.registry.get()) else {
            // Nobody has been told the address before both are set.
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        };
        let content = registry.content();
        let mut instance = self.instance();
        instance.number(&content);
        let ask = Caller::of(headers, &instance).map(|caller| Ask {
            url,
            switches: self.switches(),
            instance: &instance,
            caller,
            // Nesting took this part of the path away.
            query: Query::of(&format!("{url}/api/v4"), uri),
            content: &content,
            database: registry.database(),
            prefix,
        });
        ask.and_then(|ask| work(&ask)).unwrap_or_else(|refused| *refused)
    }
}

fn router(state: &Arc<State>, tokens: Router) -> Router {
    let api = Router::new()
        .route("/metadata", get(metadata::show))
        .route("/version", get(metadata::show))
        .route("/user", get(tokens::user))
        .route("/personal_access_tokens/self", get(tokens::show))
        .route(
            "/personal_access_tokens/self/associations",
            get(tokens::associations),
        )
        .route("/projects", get(projects::list))
        .route("/projects/{project}", get(projects::show))
        .route("/groups", get(groups::list))
        .route("/groups/{group}", get(groups::show))
        .route("/groups/{group}/projects", get(groups::projects))
        .route(
            "/groups/{group}/registry/repositories",
            get(repositories::of_group),
        )
        .route("/registry/repositories/{repository}", get(repositories::show))
        .route(
            "/projects/{project}/registry/repositories",
            get(repositories::of_project),
        )
        .route(
            "/projects/{project}/registry/repositories/{repository}/tags",
            get(tags::list),
        )
        .route(
            "/projects/{project}/registry/repositories/{repository}/tags/{tag}",
            get(tags::show),
        )
        .route(
            "/projects/{project}/registry/protection/tag/rules",
            get(rules::list),
        )
        .fallback(async || *answers::no_route());
    Router::new()
        .nest("/api/v4", api)
        .route(
            "/users/sign_in",
            get(async || Html("<html><title>Sign in · GitLab</title></html>")),
        )
        .route("/", get(front))
        .with_state(Arc::clone(state))
        .merge(tokens)
        .layer(middleware::from_fn_with_state(Arc::clone(state), gate::pass))
}

/// A browser that is not signed in is sent to do so.
async fn front(Shared(state): Shared<Arc<State>>) -> Response {
    let location = format!("{}/users/sign_in", state.url.get().map_or("", String::as_str));
    (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
}

/// A running web host of a GitLab. Dropping it stops it.
#[derive(Debug)]
pub struct GitLabWeb {
    state: Arc<State>,
    tokens: TokenService,
}

impl GitLabWeb {
    pub(super) async fn start(
        instance: Instance,
        switches: Switches,
        clock: Arc<dyn Clock>,
        tokens: TokenServiceBuilder,
        tls: Option<Arc<rustls::ServerConfig>>,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let state = Arc::new(State {
            instance: Mutex::new(instance),
            switches: Mutex::new(switches),
            counter: Counter::default(),
            clock: Arc::clone(&clock),
            url: OnceLock::new(),
            registry: OnceLock::new(),
        });
        let whole = |url: &str, tokens: Router| {
            // Called once, by the start.
            let _ = state.url.set(url.to_owned());
            router(&state, tokens)
        };
        let tokens = tokens.clock(clock).start_within(tls, tasks, whole).await?;
        let web = Self { state, tokens };
        web.admit();
        Ok(web)
    }

    /// Says which registry is the instance's, and by which host and port images name it.
    pub(super) fn serves(&self, registry: &RegistryDouble, prefix: String) {
        // Called once, by the builder.
        let _ = self.state.registry.set((registry.inside(), prefix));
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.tokens.address()
    }

    /// Its address as a URL without a path.
    #[must_use]
    pub fn url(&self) -> &str {
        self.tokens.url()
    }

    /// Its token service: forms and lifetimes of tokens, bans, and who asked for what.
    #[must_use]
    pub fn tokens(&self) -> &TokenService {
        &self.tokens
    }

    /// A copy of what is on the instance now.
    #[must_use]
    pub fn instance(&self) -> Instance {
        self.state.instance().clone()
    }

    /// Changes what is on the instance; the next request sees it. Accounts that were set on the token service itself are replaced.
    pub fn change<T>(&self, change: impl FnOnce(&mut Instance) -> T) -> T {
        let result = change(&mut self.state.instance());
        self.admit();
        result
    }

    /// Changes how it behaves; the next request sees it.
    pub fn switch(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.state.switches.lock().unwrap_or_else(PoisonError::into_inner));
        self.admit();
    }

    /// Its faults.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        self.tokens.faults()
    }

    /// What it was asked, tokens and all.
    #[must_use]
    pub fn log(&self) -> &RequestLog {
        self.tokens.log()
    }

    fn admit(&self) {
        let switches = self.state.switches();
        let instance = self.state.instance();
        self.tokens.admit(Admission {
            accounts: instance.accounts(),
            public_below: instance.public().collect(),
            registry_enabled: switches.registry_enabled,
            signs_in: switches.signs_in,
        });
    }
}
