//! Query parameters.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::ApiError;
use crate::app::App;

/// Extracts query parameters. Unknown ones are refused, by the types' own `deny_unknown_fields`: a mistyped filter would else be none.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, ApiError> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection| ApiError::unprocessable(rejection.body_text()))
    }
}

/// A time in a query.
pub(super) fn time(field: &'static str, text: &str) -> Result<Timestamp, ApiError> {
    text.parse()
        .map_err(|_| ApiError::invalid(field, "expected a time such as 2026-03-31T08:00:00Z"))
}
