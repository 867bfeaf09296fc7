//! The handle that tests hold.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use axum::{Router, middleware};
use portolan_shared::process::Tasks;

use super::behaviour::{Behaviour, Flavour};
use super::guard::Guard;
use super::{dispatch, storage};
use crate::content::Content;
use crate::faults::{Faults, inject};
use crate::network::{RequestLog, Server, record};
use crate::token::TokenService;

/// What all requests see.
#[derive(Debug)]
pub(super) struct State {
    content: RwLock<Content>,
    behaviour: Mutex<Behaviour>,
    pub(super) guard: Guard,
    pub(super) storage_url: String,
}

impl State {
    pub(super) fn content(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn behaviour(&self) -> Behaviour {
        self.behaviour
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A registry seen from inside.
#[derive(Debug, Clone)]
pub(crate) struct Inside(Arc<State>);

impl Inside {
    pub(crate) fn content(&self) -> RwLockReadGuard<'_, Content> {
        self.0.content()
    }

    /// Whether it has its metadata database.
    pub(crate) fn database(&self) -> bool {
        self.0.behaviour().flavour == Flavour::GitLabDatabase
    }
}

/// Puts a registry double together.
#[derive(Debug)]
pub struct RegistryDoubleBuilder {
    content: Content,
    behaviour: Behaviour,
    guard: Guard,
}

impl RegistryDoubleBuilder {
    /// Asks for tokens of this service.
    #[must_use]
    pub fn tokens(mut self, tokens: &TokenService) -> Self {
        self.guard = Guard::Tokens(tokens.verifier());
        self
    }

    /// Asks for this login and secret on every request.
    #[must_use]
    pub fn basic(mut self, login: &str, secret: &str) -> Self {
        self.guard = Guard::basic(login, secret);
        self
    }

    /// Sets how it behaves from the start.
    #[must_use]
    pub fn behaviour(mut self, behaviour: Behaviour) -> Self {
        self.behaviour = behaviour;
        self
    }

    /// Starts it and its storage listener, both over TLS if a configuration is given.
    pub async fn start(
        self,
        tls: Option<Arc<rustls::ServerConfig>>,
        tasks: &Tasks,
    ) -> anyhow::Result<RegistryDouble> {
        let storage = storage::Storage::default();
        let storage_router = storage::router(storage.clone());
        let storage_server = Server::start("registry's storage", tls.clone(), storage_router, tasks).await?;
        let state = Arc::new(State {
            content: RwLock::new(self.content),
            behaviour: Mutex::new(self.behaviour),
            guard: self.guard,
            storage_url: storage_server.url(),
        });
        storage.serve(Arc::clone(&state));
        let (log, faults) = (RequestLog::default(), Faults::default());
        let router = Router::new()
            .fallback(dispatch::dispatch)
            .with_state(Arc::clone(&state))
            .layer(middleware::from_fn_with_state(faults.clone(), inject))
            .layer(middleware::from_fn_with_state(log.clone(), record));
        let server = Server::start("registry double", tls, router, tasks).await?;
        Ok(RegistryDouble {
            server,
            storage_server,
            storage,
            state,
            log,
            faults,
        })
    }
}

/// A running registry double. Dropping it stops it.
#[derive(Debug)]
pub struct RegistryDouble {
    server: Server,
    storage_server: Server,
    storage: storage::Storage,
    state: Arc<State>,
    log: RequestLog,
    faults: Faults,
}

impl RegistryDouble {
    /// A registry that serves `content` to everyone, until told otherwise.
    #[must_use]
    pub fn builder(content: Content) -> RegistryDoubleBuilder {
        RegistryDoubleBuilder {
            content,
            behaviour: Behaviour::default(),
            guard: Guard::Open,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Its address as a URL without a path.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// TCP connections that it has accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// A copy of what it holds now.
    #[must_use]
    pub fn content(&self) -> Content {
        self.state.content().clone()
    }

    /// Changes what it holds; the next request sees it.
    pub fn change<T>(&self, change: impl FnOnce(&mut Content) -> T) -> T {
        change(&mut self.state.content.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes how it behaves; the next request sees it.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(
            &mut self
                .state
                .behaviour
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Its faults.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What it was asked.
    #[must_use]
    pub fn log(&self) -> &RequestLog {
        &self.log
    }

    /// What it is and holds, for whoever serves the same in another way.
    pub(crate) fn inside(&self) -> Inside {
        Inside(Arc::clone(&self.state))
    }

    /// Where its storage listens, which serves redirected blobs.
    #[must_use]
    pub fn storage_address(&self) -> SocketAddr {
        self.storage_server.address()
    }

    /// What its storage was asked.
    #[must_use]
    pub fn storage_log(&self) -> &RequestLog {
        self.storage.log()
    }
}
