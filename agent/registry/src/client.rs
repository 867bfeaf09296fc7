//! One registry, ready to be read.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::http::{HeaderValue, Method, StatusCode};
use bytes::Bytes;
use portolan_shared::model::{Budget, RegistryUrl};
use portolan_shared::process::{Clock, Rng, SystemClock, SystemRng};
use portolan_shared::tls::RegistryTrust;
use url::Url;

use crate::api::{Learnt, fault_of};
use crate::auth::{Anonymous, Authenticator, Authorization, Credentials, Scope};
use crate::error::{Fault, RegistryError, Subject};
use crate::http::{
    AnyHost, Gate, Guard, Limits, Origin, Outgoing, Purpose, Reply, Resolver, SystemResolver, Throttle,
    Transport, TransportParts,
};

/// Everything that a client is made of. [`Access::new`] fills in what suits a program on its own; change what should differ.
pub struct Access {
    /// Where the registry is.
    pub url: RegistryUrl,
    /// Whose certificates are trusted.
    pub trust: RegistryTrust,
    /// Which hosts may be contacted.
    pub gate: Arc<dyn Gate>,
    /// How names become addresses.
    pub resolver: Arc<dyn Resolver>,
    /// Where the login comes from.
    pub credentials: Arc<dyn Credentials>,
    /// How hard the registry may be worked.
    pub budget: Budget,
    /// Every bound.
    pub limits: Limits,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for delays.
    pub rng: Arc<dyn Rng>,
}

impl Access {
    /// Access without a login and without a policy, with the default budget and limits.
    #[must_use]
    pub fn new(url: RegistryUrl, trust: RegistryTrust) -> Self {
        Self {
            url,
            trust,
            gate: Arc::new(AnyHost),
            resolver: Arc::new(SystemResolver),
            credentials: Arc::new(Anonymous),
            budget: Budget::default(),
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
        }
    }
}

/// What a client has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Requests sent, token requests, redirects and repeated ones included.
    pub requests: u64,
    /// Bytes of bodies received, after decompression.
    pub bytes: u64,
    /// Attempts that were made again.
    pub retries: u64,
    /// Requests that may be in flight at the moment.
    pub concurrency: usize,
}

/// Reads one registry. Cheap to clone; clones share connections, tokens and the bound on requests in flight.
#[derive(Clone)]
pub struct RegistryClient(Arc<Inner>);

struct Inner {
    url: RegistryUrl,
    /// `HOST:PORT`, for errors.
    name: String,
    /// URL up to and including `/v2/`.
    base: String,
    transport: Transport,
    throttle: Throttle,
    authenticator: Authenticator,
    learnt: Learnt,
}

impl std::fmt::Debug for RegistryClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RegistryClient").field(&self.0.name).finish()
    }
}

impl RegistryClient {
    /// Builds a client. Nothing is sent; the trust is set up, and errors of it show here.
    pub fn new(access: Access) -> Result<Self, RegistryError> {
        let Access {
            url,
            trust,
            gate,
            resolver,
            credentials,
            budget,
            limits,
            clock,
            rng,
        } = access;
        let name = url.authority();
        let registry = Origin {
            https: url.is_https(),
            host: url.host().to_owned(),
            port: url.port(),
        };
        let ceiling = usize::from(budget.concurrency.clamp(1, Budget::MAX_CONCURRENCY));
        let parts = TransportParts {
            guard: Guard::new(gate, &registry.hop(Purpose::Registry)),
            registry,
            trust,
            resolver,
            limits,
            keep: ceiling,
            clock: Arc::clone(&clock),
            rng,
        };
        let transport =
            Transport::new(parts).map_err(|fault| RegistryError::new(name.clone(), Subject::Api, fault))?;
        Ok(Self(Arc::new(Inner {
            base: format!("{url}/v2/"),
            url,
            name,
            transport,
            throttle: Throttle::new(ceiling, Arc::clone(&clock)),
            authenticator: Authenticator::new(credentials, clock),
            learnt: Learnt::default(),
        })))
    }

    /// Where the registry is.
    #[must_use]
    pub fn url(&self) -> &RegistryUrl {
        &self.0.url
    }

    /// What has been done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counters = &self.0.transport.counters;
        Counts {
            requests: counters.requests.load(Ordering::Relaxed),
            bytes: counters.bytes.load(Ordering::Relaxed),
            retries: counters.retries.load(Ordering::Relaxed),
            concurrency: self.0.throttle.bound(),
        }
    }

    pub(crate) fn learnt(&self) -> &Learnt {
        &self.0.learnt
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.0.transport.limits()
    }

    /// The error for `fault`, with its coordinates.
    pub(crate) fn error(&self, subject: Subject, fault: Fault) -> RegistryError {
        RegistryError::new(self.0.name.clone(), subject, fault)
    }

    /// Sends a request below `/v2/`, logs in when asked to, and returns the last answer, whatever its status.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<Reply, Fault> {
        let inner = &*self.0;
        let (scope, mut outgoing) = (
            request.scope,
            request.outgoing(&inner.base, inner.transport.limits())?,
        );
        let mut tried = inner.authenticator.ahead(&inner.transport, scope).await?;
        // At most: as known, as the challenge says, and once more where the challenge for our token names another scope.
        for _ in 0..2 {
            outgoing.authorization = tried.as_ref().map(|tried| tried.header.clone());
            let reply = inner.transport.send(&inner.throttle, &outgoing).await?;
            let refused = match reply.status {
                _ if reply.elsewhere => false,
                StatusCode::UNAUTHORIZED => true,
                // Amazon's public registry says this of a token that has ended.
                StatusCode::BAD_REQUEST => tried.as_ref().is_some_and(Authorization::may_be_stale),
                _ => false,
            };
            if !refused {
                if let Some(sent) = tried.as_ref().filter(|_| reply.status.is_success()) {
                    inner.authenticator.accepted(sent);
                }
                return Ok(reply);
            }
            match inner
                .authenticator
                .answer(&inner.transport, scope, &reply, tried.as_ref())
                .await?
            {
                Some(next) => tried = Some(next),
                None => return Ok(reply),
            }
        }
        outgoing.authorization = tried.as_ref().map(|tried| tried.header.clone());
        inner.transport.send(&inner.throttle, &outgoing).await
    }

    /// Sends a request without any login, and returns the answer, whatever its status.
    pub(crate) async fn send_as_stranger(&self, request: Request<'_>) -> Result<Reply, Fault> {
        let inner = &*self.0;
        let outgoing = request.outgoing(&inner.base, inner.transport.limits())?;
        inner.transport.send(&inner.throttle, &outgoing).await
    }

    /// Whether there is a login at all.
    pub(crate) async fn has_login(&self) -> Result<bool, Fault> {
        self.0.authenticator.has_login(&self.0.transport).await
    }

    /// Like [`RegistryClient::send`]; every status but success is a fault.
    pub(crate) async fn fetch(&self, request: Request<'_>) -> Result<Reply, Fault> {
        let reply = self.send(request).await?;
        if reply.status.is_success() {
            Ok(reply)
        } else {
            Err(fault_of(&reply))
        }
    }
}

/// A request below `/v2/`.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    /// Path below `/v2/`.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) accept: HeaderValue,
    pub(crate) scope: &'a Scope,
    pub(crate) if_none_match: Option<HeaderValue>,
    pub(crate) bound: usize,
    /// Whether this is a page of a listing: compressed, and given more time.
    pub(crate) listing: bool,
    pub(crate) follow: bool,
    pub(crate) retries: Option<u32>,
}

impl<'a> Request<'a> {
    /// A GET, followed, with the usual time.
    pub(crate) fn get(path: &'a str, accept: HeaderValue, scope: &'a Scope, bound: usize) -> Self {
        Self {
            method: Method::GET,
            path,
            query: None,
            accept,
            scope,
            if_none_match: None,
            bound,
            listing: false,
            follow: true,
            retries: None,
        }
    }

    fn outgoing(self, base: &str, limits: &Limits) -> Result<Outgoing, Fault> {
        let mut text =
            String::with_capacity(base.len() + self.path.len() + self.query.map_or(0, |q| q.len() + 1));
        text.push_str(base);
        text.push_str(self.path);
        if let Some(query) = self.query.filter(|query| !query.is_empty()) {
            text.push('?');
            text.push_str(query);
        }
        let url = Url::parse(&text).map_err(|_| Fault::Internal {
            problem: "a request's URL could not be built",
        })?;
        let form: Option<Bytes> = None;
        Ok(Outgoing {
            method: self.method,
            url,
            purpose: Purpose::Registry,
            accept: self.accept,
            compressed: self.listing,
            authorization: None,
            if_none_match: self.if_none_match,
            form,
            bound: self.bound,
            total: if self.listing {
                limits.list_total
            } else {
                limits.total
            },
            follow: self.follow,
            retries: self.retries,
        })
    }
}
