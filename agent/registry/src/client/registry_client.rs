//! One registry, ready to be read.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::http::StatusCode;
use portolan_shared::model::{Budget, RegistryUrl};

use super::access::Access;
use super::request::Request;
use crate::api::{Learnt, fault_of};
use crate::auth::{Authenticator, Authorization, Scope};
use crate::error::{Fault, RegistryError, Subject};
use crate::http::{Guard, Limits, Origin, Outgoing, Purpose, Reply, Throttle, Transport, TransportParts};

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
pub struct RegistryClient(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) url: RegistryUrl,
    /// `HOST:PORT`, for errors.
    name: String,
    /// URL up to and including `/v2/`.
    base: String,
    pub(super) transport: Transport,
    pub(super) throttle: Throttle,
    pub(super) authenticator: Authenticator,
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
        let scope = request.scope;
        let outgoing = request.outgoing(&inner.base, inner.transport.limits())?;
        self.send_scoped(scope, outgoing).await
    }

    /// Sends a request to the registry, logs in when asked to, and returns the last answer, whatever its status.
    pub(super) async fn send_scoped(&self, scope: &Scope, mut outgoing: Outgoing) -> Result<Reply, Fault> {
        let inner = &*self.0;
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
