//! The caller of an operation.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header;
use axum::http::request::Parts;

use super::ApiError;
use crate::app::{App, AppError, Caller};

/// Extracts the caller from `Authorization: Bearer`. It stands first in every handler, so that strangers learn nothing else.
pub(super) struct Authenticated(pub(super) Caller);

impl FromRequestParts<Arc<App>> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
        let bearer = match (values.next(), values.next()) {
            (Some(only), None) => only.to_str().ok().and_then(bearer),
            // With two headers it is not known which of them a proxy looked at.
            _ => None,
        };
        let bearer = bearer.ok_or(AppError::Unauthenticated)?;
        let connection = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let source = connection.map(|ConnectInfo(remote)| remote.ip());
        Ok(Self(app.authenticate(bearer, source).await?))
    }
}

/// The token behind `Bearer`, whose case does not matter (RFC 9110, 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
