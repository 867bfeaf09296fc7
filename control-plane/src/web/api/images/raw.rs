//! `GET /images/raw`

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use portolan_shared::model::MediaType;

use super::show::ShowImage;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::parameters::Parameters;

/// Show a manifest as the registry served it
///
/// Exactly its bytes, under its own media type; they hash to `Docker-Content-Digest`.
#[utoipa::path(
    get, path = "/images/raw", operation_id = "show_raw_manifest", tag = "inventory",
    params(ShowImage),
    responses((
        status = 200, description = "The manifest", content_type = "application/vnd.oci.image.manifest.v1+json", body = Vec<u8>,
        headers(("Docker-Content-Digest" = String, description = "The manifest's digest")),
    )),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn raw(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(query): Parameters<ShowImage>,
) -> Result<Response, ApiError> {
    let manifest = app
        .manifest_bytes(&caller, &query.reference, query.platform.as_deref())
        .await?;
    // Media types come from registries: one that is none of a manifest could make a browser run what is in it.
    let media_type = manifest
        .media_type
        .filter(|media_type| MediaType::MANIFESTS.contains(media_type))
        .unwrap_or(MediaType::OCTET_STREAM);
    let mut response = manifest.bytes.into_response();
    let headers = response.headers_mut();
    if let Ok(media_type) = HeaderValue::from_str(media_type.as_str()) {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    if let Ok(digest) = HeaderValue::from_str(&manifest.digest.to_string()) {
        headers.insert(HeaderName::from_static("docker-content-digest"), digest);
    }
    let sandbox = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, sandbox);
    Ok(response)
}
