//! From a request to the one that answers it. Repository names contain slashes, so paths are taken apart from their end.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::Value;

use super::behaviour::{Behaviour, Flavour};
use super::double::State;
use super::gitlab_api::{self, Route};
use super::{blobs, errors, lists, manifests, referrers};
use crate::faults::PretendInvalidToken;
use crate::token::Access;

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    Ping,
    Catalog,
    Tags(&'a str),
    Manifest(&'a str, &'a str),
    Blob(&'a str, &'a str),
    Referrers(&'a str, &'a str),
    GitLab(Route<'a>),
}

impl<'a> Asked<'a> {
    fn of(path: &'a str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/gitlab/v1") {
            return Route::of(rest).map(Self::GitLab);
        }
        let rest = path.strip_prefix("/v2/")?;
        if rest.is_empty() {
            return Some(Self::Ping);
        }
        if rest == "_catalog" {
            return Some(Self::Catalog);
        }
        if let Some(name) = rest.strip_suffix("/tags/list") {
            return Some(Self::Tags(name));
        }
        let (front, last) = rest.rsplit_once('/')?;
        let (name, kind) = front.rsplit_once('/')?;
        match kind {
            "manifests" => Some(Self::Manifest(name, last)),
            "blobs" => Some(Self::Blob(name, last)),
            "referrers" => Some(Self::Referrers(name, last)),
            _ => None,
        }
    }

    fn needs(&self, query: &str) -> Vec<Access> {
        match self {
            Self::Ping => Vec::new(),
            Self::GitLab(route) => route.needs(query),
            Self::Catalog => vec![Access::catalog()],
            Self::Tags(name) | Self::Manifest(name, _) | Self::Blob(name, _) | Self::Referrers(name, _) => {
                vec![Access::pull(name)]
            }
        }
    }
}

pub(super) async fn dispatch(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    let path = percent_decoded(request.uri().path());
    let behaviour = state.behaviour();
    let plain = behaviour.flavour == Flavour::Plain;
    let asked = match Asked::of(&path) {
        None => return errors::page_not_found(),
        Some(Asked::GitLab(_)) if plain => return errors::page_not_found(),
        Some(Asked::GitLab(Route::Unslashed)) => return gitlab_api::slashed(&request),
        Some(asked) => asked,
    };
    let mut response = answer(&state, &behaviour, &asked, &request);
    let headers = response.headers_mut();
    if !matches!(asked, Asked::GitLab(_)) {
        headers.insert(
            "docker-distribution-api-version",
            HeaderValue::from_static("registry/2.0"),
        );
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

fn answer(state: &State, behaviour: &Behaviour, asked: &Asked<'_>, request: &Request) -> Response {
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reading {
        return errors::error(
            StatusCode::METHOD_NOT_ALLOWED,
            "UNSUPPORTED",
            "The operation is unsupported.",
            &Value::Null,
        );
    }
    let query = request.uri().query().unwrap_or_default();
    let checked = state.guard.check(
        request.headers().get(header::AUTHORIZATION),
        &asked.needs(query),
        behaviour.leeway,
        request.extensions().get::<PretendInvalidToken>().is_some(),
    );
    if let Err(refusal) = checked {
        return *refusal;
    }
    let mut response = match asked {
        Asked::Ping => ([(header::CONTENT_TYPE, "application/json")], "{}").into_response(),
        Asked::Catalog => lists::catalog(state, behaviour, request, query),
        Asked::Tags(name) => lists::tags(state, behaviour, request, name, query),
        Asked::Manifest(name, reference) => manifests::serve(state, behaviour, request, name, reference),
        Asked::Blob(name, digest) => blobs::serve(state, behaviour, request.method(), name, digest),
        Asked::Referrers(name, digest) => referrers::serve(state, behaviour, name, digest, query),
        Asked::GitLab(route) => gitlab_api::serve(state, behaviour, request, route),
    };
    if behaviour.flavour != Flavour::Plain {
        let database = behaviour.flavour == Flavour::GitLabDatabase;
        let headers = response.headers_mut();
        headers.insert(
            "gitlab-container-registry-version",
            HeaderValue::from_static("4.39.0-gitlab"),
        );
        if matches!(asked, Asked::GitLab(_)) {
            return response;
        }
        headers.insert(
            "gitlab-container-registry-features",
            HeaderValue::from_static("tag_delete"),
        );
        headers.insert(
            "gitlab-container-registry-database-enabled",
            HeaderValue::from_static(if database { "true" } else { "false" }),
        );
    }
    response
}

/// The path with `%XX` resolved; what is no such sequence stays as it is.
fn percent_decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let decoded = match (first, tail) {
            (b'%', [high, low, ..]) => data_encoding::HEXLOWER_PERMISSIVE.decode(&[*high, *low]).ok(),
            _ => None,
        };
        match decoded {
            Some(byte) => {
                bytes.extend(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_paths_apart_from_their_end() {
        assert_eq!(Asked::of("/v2/"), Some(Asked::Ping));
        assert_eq!(Asked::of("/v2/a/tags/tags/list"), Some(Asked::Tags("a/tags")));
        assert_eq!(
            Asked::of("/v2/a/manifests/blobs/manifests/x"),
            Some(Asked::Manifest("a/manifests/blobs", "x"))
        );
        assert_eq!(
            Asked::of("/v2/a/b/blobs/sha256:00"),
            Some(Asked::Blob("a/b", "sha256:00"))
        );
        assert_eq!(Asked::of("/v2/manifests/x"), None);
        assert_eq!(Asked::of("/api/v4/projects"), None);
        assert_eq!(
            percent_decoded("/v2/a/blobs/sha256%3Aab%zz%4"),
            "/v2/a/blobs/sha256:ab%zz%4"
        );
    }
}
