//! From errors of use cases to answers: the one table of statuses.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::app::AppError;

/// What every error looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody {
    /// Stable; tells programs what happened.
    #[schema(example = "not_found")]
    pub code: String,
    /// Tells people what happened and what to do. Its text may change.
    pub message: String,
    /// The request's id, by which its log lines are found.
    pub request_id: String,
    /// Further facts, depending on the code: `candidates` for `ambiguous_reference`, `field` for `invalid`, and `maximum` if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub details: Option<Value>,
}

/// An error on its way out; the envelope adds the request's id.
#[derive(Debug, Clone)]
pub struct ErrorParts {
    /// See [`ErrorBody::code`].
    pub code: &'static str,
    /// See [`ErrorBody::message`].
    pub message: String,
    /// See [`ErrorBody::details`].
    pub details: Option<Value>,
}

impl ErrorParts {
    /// For errors that came from the framework with a status alone.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "the body is larger than it may be"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported_media_type", "expected application/json"),
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "this path does not take that method"),
            StatusCode::NOT_FOUND => ("no_such_route", "there is nothing under this path"),
            StatusCode::SERVICE_UNAVAILABLE => ("timeout", "this took too long; try again"),
            status if status.is_server_error() => ("internal", INTERNAL),
            _ => ("malformed_request", "the request cannot be read"),
        };
        Self {
            code,
            message: message.to_owned(),
            details: None,
        }
    }
}

const INTERNAL: &str = "the control plane failed; its log has the reason under this request id";

/// An error as an answer.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    parts: ErrorParts,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let parts = ErrorParts {
            code,
            message: message.into(),
            details: None,
        };
        Self { status, parts }
    }

    /// A fault of ours; tells nothing.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", INTERNAL)
    }

    /// No route has this path.
    #[must_use]
    pub fn no_such_route() -> Self {
        Self::of_status(StatusCode::NOT_FOUND)
    }

    /// The path does not take this method.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::of_status(StatusCode::METHOD_NOT_ALLOWED)
    }

    /// What it says.
    pub(super) fn message(&self) -> &str {
        &self.parts.message
    }

    pub(super) fn of_status(status: StatusCode) -> Self {
        Self {
            status,
            parts: ErrorParts::of_status(status),
        }
    }

    /// The request cannot be read at all.
    pub(super) fn malformed(what: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_request", what)
    }

    /// A value of the request is not acceptable.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over an id, a text or an error alike"
    )]
    pub(super) fn invalid(field: &'static str, why: impl ToString) -> Self {
        AppError::Invalid {
            field,
            why: why.to_string(),
        }
        .into()
    }

    /// A number of the request is no number, or out of its bounds.
    pub(super) fn out_of_bounds(field: &'static str, least: u64, most: u64) -> Self {
        let mut error = Self::invalid(field, format!("expected {least} to {most}"));
        error.parts.details = Some(json!({"field": field, "minimum": least, "maximum": most}));
        error
    }

    /// The request is well formed, but its members are not those of the operation.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over an id, a text or an error alike"
    )]
    pub(super) fn unprocessable(why: impl ToString) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", why.to_string())
    }
}

/// The table.
fn status(error: &AppError) -> StatusCode {
    match error {
        AppError::Unauthenticated => StatusCode::UNAUTHORIZED,
        AppError::Forbidden { .. } => StatusCode::FORBIDDEN,
        AppError::NotFound { .. } | AppError::ContentUnavailable { .. } => StatusCode::NOT_FOUND,
        AppError::Taken { .. }
        | AppError::InvitedAlready { .. }
        | AppError::NameOfRevoked { .. }
        | AppError::NoSensor { .. }
        | AppError::Standing { .. }
        | AppError::Ambiguous { .. }
        | AppError::CredentialVersion { .. }
        | AppError::NoFormerCredential { .. }
        | AppError::AwaitingSealing { .. }
        | AppError::RunEnded { .. }
        | AppError::WebhookForgotten { .. } => StatusCode::CONFLICT,
        AppError::TooManyProbes { .. } | AppError::TooManyReaders { .. } | AppError::TooManyTests { .. } => {
            StatusCode::TOO_MANY_REQUESTS
        }
        AppError::HistoryForgotten { .. } | AppError::HistoryUnknown { .. } | AppError::CursorExpired => {
            StatusCode::GONE
        }
        AppError::OutOfDate { .. } => StatusCode::PRECONDITION_FAILED,
        AppError::Invalid { .. } | AppError::UnknownReference { .. } | AppError::OutsidePatterns { .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        AppError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        AppError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn details(error: &AppError) -> Option<Value> {
    match error {
        AppError::Invalid { field, .. } => Some(json!({"field": field})),
        AppError::Ambiguous { candidates, .. } => Some(json!({"candidates": candidates})),
        AppError::InvitedAlready {
            invitation,
            expires_at,
            ..
        } => Some(json!({"invitation": invitation, "expires_at": expires_at})),
        AppError::OutsidePatterns {
            registry,
            repositories,
            patterns,
        } => Some(
            json!({"field": "repositories", "registry": registry, "repositories": repositories, "patterns": patterns}),
        ),
        AppError::CredentialVersion { credential, next } => {
            Some(json!({"credential": credential, "version": next}))
        }
        AppError::NoFormerCredential { registry, .. } => Some(json!({"registry": registry})),
        AppError::AwaitingSealing { registry, sensors } => {
            Some(json!({"registry": registry, "sensors": sensors}))
        }
        AppError::WebhookForgotten { webhook } => Some(json!({"webhook": webhook})),
        AppError::NoSensor { registry } => Some(json!({"registry": registry})),
        AppError::Standing { sensor, state, .. } => Some(json!({"sensor": sensor, "state": state})),
        AppError::RunEnded { state, .. } => Some(json!({"state": state})),
        AppError::ContentUnavailable { why, .. } => Some(json!({"reason": why})),
        AppError::Forbidden { needs, has } => Some(json!({"needs": needs.as_str(), "has": has.as_str()})),
        AppError::TooManyProbes { most } => Some(json!({"most": most})),
        AppError::TooManyReaders { most } | AppError::TooManyTests { most } => Some(json!({"most": most})),
        AppError::HistoryForgotten { earliest } | AppError::HistoryUnknown { earliest, .. } => {
            Some(json!({"earliest": earliest}))
        }
        AppError::Unauthenticated
        | AppError::NotFound { .. }
        | AppError::Taken { .. }
        | AppError::NameOfRevoked { .. }
        | AppError::UnknownReference { .. }
        | AppError::OutOfDate { .. }
        | AppError::CursorExpired
        | AppError::Unavailable(_)
        | AppError::Internal(_) => None,
    }
}

impl From<AppError> for ApiError {
    fn from(error: AppError) -> Self {
        let status = status(&error);
        let message = match &error {
            AppError::Internal(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a use case failed");
                INTERNAL.to_owned()
            }
            AppError::Unavailable(_) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the store is not available"
                );
                "the database does not answer; try again".to_owned()
            }
            told => told.to_string(),
        };
        let parts = ErrorParts {
            code: error.code(),
            message,
            details: details(&error),
        };
        Self { status, parts }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"portolan\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = HeaderValue::from_static("2");
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response.extensions_mut().insert(self.parts);
        response
    }
}
