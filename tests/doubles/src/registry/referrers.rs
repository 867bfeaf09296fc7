//! The referrers API (distribution-spec 1.1).

use axum::response::{IntoResponse as _, Response};
use http::header;
use portolan_shared::model::{Digest, MediaType};
use serde_json::json;
use url::form_urlencoded;

use super::behaviour::{Behaviour, Referrers};
use super::double::State;
use super::errors;

pub(super) fn serve(state: &State, behaviour: &Behaviour, name: &str, digest: &str, query: &str) -> Response {
    if behaviour.referrers == Referrers::Missing {
        return errors::page_not_found();
    }
    let Ok(subject) = digest.parse::<Digest>() else {
        return errors::digest_invalid();
    };
    let wanted: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "artifactType")
        .map(|(_, value)| value.into_owned())
        .collect();
    let mut referrers = state.content().referrers(name, &subject);
    referrers.retain(|referrer| {
        wanted.is_empty()
            || referrer["artifactType"]
                .as_str()
                .is_some_and(|kind| wanted.iter().any(|w| w == kind))
    });
    let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": referrers});
    let content_type = [(header::CONTENT_TYPE, MediaType::OCI_INDEX.to_string())];
    let mut response = (content_type, index.to_string()).into_response();
    if !wanted.is_empty() {
        response.headers_mut().insert(
            "oci-filters-applied",
            header::HeaderValue::from_static("artifactType"),
        );
    }
    response
}
