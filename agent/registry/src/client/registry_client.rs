//! One registry, ready to be read.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::http::header::WWW_AUTHENTICATE;
use ::http::{HeaderValue, StatusCode};
use jiff::SignedDuration;
use portolan_shared::model::{Budget, CertificateFacts, RegistryUrl, RepositoryName};

use super::access::Access;
use super::request::Request;
use super::route::Routes;
use crate::api::{Learnt, fault_of};
use crate::auth::{
    Authenticator, Authorization, Challenge, Challenges, LoginEntry, Scope, TokenHint, absolute_realm,
};
use crate::error::{Fault, RegistryError, Subject};
use crate::http::{
    Allowance, Guard, Limits, Origin, Outgoing, Purpose, Reply, Throttle, Transport, TransportParts,
};

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
    routes: Routes,
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
        let allowance = access.allowance();
        Self::within(access, allowance)
    }

    /// The same, working on an account of requests that others work on too: the budget's rate and what is left are those of them all.
    pub(crate) fn within(access: Access, allowance: Arc<Allowance>) -> Result<Self, RegistryError> {
        let Access {
            url,
            trust,
            gate,
            resolver,
            credentials,
            refused,
            budget,
            requests_left: _,
            proxy,
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
            // What is served to this client is this client's to tell.
            trust: trust.remembering_anew(),
            resolver,
            limits,
            keep: ceiling,
            proxies: proxy,
            allowance,
            clock: Arc::clone(&clock),
            rng,
        };
        let transport =
            Transport::new(parts).map_err(|fault| RegistryError::new(name.clone(), Subject::Api, fault))?;
        Ok(Self(Arc::new(Inner {
            base: format!("{url}/v2/"),
            routes: Routes::default(),
            authenticator: Authenticator::new(credentials, Arc::clone(&clock), name.clone(), refused),
            url,
            name,
            transport,
            throttle: Throttle::new(ceiling, clock),
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

    /// Lets no more than `ceiling` requests be in flight from now on, for products that bear fewer than the budget allows.
    pub fn narrow(&self, ceiling: usize) {
        self.0.throttle.narrow(ceiling);
    }

    /// The certificates that the registry, and the hosts that it sent us to, have served so far, where they were trusted: one a host, at most
    /// [`limits::CERTIFICATE_FACTS`](portolan_shared::model::limits::CERTIFICATE_FACTS).
    #[must_use]
    pub fn certificates(&self) -> Vec<CertificateFacts> {
        self.0.transport.certificates()
    }

    /// How far the registry's clock is ahead of ours (behind, if negative), by the `Date` of its last answer; `None` before the first one.
    /// It is good to about the time that an answer takes.
    #[must_use]
    pub fn clock_skew(&self) -> Option<SignedDuration> {
        self.0.transport.clock_skew()
    }

    /// The life of the token that the registry's token service gave last; `None` before the first one.
    #[must_use]
    pub fn token_life(&self) -> Option<Duration> {
        self.0.authenticator.token_life()
    }

    /// Hosts beside the registry's own that its challenges named as token service, or that this one redirected to: as `HOST:PORT`, at most
    /// [`limits::BOUND_HOSTS`](portolan_shared::model::limits::BOUND_HOSTS), also those that were not contacted because they may not be.
    #[must_use]
    pub fn realm_hosts(&self) -> Vec<String> {
        self.0.transport.neighbours(Purpose::Realm)
    }

    /// Hosts beside the registry's own that it redirected downloads to, in the same form and number.
    #[must_use]
    pub fn storage_hosts(&self) -> Vec<String> {
        self.0.transport.neighbours(Purpose::Storage)
    }

    fn note_realm(&self, reply: &Reply) {
        if reply.elsewhere || !reply.headers.contains_key(WWW_AUTHENTICATE) {
            return;
        }
        if let Some(Challenge::Bearer { realm, .. }) = Challenges::of(&reply.headers).bearer()
            && let Ok(realm) = absolute_realm(realm, &reply.url)
        {
            self.0.transport.note_realm(&realm);
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
        let limits = inner.transport.limits();
        if let Some(routed) = inner.routes.of(request.path, request.scope) {
            let base = format!("{}{}", self.origin(), routed.front);
            let outgoing = request.to(routed.path).outgoing(&base, limits)?;
            return self.send_scoped(&routed.scope, outgoing).await;
        }
        let scope = request.scope;
        let outgoing = request.outgoing(&inner.base, limits)?;
        self.send_scoped(scope, outgoing).await
    }

    /// From now on, the first component of a repository's name is the key of one of several registries behind this address, each of which
    /// has its `/v2/` below `front/KEY`. For products that are made so, once they are recognised.
    pub(crate) fn route_below(&self, front: &str) {
        self.0.routes.set(front);
    }

    /// Scheme, host and port.
    pub(super) fn origin(&self) -> String {
        let scheme = if self.0.url.is_https() { "https" } else { "http" };
        format!("{scheme}://{}", self.0.url.reference_host())
    }

    /// Sends a request to the registry, logs in when asked to, and returns the last answer, whatever its status.
    pub(super) async fn send_scoped(&self, scope: &Scope, mut outgoing: Outgoing) -> Result<Reply, Fault> {
        let inner = &*self.0;
        let mut tried = inner.authenticator.ahead(&inner.transport, scope).await?;
        // As known, as the challenge says, once more where the challenge for our token names another scope, and once more where a login that
        // was refused has been changed meanwhile.
        for left in (0..4).rev() {
            outgoing.authorization = tried.as_ref().map(|tried| tried.header.clone());
            let reply = inner.transport.send(&inner.throttle, &outgoing).await?;
            self.note_realm(&reply);
            let refused = match reply.status {
                _ if reply.elsewhere => false,
                StatusCode::UNAUTHORIZED => true,
                // Amazon's public registry says this of a token that has ended.
                StatusCode::BAD_REQUEST => tried.as_ref().is_some_and(Authorization::may_be_stale),
                _ => false,
            };
            if !refused {
                // Whoever sends everybody elsewhere has not looked at the login.
                let is_told = reply.status.is_success() && !reply.elsewhere;
                if let Some(sent) = tried.as_ref().filter(|_| is_told) {
                    inner.authenticator.accepted(sent);
                }
                return Ok(reply);
            }
            let authenticator = &inner.authenticator;
            if left == 0 {
                authenticator.refused_last(&inner.transport, &reply, tried.as_ref())?;
                return Ok(reply);
            }
            match authenticator
                .answer(&inner.transport, scope, &reply, tried.as_ref())
                .await?
            {
                Some(next) => tried = Some(next),
                None => return Ok(reply),
            }
        }
        Err(Fault::Internal {
            problem: "a request was not sent",
        })
    }

    /// Sends a request without any login, and returns the answer, whatever its status.
    pub(crate) async fn send_as_stranger(&self, request: Request<'_>) -> Result<Reply, Fault> {
        let inner = &*self.0;
        let outgoing = request.outgoing(&inner.base, inner.transport.limits())?;
        let reply = inner.transport.send(&inner.throttle, &outgoing).await?;
        self.note_realm(&reply);
        Ok(reply)
    }

    /// Takes in how the registry wants to be asked, from an answer that is no refusal.
    pub(crate) async fn learn_from(&self, reply: &Reply) {
        self.0.authenticator.learn(&self.0.transport, reply).await;
    }

    /// Whether there is a login at all.
    pub(crate) async fn has_login(&self) -> Result<bool, Fault> {
        self.0.authenticator.has_login(&self.0.transport).await
    }

    /// Under which name the login for a repository, or for the registry as such, was found, where its source has several.
    pub(crate) async fn login_entry(
        &self,
        repository: Option<&RepositoryName>,
    ) -> Result<Option<LoginEntry>, Fault> {
        self.0
            .authenticator
            .login_entry(&self.0.transport, repository)
            .await
    }

    /// What the login looks like, also after it was refused; `None` without one.
    pub(crate) async fn token_hint(&self) -> Result<Option<TokenHint>, Fault> {
        self.0.authenticator.hint(&self.0.transport).await
    }

    /// What is sent along for this right, once the registry has said how it wants to be asked; `None` if nothing is.
    pub(crate) async fn authorization(&self, scope: &Scope) -> Result<Option<HeaderValue>, Fault> {
        let inner = &*self.0;
        let ahead = inner.authenticator.ahead(&inner.transport, scope).await?;
        Ok(ahead.map(|ahead| ahead.header))
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
