//! What a double was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, header};
use tokio::sync::watch;

/// Requests that are kept: later ones are counted only, and [`RequestLog::seen`] ends there.
const ENTRIES: usize = 500_000;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub target: String,
    /// The scheme of its `Authorization`, in lower case; none if it had no such header.
    pub authorization: Option<String>,
    /// Whether it was conditional (`If-None-Match`).
    pub conditional: bool,
    /// Its `Accept` headers, joined.
    pub accept: String,
    /// Its `User-Agent`.
    pub user_agent: String,
    /// What it was answered; none while it waits, or if the connection was reset instead.
    pub status: Option<u16>,
}

impl Seen {
    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// The requests of one double, in order of arrival. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RequestLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    seen: Mutex<Vec<Seen>>,
    total: watch::Sender<usize>,
}

impl Default for RequestLog {
    fn default() -> Self {
        Self(Arc::new(Inner {
            seen: Mutex::default(),
            total: watch::channel(0).0,
        }))
    }
}

impl RequestLog {
    /// Everything seen since the start or the last [`RequestLog::clear`], up to half a million requests.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().clone()
    }

    /// How many requests have arrived since the start or the last [`RequestLog::clear`].
    #[must_use]
    pub fn total(&self) -> usize {
        *self.0.total.borrow()
    }

    /// How many of the kept requests satisfy `wanted`.
    #[must_use]
    pub fn count(&self, wanted: impl Fn(&Seen) -> bool) -> usize {
        self.lock().iter().filter(|seen| wanted(seen)).count()
    }

    /// Returns once at least `total` requests have arrived: the way to act at a certain moment of a walk.
    pub async fn reached(&self, total: usize) {
        // The sender lives as long as self, so this cannot fail.
        let _ = self.0.total.subscribe().wait_for(|now| *now >= total).await;
    }

    /// Contents that were served in full more than once: paths of GETs by digest with status 200, and how often.
    #[must_use]
    pub fn fetched_again(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::<String, usize>::new();
        for seen in self.lock().iter() {
            let by_digest = seen
                .path()
                .rsplit('/')
                .next()
                .is_some_and(|last| last.starts_with("sha256:"));
            let content = seen.path().contains("/manifests/") || seen.path().contains("/blobs/");
            if seen.method == Method::GET && seen.status == Some(200) && by_digest && content {
                *times.entry(seen.path().to_owned()).or_default() += 1;
            }
        }
        times.retain(|_, times| *times > 1);
        times
    }

    /// Forgets everything, so that a test's second half can be counted alone.
    pub fn clear(&self) {
        self.lock().clear();
        self.0.total.send_replace(0);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Seen>> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrived(&self, seen: Seen) -> usize {
        let mut all = self.lock();
        let place = all.len();
        if place < ENTRIES {
            all.push(seen);
        }
        drop(all);
        self.0.total.send_modify(|total| *total += 1);
        place
    }

    fn answered(&self, place: usize, target: &str, status: u16) {
        // After a `clear` the place may belong to another request.
        if let Some(seen) = self.lock().get_mut(place).filter(|seen| seen.target == target) {
            seen.status = Some(status);
        }
    }
}

/// The middleware that fills a log.
pub(crate) async fn record(State(log): State<RequestLog>, request: Request, next: Next) -> Response {
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    let place = log.arrived(describe(&request, &target));
    let response = next.run(request).await;
    log.answered(place, &target, response.status().as_u16());
    response
}

fn describe(request: &Request, target: &str) -> Seen {
    let text = |name: header::HeaderName| {
        let values = request.headers().get_all(name);
        let values: Vec<_> = values.iter().filter_map(|value| value.to_str().ok()).collect();
        values.join(", ")
    };
    let authorization = text(header::AUTHORIZATION);
    Seen {
        method: request.method().clone(),
        target: target.to_owned(),
        authorization: authorization
            .split(' ')
            .next()
            .filter(|s| !s.is_empty())
            .map(str::to_ascii_lowercase),
        conditional: request.headers().contains_key(header::IF_NONE_MATCH),
        accept: text(header::ACCEPT),
        user_agent: text(header::USER_AGENT),
        status: None,
    }
}
