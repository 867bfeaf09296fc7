//! The handle that tests hold, and the middleware that applies the rules.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use super::action::Fault;
use super::bodies;
use super::rule::Rule;
use crate::network::Reset;

/// Names a rule that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleId(u64);

/// The faults of one double. Cheap to clone; changes act on the next request.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Rules>>);

#[derive(Debug, Default)]
struct Rules {
    next: u64,
    rules: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    id: RuleId,
    rule: Rule,
    fault: Fault,
    matched: u64,
    hits: u64,
}

/// Marks a request whose token the double is to take for an expired one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PretendInvalidToken;

impl Faults {
    /// Puts a rule in force.
    #[expect(clippy::needless_pass_by_value, reason = "rules are built in place, and kept")]
    pub fn add(&self, rule: Rule, fault: Fault) -> RuleId {
        let mut rules = self.lock();
        let id = RuleId(rules.next);
        rules.next += 1;
        rules.rules.push(Entry {
            id,
            rule: rule.clone(),
            fault,
            matched: 0,
            hits: 0,
        });
        id
    }

    /// Takes a rule back.
    pub fn remove(&self, id: RuleId) {
        self.lock().rules.retain(|entry| entry.id != id);
    }

    /// Takes all rules back.
    pub fn clear(&self) {
        self.lock().rules.clear();
    }

    /// How many requests a rule has hit; zero once it was taken back.
    #[must_use]
    pub fn hits(&self, id: RuleId) -> u64 {
        self.lock()
            .rules
            .iter()
            .find(|entry| entry.id == id)
            .map_or(0, |entry| entry.hits)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Rules> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn for_request(&self, method: &Method, target: &str) -> Vec<Fault> {
        let mut hit = Vec::new();
        for entry in &mut self.lock().rules {
            if entry.rule.matches(method, target) {
                entry.matched += 1;
                if entry.rule.hits(entry.matched, entry.hits) {
                    entry.hits += 1;
                    hit.push(entry.fault.clone());
                }
            }
        }
        hit
    }
}

/// The middleware.
pub(crate) async fn inject(State(faults): State<Faults>, mut request: Request, next: Next) -> Response {
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let hit = faults.for_request(request.method(), target);
    if hit.is_empty() {
        return next.run(request).await;
    }
    for fault in &hit {
        match fault {
            Fault::Delay(wait) => tokio::time::sleep(*wait).await,
            Fault::Hold(gate) => gate.wait().await,
            _ => {}
        }
    }
    for fault in &hit {
        if let Some(answer) = answer(fault, &mut request).await {
            return answer;
        }
    }
    let mut response = next.run(request).await;
    for fault in &hit {
        response = change(fault, response).await;
    }
    response
}

async fn answer(fault: &Fault, request: &mut Request) -> Option<Response> {
    match fault {
        Fault::Reset => {
            if let Some(reset) = request.extensions().get::<Reset>() {
                reset.now();
            }
            // The connection's task ends now and takes this request with it.
            std::future::pending().await
        }
        Fault::InvalidToken => {
            request.extensions_mut().insert(PretendInvalidToken);
            None
        }
        Fault::Answer {
            status,
            code,
            retry_after,
        } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = if code.is_empty() {
                (
                    status,
                    Html("<html><body><h1>Something went wrong</h1></body></html>"),
                )
                    .into_response()
            } else {
                let error =
                    serde_json::json!({"errors": [{"code": code, "message": code.to_ascii_lowercase()}]});
                (status, Json(error)).into_response()
            };
            if let Some(value) = retry_after
                .as_deref()
                .and_then(|text| HeaderValue::from_str(text).ok())
            {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
            Some(response)
        }
        Fault::Redirect { status, location } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::TEMPORARY_REDIRECT);
            Some((status, [(header::LOCATION, location.clone())]).into_response())
        }
        _ => None,
    }
}

async fn change(fault: &Fault, mut response: Response) -> Response {
    match fault {
        Fault::Header { name, value } => {
            let name = HeaderName::from_static(name);
            match value.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
                Some(value) => {
                    response.headers_mut().insert(name, value);
                }
                None => {
                    response.headers_mut().remove(name);
                }
            }
            response
        }
        Fault::Garble => with_body(response, |body| async { bodies::garbled(body).await }).await,
        Fault::Truncate(length) => with_body(response, |body| bodies::truncated(body, *length)).await,
        Fault::Trickle(wait) => with_body(response, async |body| bodies::trickled(body, *wait)).await,
        Fault::Endless => {
            response.headers_mut().remove(header::CONTENT_LENGTH);
            with_body(response, async |_| bodies::endless()).await
        }
        Fault::EndlessGzip => {
            response.headers_mut().remove(header::CONTENT_LENGTH);
            response
                .headers_mut()
                .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            with_body(response, async |_| bodies::endless_gzip()).await
        }
        _ => response,
    }
}

async fn with_body<F: Future<Output = Body>>(response: Response, change: impl FnOnce(Body) -> F) -> Response {
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, change(body).await)
}
