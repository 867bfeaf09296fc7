//! One listener of a product, with its own faults and its own memory of what it was asked.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, middleware};
use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use portolan_shared::process::Tasks;
use serde_json::Value;

use crate::faults::{Faults, inject};
use crate::network::{RequestLog, Server, record};

/// Bytes of a request's body: 413 beyond.
const BODY_BYTES: usize = 64 * 1024;

/// A running listener. Dropping it stops it.
#[derive(Debug)]
pub struct Stage {
    server: Server,
    log: RequestLog,
    faults: Faults,
    lies: Lies,
}

/// What is answered in place of the product, by a text in the path: JSON made of the query.
#[derive(Clone, Default)]
struct Lies(Arc<Mutex<LiesByText>>);

type LiesByText = Vec<(String, Box<Lie>)>;

type Lie = dyn Fn(&str) -> String + Send;

impl std::fmt::Debug for Lies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lies").finish_non_exhaustive()
    }
}

impl Lies {
    fn answer(&self, path: &str, query: &str) -> Option<String> {
        let lies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lie = lies.iter().find(|(text, _)| path.contains(text.as_str()));
        lie.map(|(_, lie)| lie(query))
    }
}

impl Stage {
    /// Starts it, over TLS if a configuration is given. Every request that no fault hits is answered by `answer`.
    pub(super) async fn start(
        name: &'static str,
        tls: Option<Arc<rustls::ServerConfig>>,
        tasks: &Tasks,
        answer: impl Fn(&Question) -> Response + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let (log, faults) = (RequestLog::default(), Faults::default());
        let answer: Arc<Answer> = Arc::new(answer);
        let lies = Lies::default();
        let router = Router::new()
            .route("/{*path}", axum::routing::any(ask))
            .with_state(Asking {
                answer,
                secure: tls.is_some(),
                lies: lies.clone(),
            })
            .layer(middleware::from_fn_with_state(faults.clone(), inject))
            .layer(middleware::from_fn_with_state(log.clone(), record));
        let server = Server::start(name, tls, router, tasks).await?;
        Ok(Self {
            server,
            log,
            faults,
            lies,
        })
    }

    /// Its address as a URL without a path.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What it was asked.
    #[must_use]
    pub fn log(&self) -> &RequestLog {
        &self.log
    }

    /// From now on, whatever is asked of paths that contain `text` is answered with what `lie` makes of the query, in place of the product's own
    /// answer: for servers that mean harm.
    pub fn lie(&self, text: &str, lie: impl Fn(&str) -> String + Send + 'static) {
        let mut lies = self.lies.0.lock().unwrap_or_else(PoisonError::into_inner);
        lies.push((text.to_owned(), Box::new(lie)));
    }

    /// Its faults.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }
}

type Answer = dyn Fn(&Question) -> Response + Send + Sync;

#[derive(Clone)]
struct Asking {
    answer: Arc<Answer>,
    secure: bool,
    lies: Lies,
}

async fn ask(State(asking): State<Asking>, Path(path): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let host = parts.uri.authority().map(ToString::to_string).or_else(|| {
        let host = parts.headers.get(header::HOST)?.to_str().ok()?;
        Some(host.to_owned())
    });
    if let Some(lie) = asking
        .lies
        .answer(parts.uri.path(), parts.uri.query().unwrap_or_default())
    {
        return text(200, "application/json", lie);
    }
    let scheme = if asking.secure { "https" } else { "http" };
    let question = Question {
        here: format!("{scheme}://{}", host.unwrap_or_default()),
        method: parts.method,
        path: format!("/{path}"),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    (asking.answer)(&question)
}

/// A request, whole.
#[derive(Debug)]
pub(super) struct Question {
    /// Scheme, host and port that the client used.
    pub(super) here: String,
    pub(super) method: Method,
    /// The path with `%XX` resolved.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Question {
    /// The first value of a query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        self.parameters(name).into_iter().next()
    }

    pub(super) fn parameters(&self, name: &str) -> Vec<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .collect()
    }

    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.parameter(name)?.parse().ok()
    }

    pub(super) fn header(&self, name: HeaderName) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    /// The token of its Bearer credential.
    pub(super) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header(header::AUTHORIZATION).split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// Login and secret of its Basic credential.
    pub(super) fn basic(&self) -> Option<(String, String)> {
        let (scheme, value) = self.header(header::AUTHORIZATION).split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(BASE64.decode(value.trim().as_bytes()).ok()?).ok()?;
        let (login, secret) = text.split_once(':')?;
        Some((login.to_owned(), secret.to_owned()))
    }
}

/// An answer in JSON.
pub(super) fn json(status: u16, body: &Value) -> Response {
    text(status, "application/json", body.to_string())
}

/// An answer of any type.
pub(super) fn text(status: u16, kind: &'static str, body: impl Into<Body>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, kind)], body.into()).into_response()
}

/// A page for people.
pub(super) fn page(status: u16) -> Response {
    text(
        status,
        "text/html",
        "<html><body>nothing for programs here</body></html>",
    )
}

/// The same answer with one more header; without it if the value makes none.
pub(super) fn with(mut response: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = http::HeaderValue::from_str(value) {
        response
            .headers_mut()
            .append(HeaderName::from_static(name), value);
    }
    response
}
