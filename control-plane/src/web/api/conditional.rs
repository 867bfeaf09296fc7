//! Entity tags: every answer to a `GET` has one, and one that the caller has already is not sent again (RFC 9110, 13.1).

use std::borrow::Cow;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;

use super::ApiError;

/// The version of the thing that an answer shows, for its entity tag. Set by handlers in the answer's extensions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version(pub(super) u64);

/// Largest answer that is rendered, in bytes; no operation comes near it. Above, the answer is an internal error.
const ANSWER: usize = 64 * 1024 * 1024;

pub(super) async fn conditional(request: Request, next: Next) -> Response {
    // Not `HEAD`: its body has been taken away by now, and a tag of nothing would be that of nothing.
    let is_read = *request.method() == Method::GET;
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    let content_type = response.headers().get(header::CONTENT_TYPE);
    // A stream has no end to wait for, and is never the same twice.
    let is_stream = content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    if !is_read || response.status() != StatusCode::OK || is_stream {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, ANSWER).await else {
        tracing::error!("an answer was larger than its bound");
        return ApiError::internal().into_response();
    };
    let tag = match head.extensions.get::<Version>() {
        Some(Version(version)) => format!("\"{version}-{}\"", hash(&without_ages(&bytes))),
        None => format!("\"{}\"", hash(&without_ages(&bytes))),
    };
    let is_known = known.is_some_and(|known| names(&known, &tag));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        head.headers.insert(header::ETAG, tag);
    }
    if is_known {
        head.status = StatusCode::NOT_MODIFIED;
        head.headers.remove(header::CONTENT_TYPE);
        head.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, Body::from(bytes))
}

/// An answer without the numbers of its `age_seconds`: they grow by themselves, and that is no change.
fn without_ages(body: &[u8]) -> Cow<'_, [u8]> {
    // Quotes within a text have a backslash before them: this can only be the end of a member's name.
    const NAME: &[u8] = b"age_seconds\":";
    let mut kept = Vec::new();
    let mut rest = body;
    while let Some(at) = memmem(rest, NAME) {
        let (before, after) = rest.split_at(at + NAME.len());
        kept.extend_from_slice(before);
        let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest = &after[digits..];
    }
    if kept.is_empty() {
        return Cow::Borrowed(body);
    }
    kept.extend_from_slice(rest);
    Cow::Owned(kept)
}

/// Where `needle` first stands in `haystack`.
fn memmem(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn hash(bytes: &[u8]) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    HEXLOWER.encode(&hash.as_ref()[..16])
}

fn names(header: &HeaderValue, tag: &str) -> bool {
    header.to_str().is_ok_and(|list| {
        list.split(',')
            .map(|one| one.trim().trim_start_matches("W/"))
            .any(|one| one == tag || one == "*")
    })
}

/// The version that `If-Match` asks for: the part of the entity tag in front of the dash, since only the version says whether somebody
/// changed the thing; times of runs in its body do not. `None` without the header, or with `*`.
pub(super) fn seen_version(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    text.trim_matches('"')
        .split_once('-')
        .and_then(|(version, _)| version.parse().ok())
        .map(Some)
        .ok_or_else(|| ApiError::invalid("If-Match", "expected the ETag of the registry, unchanged"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_takes_the_version_of_an_entity_tag() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, HeaderValue::from_static(text));
            seen_version(&headers).ok()
        };
        assert_eq!(read("\"12-0011\""), Some(Some(12)));
        assert_eq!(read("*"), Some(None));
        assert_eq!(read("\"0011\""), None);
        assert_eq!(read("\"x-0011\""), None);
        assert_eq!(seen_version(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn an_age_that_grows_is_no_change() {
        let without = |text: &str| String::from_utf8(without_ages(text.as_bytes()).into_owned()).unwrap();
        let young = without(r#"{"a":{"age_seconds":7,"b":1},"oldest_success_age_seconds":12}"#);
        assert_eq!(
            young,
            r#"{"a":{"age_seconds":,"b":1},"oldest_success_age_seconds":}"#
        );
        assert_eq!(
            young,
            without(r#"{"a":{"age_seconds":86400,"b":1},"oldest_success_age_seconds":0}"#)
        );
        for other in [
            r#"{"age_seconds":null}"#,
            r#"{"words":"\"age_seconds\":7"}"#,
            r#"{"page_seconds":7}"#,
            "",
        ] {
            assert_ne!(without(other), young);
        }
        let said = r#"{"words":"\"age_seconds\":7"}"#;
        assert_eq!(without(said), said, "what somebody has said counts");
    }

    #[test]
    fn if_none_match_is_a_list() {
        let header = HeaderValue::from_static("\"a\", W/\"b\"");
        assert!(names(&header, "\"a\"") && names(&header, "\"b\"") && !names(&header, "\"c\""));
        assert!(names(&HeaderValue::from_static("*"), "\"c\""));
    }
}
