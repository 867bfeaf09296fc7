//! What answers under which path.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Router, middleware};
use portolan_shared::model::limits;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use super::api::{self, ApiError};
use super::{envelope, health, webhook};
use crate::app::App;

/// How long a request may take from its head to the head of the answer.
const REQUEST: Duration = Duration::from_secs(30);

/// The whole people's door. `ready` says whether the process takes work at all, or why not; that the database answers is asked for here.
pub fn router(
    app: Arc<App>,
    ready: impl Fn() -> Result<(), &'static str> + Clone + Send + Sync + 'static,
) -> Router {
    Router::new()
        .nest("/api/v1", api::routes())
        .nest("/api/webhooks", webhook::routes(Arc::clone(&app)))
        .route("/livez", get(health::live))
        .route(
            "/readyz",
            get({
                let app = Arc::clone(&app);
                move || health::ready(app, ready())
            }),
        )
        .fallback(|| async { ApiError::no_such_route() })
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .layer(DefaultBodyLimit::max(limits::REST_BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST,
        ))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), envelope::wrap))
        .with_state(app)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the layer hands the payload over by value"
)]
fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(panic = text, "a request handler panicked");
    ApiError::internal().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tower::{ServiceBuilder, ServiceExt as _};

    #[tokio::test]
    async fn a_panic_is_an_answer_without_its_text() {
        let service = ServiceBuilder::new()
            .layer(CatchPanicLayer::custom(panicked))
            .service_fn(
                async |_: axum::extract::Request| -> Result<Response, std::convert::Infallible> {
                    panic!("the reason is hunter2")
                },
            );
        let answer = service
            .oneshot(axum::extract::Request::new(axum::body::Body::empty()))
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!format!("{:?}", answer.extensions().get::<api::ErrorParts>()).contains("hunter2"));
    }
}
