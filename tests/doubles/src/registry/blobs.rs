//! Blobs, directly or by way of storage.

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode, header};
use portolan_shared::model::Digest;
use serde_json::json;

use super::behaviour::{Behaviour, BlobServing};
use super::double::State;
use super::errors;

pub(super) fn serve(
    state: &State,
    behaviour: &Behaviour,
    method: &Method,
    name: &str,
    digest: &str,
) -> Response {
    let Ok(digest) = digest.parse::<Digest>() else {
        return errors::digest_invalid();
    };
    let content = state.content();
    let Some(blob) = content.blob_in(name, &digest) else {
        let detail = json!(digest);
        return errors::error(
            StatusCode::NOT_FOUND,
            "BLOB_UNKNOWN",
            "blob unknown to registry",
            &detail,
        );
    };
    if behaviour.blobs == BlobServing::Redirect {
        let hex = digest.to_string().replace("sha256:", "");
        let location = format!(
            "{}/bucket/{hex}?X-Amz-Signature=abc&X-Amz-Expires=1200",
            state.storage_url
        );
        return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, blob.len().to_string()),
        (
            header::HeaderName::from_static("docker-content-digest"),
            digest.to_string(),
        ),
        (header::ETAG, format!("\"{digest}\"")),
        (header::CACHE_CONTROL, "max-age=31536000".to_owned()),
    ];
    let body = if *method == Method::HEAD {
        Body::empty()
    } else {
        Body::from(blob.clone())
    };
    (headers, body).into_response()
}
