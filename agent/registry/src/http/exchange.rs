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
use super::neighbours::Neighbours;
use super::pauses::Pauses;
use super::resolve::Resolver;
use super::waits::Waits;
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
    pub(crate) allowance: Arc<Allowance>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
}

/// Sends requests and counts them.
pub(crate) struct Transport {
    pub(super) endpoints: Endpoints,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rng: Arc<dyn Rng>,
    pub(super) allowance: Arc<Allowance>,
    pub(super) pauses: Pauses,
    pub(super) waits: Waits,
    /// The registry's last `Date`, and when it came.
    date: Mutex<Option<(HeaderValue, Timestamp)>>,
    neighbours: Neighbours,
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
            waits: Waits::default(),
            date: Mutex::default(),
            neighbours: Neighbours::default(),
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

    /// Notes a host that the registry named as its token service.
    pub(crate) fn note_realm(&self, realm: &Url) {
        self.neighbours.note(self.registry(), Purpose::Realm, realm);
    }

    /// Hosts beside the registry's own that it named, or redirected to, for this purpose: as `HOST:PORT`, also those that were refused.
    pub(crate) fn neighbours(&self, purpose: Purpose) -> Vec<String> {
        self.neighbours.hosts(purpose)
    }

    /// The certificates that were served and trusted so far.
    pub(crate) fn certificates(&self) -> Vec<CertificateFacts> {
        self.endpoints.certificates()
    }

    /// One attempt, within its time. Waiting for permission between redirects is not the server's doing, and counts for nothing.
    pub(super) async fn attempt(&self, outgoing: &Outgoing) -> Result<Reply, Fault> {
        let mut left = outgoing.total;
        let mut leg = Leg {
            url: outgoing.url.clone(),
            purpose: outgoing.purpose,
            authorization: outgoing.authorization.as_ref(),
            elsewhere: false,
        };
        for hop in 0..=self.limits().redirects {
            if hop > 0 {
                // For the first one, somebody has waited before.
                self.guard().ready().await;
                self.allowance.turn().await?;
            }
            let began = self.clock.uptime();
            let arrived = tokio::time::timeout(left, self.walk(outgoing, leg)).await;
            match arrived.unwrap_or(Err(Fault::TimedOut {
                after: outgoing.total,
            }))? {
                Arrived::Answer(reply) => return Ok(reply),
                Arrived::Onward(next) => leg = next,
            }
            left = left.saturating_sub(self.clock.uptime().since(began));
        }
        Err(Fault::Redirect {
            to: leg.url.host_str().map(str::to_owned),
            why: "more often than is followed",
        })
    }

    /// One request, and what it led to.
    async fn walk<'o>(&self, outgoing: &Outgoing, leg: Leg<'o>) -> Result<Arrived<'o>, Fault> {
        let Leg {
            url,
            purpose,
            authorization,
            elsewhere,
        } = leg;
        let endpoint = self.endpoints.admit(&url, purpose)?;
        let request = build(outgoing, url.clone(), authorization);
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        self.guard().contacted(&endpoint.origin.hop(purpose));
        let response =
            endpoint.client.execute(request).await.map_err(|error| {
                fault_of(&error, endpoint.way()).at(purpose, || endpoint.origin.authority())
            })?;
        // Before anything is made of it, so that neither redirects nor answers without a body come for nothing.
        self.received(&endpoint, header_bytes(response.headers()))?;
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
            let reply = self.read(outgoing, &endpoint, response, url, elsewhere).await?;
            return Ok(Arrived::Answer(reply));
        };
        if endpoint.origin.is_of(&to) {
            return Ok(Arrived::Onward(Leg {
                url: to,
                purpose,
                authorization,
                elsewhere,
            }));
        }
        let purpose = match purpose {
            Purpose::Realm => Purpose::Realm,
            Purpose::Registry | Purpose::Storage => Purpose::Storage,
        };
        self.neighbours.note(self.registry(), purpose, &to);
        Ok(Arrived::Onward(Leg {
            url: to,
            purpose,
            // Whatever comes next, even a way back, is not what the login was meant for.
            authorization: None,
            elsewhere: true,
        }))
    }

    fn received(&self, endpoint: &Endpoint, count: usize) -> Result<(), Fault> {
        let hop = endpoint.origin.hop(endpoint.purpose);
        self.guard()
            .received(&hop, count)
            .map_err(|refusal| Fault::Policy {
                host: endpoint.origin.host.clone(),
                port: endpoint.origin.port,
                purpose: endpoint.purpose,
                rule: refusal.rule,
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
            self.received(endpoint, count)
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

/// Where a request goes, and what it takes along.
struct Leg<'o> {
    url: Url,
    purpose: Purpose,
    authorization: Option<&'o HeaderValue>,
    /// Whether a redirect has left the origin that was asked.
    elsewhere: bool,
}

/// What a request led to.
enum Arrived<'o> {
    Answer(Reply),
    Onward(Leg<'o>),
}

/// Bytes of names and values: about what came, however it was packed.
fn header_bytes(headers: &HeaderMap) -> usize {
    let sizes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    sizes.sum()
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
