//! The REST API, as a program uses it.

use std::fmt;

use anyhow::Context as _;
use serde_json::Value;

/// A client of the REST API with one token.
#[derive(Clone)]
pub struct Api {
    client: reqwest::Client,
    base: String,
    token: String,
}

/// An answer that was not a success.
#[derive(Debug)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Value,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}: {}", self.status, self.body)
    }
}

impl std::error::Error for ApiError {}

impl Api {
    /// For the control plane at `base`.
    pub fn new(base: &str, token: &str) -> anyhow::Result<Self> {
        Ok(Self {
            client: plain_client()?,
            base: format!("{base}/api/v1"),
            token: token.to_owned(),
        })
    }

    /// Reads `path`, such as `/runs/ID`, with query parameters.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let request = self.client.get(format!("{}{path}", self.base)).query(query);
        self.send(request).await
    }

    /// Posts a body.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(self.client.post(format!("{}{path}", self.base)).json(body))
            .await
    }

    /// Changes something in part.
    pub async fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(self.client.patch(format!("{}{path}", self.base)).json(body))
            .await
    }

    /// All items of a list, over all of its pages.
    pub async fn all(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            if let Some(cursor) = &cursor {
                query.push(("cursor", cursor));
            }
            let page = self.get(path, &query).await?;
            items.extend(
                page["items"]
                    .as_array()
                    .context("items of a page")?
                    .iter()
                    .cloned(),
            );
            match page["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let answer = request.bearer_auth(&self.token).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if status.is_success() {
            Ok(body)
        } else {
            Err(ApiError {
                status: status.as_u16(),
                body,
            }
            .into())
        }
    }
}

/// A client for plain HTTP on loopback. reqwest wants to know how to speak TLS all the same; this one trusts nobody.
pub fn plain_client() -> anyhow::Result<reqwest::Client> {
    let tls = rustls::ClientConfig::builder_with_provider(portolan_shared::tls::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(tls)
        .build()?)
}
