//! What stands before the web host: a proxy that takes headers out, and the rate limiter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Request, State as Shared};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};

use super::host::State;
use super::switches::RateLimit;

/// How far the limiter has counted.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

pub(super) async fn pass(Shared(state): Shared<Arc<State>>, mut request: Request, next: Next) -> Response {
    let switches = state.switches();
    if switches.authorization_stripped {
        request.headers_mut().remove(header::AUTHORIZATION);
    }
    let Some(limit) = switches.rate_limit else {
        return next.run(request).await;
    };
    let observed = state.counter.0.fetch_add(1, Ordering::SeqCst) % (limit.limit + 1) + 1;
    let refused = observed > limit.limit;
    let mut response = if refused {
        let retry_after = [(header::RETRY_AFTER, limit.retry_after.to_string())];
        (StatusCode::TOO_MANY_REQUESTS, retry_after, "Retry later\n").into_response()
    } else {
        next.run(request).await
    };
    announce(&state, limit, observed, refused, &mut response);
    response
}

fn announce(state: &State, limit: RateLimit, observed: u64, refused: bool, response: &mut Response) {
    let now = state.clock.now();
    let span = jiff::SignedDuration::from_secs(i64::try_from(limit.retry_after).unwrap_or(i64::MAX));
    let reset = now.checked_add(span).unwrap_or(now);
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set("ratelimit-limit", &limit.limit.to_string());
    set("ratelimit-name", "throttle_authenticated_api");
    set("ratelimit-observed", &observed.to_string());
    set(
        "ratelimit-remaining",
        &limit.limit.saturating_sub(observed).to_string(),
    );
    set("ratelimit-reset", &reset.as_second().to_string());
    if refused {
        set(
            "ratelimit-resettime",
            &reset.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        );
    }
}
