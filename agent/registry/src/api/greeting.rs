//! How the API's root receives a stranger: what tells whether this is a registry, how it wants to be asked, and which product it is.

use ::http::header::{CONTENT_TYPE, SET_COOKIE, WWW_AUTHENTICATE};
use ::http::{HeaderMap, StatusCode};
use portolan_shared::model::printable;
use url::Url;

use super::ping::Login;
use super::problem::{fault_of, from_elsewhere, unexpected};
use crate::auth::{Challenge, Challenges, basic_parameters};
use crate::error::Fault;
use crate::http::Reply;

/// Bytes of a token service's address, or of a header, that are looked at.
const TEXT_BYTES: usize = 512;

/// The answer of the API's root to somebody without a login.
#[derive(Debug)]
pub(crate) struct Greeting(Reply);

impl Greeting {
    pub(super) fn new(reply: Reply) -> Self {
        Self(reply)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The URL that answered, after redirects.
    pub(crate) fn url(&self) -> &Url {
        &self.0.url
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The first value of a header, printable and bounded.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let value = self.0.headers.get(name)?;
        Some(printable(&String::from_utf8_lossy(value.as_bytes()), TEXT_BYTES))
    }

    /// Whether it has a header.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.headers.contains_key(name)
    }

    /// Whether a cookie of this name is set. Values of cookies are never looked at.
    pub(crate) fn sets_cookie(&self, name: &str) -> bool {
        self.0.headers.get_all(SET_COOKIE).iter().any(|value| {
            let bytes = value.as_bytes();
            bytes.starts_with(name.as_bytes()) && bytes.get(name.len()) == Some(&b'=')
        })
    }

    /// The challenge as it is written, of the first `WWW-Authenticate`.
    pub(crate) fn challenge(&self) -> String {
        self.header(WWW_AUTHENTICATE.as_str()).unwrap_or_default()
    }

    /// The token service that is asked for, with its service name and scope, if its address is one.
    pub(crate) fn bearer(&self) -> Option<Asked> {
        if self.is_from_elsewhere() {
            return None;
        }
        let challenges = Challenges::of(&self.0.headers);
        let Some(Challenge::Bearer {
            realm,
            service,
            scope,
            ..
        }) = challenges.bearer()
        else {
            return None;
        };
        Some(Asked {
            realm: self.0.url.join(realm.trim()).ok()?,
            service: service.as_deref().map(|service| printable(service, TEXT_BYTES)),
            scope: scope.as_deref().map(|scope| printable(scope, TEXT_BYTES)),
            also_basic: challenges.basic(),
        })
    }

    /// A parameter of the Basic challenge.
    pub(crate) fn basic(&self, parameter: &str) -> Option<String> {
        let parameters = basic_parameters(&self.0.headers)?;
        parameters
            .get(parameter)
            .map(|value| printable(value, TEXT_BYTES))
    }

    /// The type of the body, without its parameters, in lower case; and whether it is written with a character set, and which.
    pub(crate) fn content_type(&self) -> Option<String> {
        self.header(CONTENT_TYPE.as_str())
    }

    pub(crate) fn has_empty_body(&self) -> bool {
        self.0.body.is_empty()
    }

    /// Whether another origin answered in the registry's place: nothing that it says is the registry's word.
    pub(crate) fn is_from_elsewhere(&self) -> bool {
        self.0.elsewhere
    }

    /// How the registry wants to be asked.
    ///
    /// # Errors
    /// If this is no registry, or somebody else answered in its place.
    pub(crate) fn login(&self) -> Result<Login, Fault> {
        if let Some(fault) = from_elsewhere(&self.0) {
            return Err(fault);
        }
        let challenges = Challenges::of(&self.0.headers);
        match challenges.bearer() {
            _ if self.0.status.is_success() => self.open(),
            Some(Challenge::Bearer { realm, service, .. }) => Ok(Login::Bearer {
                realm: printable(realm, 256),
                service: service.as_deref().map(|service| printable(service, 128)),
            }),
            _ if challenges.basic() => Ok(Login::Basic),
            _ => Err(fault_of(&self.0)),
        }
    }

    /// Whether what is there is no registry, and not one that is in trouble: 404, or a page for people.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(
            self.login(),
            Err(Fault::Missing { .. } | Fault::WebPage | Fault::Protocol { .. } | Fault::Redirect { .. })
        )
    }

    fn open(&self) -> Result<Login, Fault> {
        let is_registry = self.has("docker-distribution-api-version")
            || serde_json::from_slice::<serde::de::IgnoredAny>(&self.0.body).is_ok()
            || self.0.body.is_empty();
        if is_registry {
            Ok(Login::NotAsked)
        } else {
            Err(unexpected(&self.0, "the answer is not that of a registry"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_from_elsewhere_is_not_the_registrys() {
        const ASKS: &str = r#"Bearer realm="https://r.example.com/token",service="r""#;
        let mut greeting = Greeting::for_test("https://other.example.com/v2/", ASKS);
        assert!(greeting.bearer().is_some());
        greeting.0.elsewhere = true;
        assert_eq!(greeting.bearer(), None);
        for status in [401, 200, 404] {
            greeting.0.status = StatusCode::from_u16(status).unwrap();
            assert!(
                matches!(greeting.login(), Err(Fault::Redirect { .. })),
                "{status}"
            );
            assert!(greeting.is_nothing());
        }
    }
}

/// What a Bearer challenge asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The token service, made absolute. Not yet admitted: nothing is sent there by what is written here.
    pub(crate) realm: Url,
    pub(crate) service: Option<String>,
    pub(crate) scope: Option<String>,
    /// Whether user name and password would do as well.
    pub(crate) also_basic: bool,
}

#[cfg(test)]
impl Greeting {
    /// 401 from `url` with this challenge.
    pub(crate) fn for_test(url: &str, challenge: &str) -> Self {
        let mut reply = Reply::for_test(401, "");
        reply.url = Url::parse(url).unwrap();
        reply.headers.insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
        Self(reply)
    }
}
