//! An endpoint of somebody else's, told of changes by the control plane.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use portolan_doubles::network::Server;
use portolan_shared::events::{Sender, Shown, WebhookSecret, authenticate};
use portolan_shared::process::{Clock as _, SystemClock, Tasks};
use portolan_shared::secret::Secret;
use serde_json::Value;

/// A request as it came.
type Request = (Vec<(String, String)>, Bytes);

/// The endpoint. It refuses the first message, and takes all others.
pub(crate) struct Receiver {
    server: Server,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    pub(crate) async fn start(tasks: &Tasks) -> anyhow::Result<Self> {
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let kept = Arc::clone(&requests);
        let take = async move |headers: HeaderMap, body: Bytes| {
            let headers = headers
                .iter()
                .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push((headers.collect(), body));
            if kept.len() == 1 {
                StatusCode::SERVICE_UNAVAILABLE
            } else {
                StatusCode::NO_CONTENT
            }
        };
        let router = Router::new().route("/hook", post(take));
        let server = Server::start("a receiver of webhooks", None, router, tasks).await?;
        Ok(Self { server, requests })
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/hook", self.server.url())
    }

    /// All events, in order, each message once; every request must be signed with this key, and say the same as any other with its id.
    pub(crate) fn events(&self, key: &str) -> anyhow::Result<Vec<Value>> {
        let secret = WebhookSecret::new(Secret::new(key.to_owned()))?;
        let requests = self
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut messages: BTreeMap<String, Bytes> = BTreeMap::new();
        let mut events = Vec::new();
        for (headers, body) in requests {
            let shown = Shown {
                path_secret: None,
                headers: &headers,
                body: &body,
                now: SystemClock.now(),
            };
            let signed = headers.iter().any(|(name, _)| name == "webhook-signature");
            ensure!(signed, "not signed: {headers:?}");
            authenticate(Sender::CloudEvents, &secret, &shown)?;
            let header = |wanted: &str| {
                headers
                    .iter()
                    .find(|(name, _)| name == wanted)
                    .map(|(_, value)| value.clone())
            };
            ensure!(
                header("content-type").as_deref() == Some("application/cloudevents-batch+json"),
                "{headers:?}"
            );
            let id = header("webhook-id").context("the id of the message")?;
            if let Some(before) = messages.insert(id.clone(), body.clone()) {
                ensure!(before == body, "message {id} says something else the second time");
                continue;
            }
            let batch: Vec<Value> = serde_json::from_slice(&body)?;
            events.extend(batch);
        }
        Ok(events)
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
