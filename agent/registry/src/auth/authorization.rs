//! What is sent along with a request.

use std::sync::Arc;

use http::HeaderValue;

use super::credential::Credential;
use super::issuer::{Granted, basic};

/// Sent along with a request.
pub(crate) struct Authorization {
    pub(crate) header: HeaderValue,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
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

pub(super) fn by_login(login: &Arc<Credential>) -> Option<Authorization> {
    Some(Authorization {
        header: basic(login)?,
        kind: Kind::Login(Arc::clone(login)),
    })
}

/// A token that somebody else fetched is sent as it is.
pub(super) fn as_it_is(login: &Arc<Credential>) -> Option<Authorization> {
    if !matches!(login.as_ref(), Credential::RegistryToken(_)) {
        return None;
    }
    let header = bearer(login)?;
    Some(Authorization {
        header,
        kind: Kind::Login(Arc::clone(login)),
    })
}
