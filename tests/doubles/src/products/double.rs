//! The handle of a double whose product keeps what it knows in one value.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use portolan_shared::process::Tasks;

use super::stage::{Question, Stage};
use crate::content::Content;
use crate::faults::Faults;
use crate::network::RequestLog;

/// A running double of the product `P`. Dropping it stops it.
#[derive(Debug)]
pub struct ProductDouble<P> {
    stage: Stage,
    state: Arc<Mutex<(P, Content)>>,
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<P: Send + 'static> ProductDouble<P> {
    /// Starts it, over TLS if a configuration is given; `answer` answers every request that no fault hits.
    pub(super) async fn start(
        name: &'static str,
        product: P,
        content: Content,
        tls: Option<Arc<rustls::ServerConfig>>,
        tasks: &Tasks,
        answer: fn(&mut P, &Content, &Question) -> Response,
    ) -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new((product, content)));
        let held = Arc::clone(&state);
        let stage = Stage::start(name, tls, tasks, move |question| {
            let (product, content) = &mut *lock(&held);
            answer(product, content, question)
        });
        Ok(Self {
            stage: stage.await?,
            state,
        })
    }

    /// Its address as a URL without a path.
    #[must_use]
    pub fn url(&self) -> String {
        self.stage.url()
    }

    /// A copy of what it holds now.
    #[must_use]
    pub fn content(&self) -> Content {
        lock(&self.state).1.clone()
    }

    /// Changes what it holds; the next request sees it.
    pub fn change<T>(&self, change: impl FnOnce(&mut Content) -> T) -> T {
        change(&mut lock(&self.state).1)
    }

    /// Looks at the product, or changes how it behaves; the next request sees it.
    pub fn with<T>(&self, with: impl FnOnce(&mut P) -> T) -> T {
        with(&mut lock(&self.state).0)
    }

    /// Its faults.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        self.stage.faults()
    }

    /// What it was asked.
    #[must_use]
    pub fn log(&self) -> &RequestLog {
        self.stage.log()
    }
}
