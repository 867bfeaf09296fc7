//! What to send along with a request, and what to do when that did not suffice.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use portolan_shared::process::{Clock, Uptime};

use super::challenge::{Challenge, Challenges};
use super::credential::{Credential, Credentials};
use super::issuer::{Granted, Issuer, basic};
use super::realm;
use super::scope::Scope;
use crate::error::Fault;
use crate::http::{Reply, Throttle, Transport};

/// How long a login is used before its source is asked again.
const LOGIN_KEEPS: Duration = Duration::from_secs(5);
/// Token requests at once.
const TOKEN_REQUESTS: usize = 8;
/// Refusals in a row that a login which was accepted before may meet while each still counts as one of what was asked for: some registries
/// answer so for single repositories. Then it counts as refused itself, for it may have been changed.
const REFUSALS_IN_A_ROW: u32 = 8;
/// Token services that are remembered; a registry has one.
const ISSUERS: usize = 4;

pub(crate) struct Authenticator {
    credentials: Arc<dyn Credentials>,
    throttle: Throttle,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    mode: Mode,
    /// The last one used first.
    issuers: Vec<Arc<Issuer>>,
    login: Option<(Uptime, Option<Arc<Credential>>)>,
    /// A login that was refused: it is not tried again, lest the account be locked.
    refused: Option<Refused>,
    /// Hosts of product APIs that refused a login, the latest last, with that login.
    pub(super) refused_by_apis: Vec<(String, Arc<Credential>)>,
    /// The login that the registry has accepted itself, and its refusals since then.
    accepted: Option<(Arc<Credential>, u32)>,
}

struct Refused {
    login: Arc<Credential>,
    host: String,
    status: StatusCode,
}

/// How the registry wants to be asked.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Unknown,
    Basic,
    Bearer,
}

/// Sent along with a request.
pub(crate) struct Authorization {
    pub(crate) header: HeaderValue,
    kind: Kind,
}

enum Kind {
    /// The login itself.
    Login(Arc<Credential>),
    /// A token that was asked for with this scope, perhaps just now.
    Token { asked: String, fresh: bool },
}

impl Authorization {
    /// Whether it was fetched earlier, so that it may have ended without our noticing.
    pub(crate) fn may_be_stale(&self) -> bool {
        matches!(self.kind, Kind::Token { fresh: false, .. })
    }
}

impl From<Granted> for Authorization {
    fn from(granted: Granted) -> Self {
        Self {
            header: granted.header,
            kind: Kind::Token {
                asked: granted.asked,
                fresh: granted.fresh,
            },
        }
    }
}

impl Authenticator {
    pub(crate) fn new(credentials: Arc<dyn Credentials>, clock: Arc<dyn Clock>) -> Self {
        Self {
            credentials,
            throttle: Throttle::new(TOKEN_REQUESTS, clock),
            state: Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a login.
    pub(crate) async fn has_login(&self, transport: &Transport) -> Result<bool, Fault> {
        Ok(self.login(transport).await?.is_some())
    }

    /// What to send without having been asked: nothing until the registry has once said what it wants.
    pub(crate) async fn ahead(
        &self,
        transport: &Transport,
        scope: &Scope,
    ) -> Result<Option<Authorization>, Fault> {
        let login = self.login(transport).await?;
        if let Some(sent) = login.as_ref().and_then(as_it_is) {
            return Ok(Some(sent));
        }
        let issuer = {
            let state = self.state();
            match state.mode {
                Mode::Unknown => return Ok(None),
                Mode::Basic => return Ok(login.as_ref().and_then(by_login)),
                Mode::Bearer => state.issuers.first().map(Arc::clone),
            }
        };
        let Some(known) = issuer else {
            return Ok(None);
        };
        let issuer = if same(known.login.as_ref(), login.as_ref()) {
            known
        } else {
            self.issuer(known.realm.clone(), known.service.clone(), login)
        };
        if *scope == Scope::Login && issuer.login.is_none() {
            // A stranger needs no token to be told what the API is, and many services give none for nothing.
            return Ok(None);
        }
        self.fetch(transport, &issuer, scope, None).await.map(Some)
    }

    /// The registry let in what came with `sent`.
    pub(crate) fn accepted(&self, sent: &Authorization) {
        if let Kind::Login(login) = &sent.kind {
            self.state().accepted = Some((Arc::clone(login), 0));
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
        let login = self.login(transport).await?;
        let refused_login = match tried.map(|tried| &tried.kind) {
            Some(Kind::Login(login)) => Some(Arc::clone(login)),
            _ => None,
        };
        if let Some(login) = refused_login {
            if let Some((accepted, refusals)) = &mut self.state().accepted
                && Arc::ptr_eq(accepted, &login)
                && *refusals < REFUSALS_IN_A_ROW
            {
                *refusals += 1;
                return Ok(None);
            }
            let host = transport.registry().host.clone();
            return Err(self.refuse(login, host, reply.status));
        }
        let mut realm_refused = None;
        if let Some(Challenge::Bearer {
            realm,
            service,
            scope: named,
            ..
        }) = challenges.bearer()
        {
            match self.realm_for(transport, realm, reply, login.as_ref()) {
                Ok(realm) => {
                    let issuer = self.issuer(realm, service.clone(), login);
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
            self.state().mode = Mode::Basic;
            return Ok(Some(sent));
        }
        if let Some(fault) = realm_refused {
            return Err(fault);
        }
        // Some registries refuse without a challenge; what they asked for earlier still holds.
        let known = self.state().issuers.first().map(Arc::clone);
        match known {
            Some(issuer) if challenges.0.is_empty() && same(issuer.login.as_ref(), login.as_ref()) => {
                let ask = scope.text();
                self.ask_again(transport, &issuer, scope, ask, tried).await
            }
            _ => Ok(None),
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
        match issuer.token(transport, &self.throttle, &slot).await {
            Ok(granted) => Ok(granted.into()),
            Err(Fault::LoginRefused { host, status }) => Err(match &issuer.login {
                Some(login) => self.refuse(Arc::clone(login), host, status),
                None => Fault::LoginRefused { host, status },
            }),
            Err(fault) => Err(fault),
        }
    }

    /// The issuer for this realm, service and login; it becomes the one that is used ahead.
    fn issuer(
        &self,
        realm: url::Url,
        service: Option<String>,
        login: Option<Arc<Credential>>,
    ) -> Arc<Issuer> {
        let mut state = self.state();
        state.mode = Mode::Bearer;
        let known = state.issuers.iter().position(|issuer| {
            issuer.realm == realm && issuer.service == service && same(issuer.login.as_ref(), login.as_ref())
        });
        let issuer = match known {
            Some(0) => return Arc::clone(&state.issuers[0]),
            Some(index) => state.issuers.remove(index),
            None => Arc::new(Issuer::new(realm, service, login)),
        };
        state.issuers.truncate(ISSUERS - 1);
        state.issuers.insert(0, Arc::clone(&issuer));
        issuer
    }

    /// Remembers that a login was refused.
    fn refuse(&self, login: Arc<Credential>, host: String, status: StatusCode) -> Fault {
        let mut state = self.state();
        state.login = None;
        state.refused = Some(Refused {
            login,
            host: host.clone(),
            status,
        });
        Fault::LoginRefused { host, status }
    }

    /// The login that is valid now; an error if it is the one that was refused.
    pub(super) async fn login(&self, transport: &Transport) -> Result<Option<Arc<Credential>>, Fault> {
        let now = transport.clock().uptime();
        let kept = match &self.state().login {
            Some((at, login)) if now.since(*at) < LOGIN_KEEPS => Some(login.clone()),
            _ => None,
        };
        let login = match kept {
            Some(login) => login,
            None => {
                let current = self.credentials.current().await?;
                let mut state = self.state();
                let before = state.login.take().and_then(|(_, login)| login);
                // The same login keeps its identity, so that comparing it stays cheap.
                let login = match (current, before) {
                    (Some(current), Some(before)) if *before == current => Some(before),
                    (current, _) => current.map(Arc::new),
                };
                state.login = Some((now, login.clone()));
                login
            }
        };
        let mut state = self.state();
        let fault = match (&login, &state.refused) {
            (Some(login), Some(refused)) if **login == *refused.login => Fault::LoginRefused {
                host: refused.host.clone(),
                status: refused.status,
            },
            _ => return Ok(login),
        };
        // Not kept, so that a better one is noticed at once.
        state.login = None;
        Err(fault)
    }
}

/// The header of a secret that is sent alone; `None` for logins that have none of that kind.
pub(super) fn bearer(login: &Credential) -> Option<HeaderValue> {
    let (Credential::Login { secret, .. } | Credential::RegistryToken(secret)) = login else {
        return None;
    };
    let text = zeroize::Zeroizing::new(format!("Bearer {}", secret.expose()));
    let mut header = HeaderValue::try_from(text.as_str()).ok()?;
    header.set_sensitive(true);
    Some(header)
}

fn same(one: Option<&Arc<Credential>>, other: Option<&Arc<Credential>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
        (None, None) => true,
        _ => false,
    }
}

fn by_login(login: &Arc<Credential>) -> Option<Authorization> {
    Some(Authorization {
        header: basic(login)?,
        kind: Kind::Login(Arc::clone(login)),
    })
}

/// A token that somebody else fetched is sent as it is.
fn as_it_is(login: &Arc<Credential>) -> Option<Authorization> {
    if !matches!(login.as_ref(), Credential::RegistryToken(_)) {
        return None;
    }
    let header = bearer(login)?;
    Some(Authorization {
        header,
        kind: Kind::Login(Arc::clone(login)),
    })
}
