//! What to send along with a request, and what to do when that did not suffice.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::HeaderValue;
use portolan_shared::process::{Clock, Uptime};

use super::authorization::{Authorization, Kind, as_it_is, by_login};
use super::challenge::{Challenge, Challenges};
use super::credential::{Credential, Credentials, LoginHolder, Logins};
use super::issuer::{Issuer, Slot};
use super::logins::refusal_in;
use super::realm;
use super::refused::{Refusal, RefusedLogins};
use super::scope::Scope;
use crate::client::Part;
use crate::error::Fault;
use crate::http::{Reply, Throttle, Transport};

/// Token requests at once.
const TOKEN_REQUESTS: usize = 8;
/// Token services that are remembered: a registry has one, or each of its parts has.
const ISSUERS: usize = 32;

pub(crate) struct Authenticator {
    pub(super) credentials: Arc<dyn Credentials>,
    throttle: Throttle,
    /// `HOST:PORT` of the registry, for the memory of refused logins.
    pub(super) registry: String,
    pub(super) refused: Arc<RefusedLogins>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(super) struct State {
    mode: Mode,
    /// The last one used first.
    issuers: Vec<Arc<Issuer>>,
    pub(super) logins: Option<(Uptime, Arc<Logins>)>,
    /// Life of the token that came last.
    token_life: Option<Duration>,
    /// The logins that the registry has accepted itself, and the refusals of each since then.
    pub(super) accepted: Vec<(Arc<Credential>, u32)>,
}

impl State {
    /// The token service that this part of the registry named last.
    fn issuer_of(&self, part: Option<&Part>) -> Option<Arc<Issuer>> {
        let mut issuers = self.issuers.iter();
        issuers
            .find(|issuer| issuer.part.as_ref() == part)
            .map(Arc::clone)
    }

    /// Whether a token service has given tokens for this login: then it is good, whatever it is refused for.
    pub(super) fn has_token_for(&self, login: &Arc<Credential>) -> bool {
        let mut issuers = self.issuers.iter();
        issuers.any(|issuer| issuer.has_yielded() && same(issuer.login.as_ref(), Some(login)))
    }
}

impl LoginHolder for Mutex<State> {
    fn drop_logins(&self) {
        let mut state = self.lock().unwrap_or_else(PoisonError::into_inner);
        state.logins = None;
        state.accepted.clear();
        // Where tokens are given stays known: a request that is sent as nobody meanwhile might be answered with less.
        for issuer in &mut state.issuers {
            let (realm, service) = (issuer.realm.clone(), issuer.service.clone());
            *issuer = Arc::new(Issuer::new(realm, service, None, issuer.part.clone()));
        }
    }
}

/// How the registry wants to be asked.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Unknown,
    Basic,
    Bearer,
}

impl Authenticator {
    pub(crate) fn new(
        credentials: Arc<dyn Credentials>,
        clock: Arc<dyn Clock>,
        registry: String,
        refused: Arc<RefusedLogins>,
    ) -> Self {
        let state = Arc::<Mutex<State>>::default();
        let holder: Weak<Mutex<State>> = Arc::downgrade(&state);
        credentials.kept_by(holder);
        Self {
            credentials,
            registry,
            refused,
            throttle: Throttle::new(TOKEN_REQUESTS, clock),
            state,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to send without having been asked: nothing until the registry has once said what it wants.
    pub(crate) async fn ahead(
        &self,
        transport: &Transport,
        scope: &Scope,
    ) -> Result<Option<Authorization>, Fault> {
        let login = self.login(transport, scope.repository()).await?;
        if let Some(sent) = login.as_ref().and_then(as_it_is) {
            return Ok(Some(sent));
        }
        let issuer = {
            let state = self.state();
            match state.mode {
                Mode::Unknown => return Ok(None),
                Mode::Basic => return Ok(login.as_ref().and_then(by_login)),
                Mode::Bearer => state.issuer_of(scope.part()),
            }
        };
        let Some(known) = issuer else {
            return Ok(None);
        };
        let issuer = if same(known.login.as_ref(), login.as_ref()) {
            known
        } else {
            self.issuer(known.realm.clone(), known.service.clone(), login, scope.part())
        };
        if *scope == Scope::Login && issuer.login.is_none() {
            // A stranger needs no token to be told what the API is, and many services give none for nothing.
            return Ok(None);
        }
        self.fetch(transport, &issuer, scope, None).await.map(Some)
    }

    /// The registry let in what came with `sent`.
    pub(crate) fn accepted(&self, sent: &Authorization) {
        let Kind::Login(login) = &sent.kind else {
            return;
        };
        if self.state().accept(login) {
            self.note_accepted(login);
        }
    }

    /// What to send after `reply`, which refused `tried`; `None` if there is nothing better.
    pub(crate) async fn answer(
        &self,
        transport: &Transport,
        scope: &Scope,
        reply: &Reply,
        tried: Option<&Authorization>,
    ) -> Result<Option<Authorization>, Fault> {
        let challenges = Challenges::of(&reply.headers);
        let login = self.login(transport, scope.repository()).await?;
        let refused_login = match tried.map(|tried| &tried.kind) {
            Some(Kind::Login(login)) => Some(Arc::clone(login)),
            _ => None,
        };
        if let Some(login) = refused_login {
            if self.state().has_token_for(&login) {
                return Ok(None);
            }
            if self.state().refuses_the_rest_of(&login) {
                // Unless it was changed, at the registry and here.
                self.state().logins = None;
                let successor = self.successor(transport, scope.repository(), &login).await;
                return Ok(successor.as_ref().and_then(by_login));
            }
            let fault = self.refuse(transport, &login, refusal_in(transport, reply));
            let successor = self.successor(transport, scope.repository(), &login).await;
            return successor.as_ref().and_then(by_login).map(Some).ok_or(fault);
        }
        let mut realm_refused = None;
        if let Some(Challenge::Bearer {
            realm,
            service,
            scope: named,
            error,
        }) = challenges.bearer()
        {
            let is_fresh = matches!(
                tried.map(|tried| &tried.kind),
                Some(Kind::Token { fresh: true, .. })
            );
            if is_fresh && error.as_deref() == Some("invalid_token") {
                return Err(Fault::TokenRefused { status: reply.status });
            }
            match self.realm_for(transport, realm, reply, login.as_ref()) {
                Ok(realm) => {
                    let issuer = self.issuer(realm, service.clone(), login, scope.part());
                    let ask = scope.within(named.as_deref()).unwrap_or_else(|| scope.text());
                    return self.ask_again(transport, &issuer, scope, ask, tried).await;
                }
                Err(fault) => realm_refused = Some(fault),
            }
        }
        if challenges.basic()
            && let Some(login) = &login
            && let Some(sent) = by_login(login)
        {
            let mut state = self.state();
            // Harbor says so to whoever comes with a token that does not do, and takes tokens all the same.
            if !state.has_token_for(login) {
                state.mode = Mode::Basic;
            }
            return Ok(Some(sent));
        }
        if let Some(fault) = realm_refused {
            return Err(fault);
        }
        // Some registries refuse without a challenge; what they asked for earlier still holds.
        let known = self.state().issuer_of(scope.part());
        match known {
            Some(issuer) if challenges.0.is_empty() && same(issuer.login.as_ref(), login.as_ref()) => {
                let ask = scope.text();
                self.ask_again(transport, &issuer, scope, ask, tried).await
            }
            _ => Ok(None),
        }
    }

    /// Takes in how the registry wants to be asked although it answered: some let strangers see a part, and ask whoever wants to see the rest
    /// (Zot). From now on the login is sent along.
    pub(crate) async fn learn(&self, transport: &Transport, reply: &Reply) {
        let challenges = Challenges::of(&reply.headers);
        let Ok(Some(login)) = self.login(transport, None).await else {
            return;
        };
        let bearer = challenges.bearer();
        if let Some(Challenge::Bearer { realm, service, .. }) = bearer
            && let Ok(realm) = self.realm_for(transport, realm, reply, Some(&login))
        {
            self.issuer(realm, service.clone(), Some(login), None);
        } else if challenges.basic() {
            self.state().mode = Mode::Basic;
        }
    }

    fn realm_for(
        &self,
        transport: &Transport,
        realm: &str,
        reply: &Reply,
        login: Option<&Arc<Credential>>,
    ) -> Result<url::Url, Fault> {
        let realm = realm::absolute(realm, &reply.url)?;
        if login.is_some() {
            realm::may_have_login(transport.registry(), &realm, transport.guard())?;
        }
        Ok(realm)
    }

    /// One more token, unless the one that was refused was fetched just now for the same scope.
    async fn ask_again(
        &self,
        transport: &Transport,
        issuer: &Issuer,
        scope: &Scope,
        ask: String,
        tried: Option<&Authorization>,
    ) -> Result<Option<Authorization>, Fault> {
        if *scope == Scope::Login && issuer.login.is_none() {
            return Ok(None);
        }
        if let Some(Kind::Token { asked, fresh: true }) = tried.map(|tried| &tried.kind)
            && *asked == ask
        {
            return Ok(None);
        }
        let spent = tried.map(|tried| &tried.header);
        self.fetch(transport, issuer, scope, Some((ask, spent)))
            .await
            .map(Some)
    }

    async fn fetch(
        &self,
        transport: &Transport,
        issuer: &Issuer,
        scope: &Scope,
        correction: Option<(String, Option<&HeaderValue>)>,
    ) -> Result<Authorization, Fault> {
        let slot = issuer.slot(scope.text(), transport.clock().uptime());
        if let Some((ask, spent)) = correction {
            slot.correct(ask, spent);
        }
        let fault = match self.token(transport, issuer, &slot).await {
            Ok(granted) => return Ok(granted),
            Err(fault) => fault,
        };
        // Refused, and found changed since: the new login is tried, once.
        let refused = issuer
            .login
            .as_ref()
            .filter(|_| matches!(fault, Fault::LoginRefused { .. }));
        let successor = match refused {
            Some(login) => self.successor(transport, scope.repository(), login).await,
            None => None,
        };
        let Some(login) = successor else {
            return Err(fault);
        };
        let (realm, service) = (issuer.realm.clone(), issuer.service.clone());
        let issuer = self.issuer(realm, service, Some(login), scope.part());
        let slot = issuer.slot(scope.text(), transport.clock().uptime());
        self.token(transport, &issuer, &slot).await
    }

    /// A token of this issuer; that its login was refused is remembered.
    async fn token(
        &self,
        transport: &Transport,
        issuer: &Issuer,
        slot: &Slot,
    ) -> Result<Authorization, Fault> {
        match issuer.token(transport, &self.throttle, slot).await {
            Ok(granted) => {
                self.state().token_life = Some(granted.life);
                if let Some(login) = issuer.login.as_ref().filter(|_| granted.fresh) {
                    self.note_accepted(login);
                }
                Ok(granted.into())
            }
            Err(Fault::LoginRefused {
                host,
                status,
                code,
                json,
            }) => {
                let refusal = Refusal {
                    host,
                    status,
                    code,
                    json,
                };
                Err(match &issuer.login {
                    Some(login) => self.refuse(transport, login, refusal),
                    None => refusal.into(),
                })
            }
            Err(fault) => Err(fault),
        }
    }

    /// The issuer for this realm, service and login; it becomes the one that is used ahead.
    fn issuer(
        &self,
        realm: url::Url,
        service: Option<String>,
        login: Option<Arc<Credential>>,
        part: Option<&Part>,
    ) -> Arc<Issuer> {
        let mut state = self.state();
        state.mode = Mode::Bearer;
        let known = state.issuers.iter().position(|issuer| {
            issuer.realm == realm
                && issuer.service == service
                && issuer.part.as_ref() == part
                && same(issuer.login.as_ref(), login.as_ref())
        });
        let issuer = match known {
            Some(0) => return Arc::clone(&state.issuers[0]),
            Some(index) => state.issuers.remove(index),
            None => Arc::new(Issuer::new(realm, service, login, part.cloned())),
        };
        state.issuers.truncate(ISSUERS - 1);
        state.issuers.insert(0, Arc::clone(&issuer));
        issuer
    }

    /// Life of the token that came last.
    pub(crate) fn token_life(&self) -> Option<Duration> {
        self.state().token_life
    }
}

pub(super) fn same(one: Option<&Arc<Credential>>, other: Option<&Arc<Credential>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
        (None, None) => true,
        _ => false,
    }
}
