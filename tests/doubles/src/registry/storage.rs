//! The object storage that blobs are redirected to. It has its own credentials in the URL, and refuses a second one.

use std::sync::{Arc, OnceLock};

use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, middleware};
use http::{HeaderMap, StatusCode, header};

use super::double::State;
use crate::network::{RequestLog, record};

/// The storage listener's side of a double; empty until it is given the registry's state.
#[derive(Debug, Clone, Default)]
pub(super) struct Storage {
    state: Arc<OnceLock<Arc<State>>>,
    log: RequestLog,
}

impl Storage {
    pub(super) fn log(&self) -> &RequestLog {
        &self.log
    }

    pub(super) fn serve(&self, state: Arc<State>) {
        // Called once, by the builder.
        let _ = self.state.set(state);
    }
}

pub(super) fn router(storage: Storage) -> Router {
    let log = storage.log.clone();
    Router::new()
        .route("/bucket/{hex}", axum::routing::get(object))
        .with_state(storage)
        .layer(middleware::from_fn_with_state(log, record))
}

async fn object(Shared(storage): Shared<Storage>, Path(hex): Path<String>, headers: HeaderMap) -> Response {
    let xml = [(header::CONTENT_TYPE, "application/xml")];
    if headers.contains_key(header::AUTHORIZATION) || headers.contains_key(header::COOKIE) {
        let body =
            "<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>";
        return (StatusCode::BAD_REQUEST, xml, body).into_response();
    }
    let blob = storage.state.get().zip(format!("sha256:{hex}").parse().ok());
    match blob.and_then(|(state, digest)| state.content().blobs().get(&digest).cloned()) {
        Some(blob) => ([(header::CONTENT_TYPE, "binary/octet-stream")], blob).into_response(),
        None => (
            StatusCode::NOT_FOUND,
            xml,
            "<Error><Code>NoSuchKey</Code></Error>",
        )
            .into_response(),
    }
}
