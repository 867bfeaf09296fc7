//! One request, one answer.

use std::time::Duration;

use portolan_shared::secret::Secret;
use reqwest::header;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::cli::failure::CliError;
use crate::web::api::ErrorBody;

/// Largest answer that is read, in bytes; a larger one is an error.
const ANSWER: usize = 64 * 1024 * 1024;

/// Asks one control plane.
pub(in crate::cli) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Secret,
}

/// An answer that was fit for use.
pub(in crate::cli) struct Answered {
    pub(in crate::cli) status: StatusCode,
    pub(in crate::cli) tag: Option<String>,
    pub(in crate::cli) bytes: Vec<u8>,
}

/// Parameters behind the question mark; those without a value are left out.
pub(in crate::cli) type Query<'q> = [(&'q str, Option<&'q str>)];

impl Client {
    pub(super) fn new(http: reqwest::Client, base: Url, token: Secret) -> Self {
        Self { http, base, token }
    }

    /// Which control plane.
    pub(in crate::cli) fn control_plane(&self) -> &Url {
        &self.base
    }

    /// `GET`, as JSON. `path` is given in its segments, which may hold anything.
    pub(in crate::cli) async fn get(&self, path: &[&str], query: &Query<'_>) -> Result<Value, CliError> {
        let answered = self.send(self.request(Method::GET, path, query)).await?;
        self.json(&answered.bytes)
    }

    /// `GET`, with the tag that tells whether it has changed since.
    pub(in crate::cli) async fn get_tagged(
        &self,
        path: &[&str],
    ) -> Result<(Value, Option<String>), CliError> {
        let answered = self.send(self.request(Method::GET, path, &[])).await?;
        Ok((self.json(&answered.bytes)?, answered.tag))
    }

    /// `GET`, as it came.
    pub(in crate::cli) async fn get_raw(
        &self,
        path: &[&str],
        query: &Query<'_>,
    ) -> Result<Vec<u8>, CliError> {
        Ok(self.send(self.request(Method::GET, path, query)).await?.bytes)
    }

    /// `GET` of something that is polled: `None` while it is what `seen` is the tag of.
    pub(in crate::cli) async fn get_changed(
        &self,
        path: &[&str],
        seen: Option<&str>,
    ) -> Result<Option<(Value, Option<String>)>, CliError> {
        let mut request = self.request(Method::GET, path, &[]);
        if let Some(seen) = seen {
            request = request.header(header::IF_NONE_MATCH, seen);
        }
        let answered = self.send(request).await?;
        if answered.status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        Ok(Some((self.json(&answered.bytes)?, answered.tag)))
    }

    /// `POST`, `PUT` or `PATCH` with a body.
    pub(in crate::cli) async fn put(
        &self,
        method: Method,
        path: &[&str],
        body: &(impl Serialize + Sync),
    ) -> Result<Value, CliError> {
        let answered = self.send(self.request(method, path, &[]).json(body)).await?;
        self.json(&answered.bytes)
    }

    /// Replaces something, if it is still as it was read: `tag` is what came with it then.
    pub(in crate::cli) async fn replace(
        &self,
        path: &[&str],
        tag: Option<String>,
        body: &(impl Serialize + Sync),
    ) -> Result<Value, CliError> {
        let mut request = self.request(Method::PUT, path, &[]).json(body);
        if let Some(tag) = tag {
            request = request.header(header::IF_MATCH, tag);
        }
        self.json(&self.send(request).await?.bytes)
    }

    /// `POST` without a body: an act.
    pub(in crate::cli) async fn act(&self, path: &[&str]) -> Result<Value, CliError> {
        self.act_with(path, &[]).await
    }

    /// `POST` without a body, with what it is to be like.
    pub(in crate::cli) async fn act_with(&self, path: &[&str], query: &Query<'_>) -> Result<Value, CliError> {
        let answered = self.send(self.request(Method::POST, path, query)).await?;
        self.json(&answered.bytes)
    }

    /// `DELETE`.
    pub(in crate::cli) async fn delete(&self, path: &[&str]) -> Result<(), CliError> {
        self.send(self.request(Method::DELETE, path, &[])).await.map(drop)
    }

    fn request(&self, method: Method, path: &[&str], query: &Query<'_>) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        let query: Vec<_> = query
            .iter()
            .filter_map(|(name, value)| value.map(|value| (*name, value)))
            .collect();
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.http.request(method, url).bearer_auth(self.token.expose())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answered, CliError> {
        let unreachable = |source: reqwest::Error| CliError::Unreachable {
            url: self.base.to_string(),
            source: source.without_url(),
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let tag = text(&response, header::ETAG);
        let after = text(&response, header::RETRY_AFTER).and_then(|seconds| seconds.parse().ok());
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > ANSWER {
                return Err(self.odd(format!("more than {ANSWER} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(Answered { status, tag, bytes });
        }
        Err(match serde_json::from_slice::<ErrorBody>(&bytes) {
            told if status == StatusCode::TOO_MANY_REQUESTS => {
                CliError::crowded(told.as_ref().ok(), after.map(Duration::from_secs))
            }
            Ok(body) => CliError::Refused(body),
            Err(_) => self.odd(format!("status {status} without an error of its form")),
        })
    }

    fn json(&self, bytes: &[u8]) -> Result<Value, CliError> {
        serde_json::from_slice(bytes).map_err(|_| self.odd("not JSON".to_owned()))
    }

    /// Reads a view from an answer.
    pub(in crate::cli) fn view<T: serde::de::DeserializeOwned>(&self, value: &Value) -> Result<T, CliError> {
        T::deserialize(value).map_err(|error| self.odd(format!("an answer of another form: {error}")))
    }

    pub(in crate::cli) fn odd(&self, what: String) -> CliError {
        CliError::Protocol {
            url: self.base.to_string(),
            what,
        }
    }
}

fn text(response: &Response, name: header::HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}
