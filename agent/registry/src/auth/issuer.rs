//! One token service with one login: its tokens, one flight per scope.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderValue, Method, StatusCode};
use portolan_shared::process::Uptime;
use url::{Url, form_urlencoded};

use super::credential::Credential;
use super::token;
use crate::api::ErrorCode;
use crate::client::Part;
use crate::error::Fault;
use crate::http::{Outgoing, Purpose, Reply, Throttle, Transport};

/// Scopes whose tokens are kept; at the bound those that have ended are dropped, then all.
const SCOPES: usize = 4096;
/// How long a refusal of one scope stands before it is asked for again.
const REFUSAL_STANDS: Duration = Duration::from_secs(300);
const CLIENT_ID: &str = "portolan";

pub(super) struct Issuer {
    pub(super) realm: Url,
    pub(super) service: Option<String>,
    pub(super) login: Option<Arc<Credential>>,
    /// The part of the registry that named it; `None` for the registry itself.
    pub(super) part: Option<Part>,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    /// Whether this login has ever got a token here. Then a refusal is about the scope, else about the login.
    yielded: AtomicBool,
}

/// The token of one scope.
#[derive(Default)]
pub(super) struct Slot {
    /// Held by the one who is fetching.
    flight: tokio::sync::Mutex<()>,
    state: Mutex<SlotState>,
}

#[derive(Default)]
struct SlotState {
    /// What is asked for, as the registry calls it.
    ask: String,
    token: Option<Token>,
    refused: Option<(Uptime, StatusCode)>,
}

#[derive(Clone)]
struct Token {
    header: HeaderValue,
    asked: String,
    life: Duration,
    renew_at: Uptime,
    ends_at: Uptime,
}

/// A token to send.
pub(super) struct Granted {
    pub(super) header: HeaderValue,
    pub(super) asked: String,
    /// Whether it was fetched just now.
    pub(super) fresh: bool,
    /// How long it lives, from when it was asked for.
    pub(super) life: Duration,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slot {
    /// Changes what is asked for; forgets `spent`, which the registry did not accept.
    pub(super) fn correct(&self, ask: String, spent: Option<&HeaderValue>) {
        let mut state = lock(&self.state);
        state.ask = ask;
        if state
            .token
            .as_ref()
            .is_some_and(|token| Some(&token.header) == spent)
        {
            state.token = None;
        }
    }
}

impl Issuer {
    pub(super) fn new(
        realm: Url,
        service: Option<String>,
        login: Option<Arc<Credential>>,
        part: Option<Part>,
    ) -> Self {
        Self {
            realm,
            service,
            login,
            slots: Mutex::default(),
            // A login without rights in one part may have some in the next.
            yielded: AtomicBool::new(part.is_some()),
            part,
        }
    }

    /// Whether this login has ever got a token here.
    pub(super) fn has_yielded(&self) -> bool {
        self.yielded.load(Ordering::Relaxed)
    }

    /// The slot of a scope; a new one asks for `scope` as it stands.
    pub(super) fn slot(&self, scope: String, now: Uptime) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.get(&scope) {
            return Arc::clone(slot);
        }
        if slots.len() >= SCOPES {
            slots.retain(|_, slot| {
                lock(&slot.state)
                    .token
                    .as_ref()
                    .is_some_and(|token| now < token.ends_at)
            });
            if slots.len() >= SCOPES {
                slots.clear();
            }
        }
        let slot = Arc::new(Slot::default());
        lock(&slot.state).ask.clone_from(&scope);
        slots.insert(scope, Arc::clone(&slot));
        slot
    }

    /// The slot's token. One caller fetches, the others wait, or use what they have while it lasts.
    pub(super) async fn token(
        &self,
        transport: &Transport,
        throttle: &Throttle,
        slot: &Slot,
    ) -> Result<Granted, Fault> {
        let held = lock(&slot.state).token.clone();
        let now = transport.clock().uptime();
        let held = held.filter(|token| now < token.ends_at);
        if let Some(token) = held {
            if now < token.renew_at {
                return Ok(token.granted(false));
            }
            let Ok(_flight) = slot.flight.try_lock() else {
                return Ok(token.granted(false));
            };
            return match self.fetch(transport, throttle, slot).await {
                Ok(granted) => Ok(granted),
                // It still has some time to live, and the next request will try again.
                Err(_) => Ok(token.granted(false)),
            };
        }
        let _flight = slot.flight.lock().await;
        let arrived = lock(&slot.state).token.clone();
        if let Some(token) = arrived.filter(|token| transport.clock().uptime() < token.renew_at) {
            return Ok(token.granted(true));
        }
        self.fetch(transport, throttle, slot).await
    }

    async fn fetch(&self, transport: &Transport, throttle: &Throttle, slot: &Slot) -> Result<Granted, Fault> {
        let (ask, refused) = {
            let state = lock(&slot.state);
            (state.ask.clone(), state.refused)
        };
        if let Some((at, status)) = refused
            && transport.clock().uptime().since(at) < REFUSAL_STANDS
        {
            return Err(Fault::Denied { status, code: None });
        }
        // The life counts from before the request: the token is not younger than that.
        let asked_at = transport.clock().uptime();
        let outgoing = self.request(transport, &ask);
        let reply = transport.send(throttle, &outgoing).await?;
        let issued = match self.judge(&reply) {
            Ok(()) => token::read(&reply.body).map_err(|problem| Fault::Token {
                problem,
                status: None,
            })?,
            Err(fault) => {
                if let Fault::Denied { status, .. } = fault {
                    lock(&slot.state).refused = Some((transport.clock().uptime(), status));
                }
                return Err(fault);
            }
        };
        self.yielded.store(true, Ordering::Relaxed);
        let token = Token {
            header: issued.header,
            asked: ask,
            life: issued.life,
            renew_at: Uptime(asked_at.0 + token::renew_after(issued.life)),
            ends_at: Uptime(asked_at.0 + issued.life),
        };
        let granted = token.granted(true);
        let mut state = lock(&slot.state);
        state.token = Some(token);
        state.refused = None;
        Ok(granted)
    }

    fn judge(&self, reply: &Reply) -> Result<(), Fault> {
        let host = || self.realm.host_str().unwrap_or_default().to_owned();
        let status = reply.status;
        let code = || ErrorCode::of(&reply.body);
        match status.as_u16() {
            200..=299 => Ok(()),
            401 if self.login.is_some() => Err(Fault::LoginRefused {
                host: host(),
                status,
                code: code(),
                json: reply.is_json(),
            }),
            // GitLab answers 403 to a login that may not use the registry at all; others to one scope that is not granted.
            403 if self.login.is_some() && !self.has_yielded() => Err(Fault::LoginRefused {
                host: host(),
                status,
                code: code(),
                json: reply.is_json(),
            }),
            // GitLab says so of a registry that is switched off.
            404 if code().is_some_and(|code| code.as_str() == "UNAVAILABLE") => {
                Err(Fault::Rejected { status, code: code() })
            }
            401 | 403 => Err(Fault::Denied { status, code: code() }),
            404 | 405 => Err(Fault::Token {
                problem: "there is no token service where the registry says it is",
                status: Some(status),
            }),
            300..=399 => Err(Fault::Redirect {
                to: None,
                why: "by the token service, where that is not followed",
            }),
            _ => Err(Fault::Rejected { status, code: code() }),
        }
    }

    fn request(&self, transport: &Transport, scope: &str) -> Outgoing {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
        let limits = transport.limits();
        let mut outgoing = Outgoing {
            method: Method::GET,
            url: self.realm.clone(),
            purpose: Purpose::Realm,
            accept: JSON,
            compressed: true,
            authorization: None,
            if_none_match: None,
            body: None,
            bound: limits.token_bytes,
            total: limits.total,
            follow: true,
            retries: None,
        };
        if let Some(Credential::IdentityToken(secret)) = self.login.as_deref() {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("grant_type", "refresh_token")
                .append_pair("refresh_token", secret.expose())
                .append_pair("client_id", CLIENT_ID);
            if let Some(service) = &self.service {
                form.append_pair("service", service);
            }
            if !scope.is_empty() {
                form.append_pair("scope", scope);
            }
            outgoing.method = Method::POST;
            outgoing.body = Some((FORM, Bytes::from(form.finish())));
            // A redirected form would carry the login along.
            outgoing.follow = false;
            return outgoing;
        }
        {
            let mut query = outgoing.url.query_pairs_mut();
            if let Some(service) = &self.service {
                query.append_pair("service", service);
            }
            if !scope.is_empty() {
                query.append_pair("scope", scope);
            }
            query.append_pair("client_id", CLIENT_ID);
            if let Some(Credential::Login { username, .. }) = self.login.as_deref() {
                query.append_pair("account", username);
            }
        }
        outgoing.authorization = self.login.as_deref().and_then(basic);
        outgoing
    }
}

impl Token {
    fn granted(&self, fresh: bool) -> Granted {
        Granted {
            header: self.header.clone(),
            asked: self.asked.clone(),
            fresh,
            life: self.life,
        }
    }
}

/// The header of a login by user name and password (RFC 7617); `None` for other logins.
pub(super) fn basic(login: &Credential) -> Option<HeaderValue> {
    let Credential::Login { username, secret } = login else {
        return None;
    };
    let plain = zeroize::Zeroizing::new(format!("{username}:{}", secret.expose()));
    let encoded = zeroize::Zeroizing::new(format!("Basic {}", BASE64.encode(plain.as_bytes())));
    let mut header = HeaderValue::try_from(encoded.as_str()).ok()?;
    header.set_sensitive(true);
    Some(header)
}
