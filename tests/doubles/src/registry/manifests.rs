//! Manifests, by tag and by digest.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode, header};
use portolan_shared::model::{Digest, MediaType, TagName, manifest::subject_of_tag};
use serde_json::Value;

use super::behaviour::{Behaviour, Flavour};
use super::double::State;
use super::errors;
use crate::content::{Content, StoredManifest};

pub(super) fn serve(
    state: &State,
    behaviour: &Behaviour,
    request: &Request,
    name: &str,
    reference: &str,
) -> Response {
    let content = state.content();
    if content.repository(name).is_none() {
        return errors::name_unknown(name);
    }
    let by_tag = !reference.contains(':');
    let digest = if by_tag {
        resolve(&content, behaviour, name, reference)
    } else {
        reference.parse().ok()
    };
    let Some(digest) = digest else {
        return if by_tag {
            errors::manifest_unknown("manifest unknown")
        } else {
            errors::digest_invalid()
        };
    };
    // Decided before the manifest is read, as the Distribution family does.
    let known = request
        .headers()
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.trim_matches('"') == digest.to_string()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let Some(stored) = content.manifest_in(name, &digest) else {
        return errors::manifest_unknown("manifest unknown");
    };
    match negotiated(&content, behaviour, request, name, by_tag, &digest, stored) {
        Ok((digest, stored)) => found(request.method(), &digest, stored),
        Err(refusal) => *refusal,
    }
}

fn resolve(content: &Content, behaviour: &Behaviour, name: &str, tag: &str) -> Option<Digest> {
    let subject = || tag.parse::<TagName>().ok().as_ref().and_then(subject_of_tag);
    match content.resolve(name, tag) {
        Some(digest) => Some(digest.clone()),
        None => subject().filter(|_| behaviour.fallback_is_subject),
    }
}

fn negotiated<'a>(
    content: &'a Content,
    behaviour: &Behaviour,
    request: &Request,
    name: &str,
    by_tag: bool,
    digest: &Digest,
    stored: &'a StoredManifest,
) -> Result<(Digest, &'a StoredManifest), Box<Response>> {
    let accepts = |wanted: &MediaType| {
        let values = request.headers().get_all(header::ACCEPT);
        values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|value| value.parse::<MediaType>().ok())
            .any(|accepted| accepted == *wanted)
    };
    let refused = |what: &str| {
        let message = format!("OCI {what} found, but accept header does not support OCI {what}");
        let message = if what == "index" {
            message + "es"
        } else {
            message + "s"
        };
        Err(Box::new(errors::manifest_unknown(&message)))
    };
    let is = |media_type: &MediaType| stored.media_type == *media_type;
    if is(&MediaType::OCI_MANIFEST) && !accepts(&MediaType::OCI_MANIFEST) {
        return refused("manifest");
    }
    if is(&MediaType::OCI_INDEX) && !accepts(&MediaType::OCI_INDEX) {
        return refused("index");
    }
    let schema1 = is(&MediaType::DOCKER_SCHEMA1) || is(&MediaType::DOCKER_SCHEMA1_SIGNED);
    if schema1 && behaviour.flavour != Flavour::Plain {
        let message = "Schema 1 manifest not supported";
        return Err(Box::new(errors::error(
            StatusCode::BAD_REQUEST,
            "MANIFEST_INVALID",
            message,
            &Value::Null,
        )));
    }
    if by_tag && is(&MediaType::DOCKER_LIST) && !accepts(&MediaType::DOCKER_LIST) {
        let child = amd64_child(stored).and_then(|child| Some((content.manifest_in(name, &child)?, child)));
        return match child {
            Some((stored, digest)) => Ok((digest, stored)),
            None => Err(Box::new(errors::manifest_unknown("manifest unknown"))),
        };
    }
    Ok((digest.clone(), stored))
}

/// What a client that knows no lists gets in place of one.
fn amd64_child(list: &StoredManifest) -> Option<Digest> {
    let list: Value = serde_json::from_slice(&list.bytes).ok()?;
    let fits =
        |child: &&Value| child["platform"]["os"] == "linux" && child["platform"]["architecture"] == "amd64";
    list["manifests"].as_array()?.iter().find(fits)?["digest"]
        .as_str()?
        .parse()
        .ok()
}

fn found(method: &Method, digest: &Digest, stored: &StoredManifest) -> Response {
    let headers = [
        (header::CONTENT_TYPE, stored.media_type.to_string()),
        (header::CONTENT_LENGTH, stored.bytes.len().to_string()),
        (
            header::HeaderName::from_static("docker-content-digest"),
            digest.to_string(),
        ),
        (header::ETAG, format!("\"{digest}\"")),
    ];
    let body = if *method == Method::HEAD {
        Body::empty()
    } else {
        Body::from(stored.bytes.clone())
    };
    (headers, body).into_response()
}
