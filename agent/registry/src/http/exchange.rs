//! One attempt at a request: every redirect admitted, every deadline kept, the body read up to its bound.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::CertificateFacts;
use portolan_shared::process::{Clock, ProxyRules, Rng};
use portolan_shared::tls::RegistryTrust;
use url::Url;

use super::allowance::Allowance;
use super::endpoint::{Builder, Endpoint, Endpoints, Origin};
use super::failure::{PROXY_WANTS_LOGIN, fault_of};
use super::guard::{Guard, Purpose};
use super::limits::Limits;
use super::pauses::Pauses;
use super::resolve::Resolver;
use super::{body, redirect};
use crate::error::Fault;

/// What a transport is made of.
pub(crate) struct TransportParts {
    pub(crate) registry: Origin,
    pub(crate) trust: RegistryTrust,
    pub(crate) guard: Guard,
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) limits: Limits,
    pub(crate) keep: usize,
    pub(crate) proxies: ProxyRules,
    pub(crate) allowance: Allowance,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
}

/// Sends requests and counts them.
pub(crate) struct Transport {
    pub(super) endpoints: Endpoints,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rng: Arc<dyn Rng>,
    pub(super) allowance: Allowance,
    pub(super) pauses: Pauses,
    /// The registry's last `Date`, and when it came.
    date: Mutex<Option<(HeaderValue, Timestamp)>>,
    pub(crate) counters: Counters,
}

/// Counts since the client was made.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) retries: AtomicU64,
}

/// A request that can be sent any number of times.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) purpose: Purpose,
    pub(crate) accept: HeaderValue,
    /// Whether a compressed body is welcome. Never for what is hashed: length and digest are those of the bytes as they are stored.
    pub(crate) compressed: bool,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) if_none_match: Option<HeaderValue>,
    /// What to post, and its type.
    pub(crate) body: Option<(HeaderValue, Bytes)>,
    /// Bytes of a good answer's body.
    pub(crate) bound: usize,
    pub(crate) total: Duration,
    pub(crate) follow: bool,
    /// Tries after a server error; the policy's if none is given. Failures of the line are always tried again as the policy says.
    pub(crate) retries: Option<u32>,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The URL that answered, after redirects.
    pub(crate) url: Url,
    /// Whether redirects led to another origin: then the answer is not the registry's own word, and our login was not along.
    pub(crate) elsewhere: bool,
}

impl Reply {
    /// Whether the body is JSON, whatever it is called.
    pub(crate) fn is_json(&self) -> bool {
        serde_json::from_slice::<serde::de::IgnoredAny>(&self.body).is_ok()
    }
}

impl Transport {
    pub(crate) fn new(parts: TransportParts) -> Result<Self, Fault> {
        let builder = Builder {
            trust: parts.trust,
            guard: parts.guard,
            resolver: parts.resolver,
            limits: parts.limits,
            keep: parts.keep,
            proxies: parts.proxies,
        };
        Ok(Self {
            endpoints: Endpoints::new(builder, parts.registry)?,
            clock: parts.clock,
            rng: parts.rng,
            allowance: parts.allowance,
            pauses: Pauses::default(),
            date: Mutex::default(),
            counters: Counters::default(),
        })
    }

    pub(crate) fn registry(&self) -> &Origin {
        self.endpoints.registry()
    }

    pub(crate) fn guard(&self) -> &Guard {
        self.endpoints.guard()
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.endpoints.limits()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(super) fn remember_date(&self, date: HeaderValue, now: Timestamp) {
        *self.date.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, now));
    }

    /// How far the registry's clock is ahead of ours, by its last answer; the time that the answer took is part of it.
    pub(crate) fn clock_skew(&self) -> Option<SignedDuration> {
        let (date, now) = self.date.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let said = jiff::fmt::rfc2822::parse(date.to_str().ok()?).ok()?;
        Some(said.timestamp().duration_since(now))
    }

    /// The certificates that were served and trusted so far.
    pub(crate) fn certificates(&self) -> Vec<CertificateFacts> {
        self.endpoints.certificates()
    }

    /// One attempt, within its time.
    pub(super) async fn attempt(&self, outgoing: &Outgoing) -> Result<Reply, Fault> {
        tokio::time::timeout(outgoing.total, self.follow(outgoing))
            .await
            .unwrap_or(Err(Fault::TimedOut {
                after: outgoing.total,
            }))
    }

    async fn follow(&self, outgoing: &Outgoing) -> Result<Reply, Fault> {
        let mut url = outgoing.url.clone();
        let mut purpose = outgoing.purpose;
        let mut authorization = outgoing.authorization.as_ref();
        let mut elsewhere = false;
        for hop in 0..=self.limits().redirects {
            if hop > 0 {
                // For the first one, somebody has waited before the time began to count.
                self.guard().ready().await;
                self.allowance.turn().await?;
            }
            let endpoint = self.endpoints.admit(&url, purpose)?;
            let request = build(outgoing, url.clone(), authorization);
            self.counters.requests.fetch_add(1, Ordering::Relaxed);
            let response = endpoint.client.execute(request).await.map_err(|error| {
                fault_of(&error, endpoint.way()).at(purpose, || endpoint.origin.authority())
            })?;
            if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED
                && let Some(proxy) = endpoint.way().proxy
            {
                return Err(Fault::ProxyRefused {
                    proxy: proxy.to_owned(),
                    problem: PROXY_WANTS_LOGIN,
                });
            }
            let to = if outgoing.follow {
                redirect::target(&url, response.status(), response.headers())?
            } else {
                None
            };
            let Some(to) = to else {
                return self.read(outgoing, &endpoint, response, url, elsewhere).await;
            };
            if !endpoint.origin.is_of(&to) {
                // Whatever comes next, even a way back, is not what the login was meant for.
                authorization = None;
                elsewhere = true;
                purpose = if purpose == Purpose::Realm {
                    Purpose::Realm
                } else {
                    Purpose::Storage
                };
            }
            url = to;
        }
        Err(Fault::Redirect {
            to: url.host_str().map(str::to_owned),
            why: "more often than is followed",
        })
    }

    async fn read(
        &self,
        outgoing: &Outgoing,
        endpoint: &Endpoint,
        mut response: reqwest::Response,
        url: Url,
        elsewhere: bool,
    ) -> Result<Reply, Fault> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let received = |count: usize| {
            self.counters.bytes.fetch_add(count as u64, Ordering::Relaxed);
        };
        let idle = self.limits().idle;
        let body = if outgoing.method == Method::HEAD || status == StatusCode::NOT_MODIFIED {
            Bytes::new()
        } else if status.is_success() {
            body::read_whole(response, outgoing.bound, idle, endpoint.way(), received)
                .await
                .map_err(|fault| fault.at(endpoint.purpose, || endpoint.origin.authority()))?
        } else {
            // Of an error only its code is of use; that the rest cannot be read makes it no other error.
            body::read_start(
                response,
                self.limits().error_bytes,
                idle,
                endpoint.way(),
                received,
            )
            .await
            .unwrap_or_default()
        };
        Ok(Reply {
            status,
            headers,
            body,
            url,
            elsewhere,
        })
    }
}

fn build(outgoing: &Outgoing, url: Url, authorization: Option<&HeaderValue>) -> reqwest::Request {
    const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
    const GZIP: HeaderValue = HeaderValue::from_static("gzip");
    let mut request = reqwest::Request::new(outgoing.method.clone(), url);
    let headers = request.headers_mut();
    headers.reserve(6);
    headers.insert(ACCEPT, outgoing.accept.clone());
    headers.insert(ACCEPT_ENCODING, if outgoing.compressed { GZIP } else { IDENTITY });
    if let Some(authorization) = authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    if let Some(known) = &outgoing.if_none_match {
        headers.insert(IF_NONE_MATCH, known.clone());
    }
    if let Some((kind, body)) = &outgoing.body {
        headers.insert(CONTENT_TYPE, kind.clone());
        *request.body_mut() = Some(body.clone().into());
    }
    request
}

#[cfg(test)]
impl Reply {
    /// An answer without headers.
    pub(crate) fn for_test(status: u16, body: &str) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            url: Url::parse("https://r.example.com/v2/").unwrap(),
            elsewhere: false,
        }
    }
}
