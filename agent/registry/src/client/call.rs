//! Requests to a product's own API, beside the one that all registries share.

use ::http::{HeaderValue, Method, StatusCode};
use bytes::Bytes;
use url::Url;

use super::registry_client::RegistryClient;
use crate::auth::{ApiForm, Presented, Scope};
use crate::error::Fault;
use crate::http::{Outgoing, Purpose, Reply};

/// Where a product's API is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ApiHost<'a> {
    /// On the registry's own scheme, host and port.
    Registry,
    /// On another host that belongs to the product, such as GitLab's web interface: below this URL. The gate is asked as for a token service.
    Other(&'a Url),
}

/// Who asks.
#[derive(Clone, Copy)]
pub(crate) enum ApiLogin<'a> {
    /// Nobody in particular.
    Stranger,
    /// The login in the way that the registry asks for it, with this right. Only where the API is the registry's own.
    Scoped(&'a Scope),
    /// User name and secret.
    Basic,
    /// The secret alone, as a bearer token.
    Secret,
    /// The same, even if the registry or its token service has refused the login: to be told why. Once, for a refusal here is remembered.
    SecretToExplain,
    /// User name and secret as the members of these names of a JSON object, which is the body.
    Members(&'static str, &'static str),
    /// A token that the API itself has given.
    Given(&'a HeaderValue),
}

/// A request to a product's own API.
#[derive(Clone)]
pub(crate) struct ApiCall<'a> {
    pub(crate) method: Method,
    pub(crate) at: ApiHost<'a>,
    /// Path, beginning with a slash, and query; what stands in for a name in it has been encoded by the caller.
    pub(crate) path: &'a str,
    pub(crate) login: ApiLogin<'a>,
    /// Its type, and the body.
    pub(crate) body: Option<(HeaderValue, Bytes)>,
    /// Bytes of the answer: refused as too large beyond.
    pub(crate) bound: usize,
    /// Tries after a server error; the policy's if none is given.
    pub(crate) retries: Option<u32>,
}

impl<'a> ApiCall<'a> {
    /// A GET at the registry itself, with answers of at most a page of a listing.
    pub(crate) fn get(path: &'a str, login: ApiLogin<'a>) -> Self {
        Self {
            method: Method::GET,
            at: ApiHost::Registry,
            path,
            login,
            body: None,
            bound: 8 * 1024 * 1024,
            retries: None,
        }
    }

    /// The same, elsewhere.
    pub(crate) fn at(self, url: &'a Url) -> Self {
        Self {
            at: ApiHost::Other(url),
            ..self
        }
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl RegistryClient {
    /// Calls a product's own API and returns the answer, whatever its status.
    ///
    /// A login that such an API refuses is not sent to that host again until it changes: the call then fails as denied without being sent. It
    /// may still be good for the registry.
    pub(crate) async fn call(&self, call: ApiCall<'_>) -> Result<Reply, Fault> {
        let inner = &*self.0;
        let mut outgoing = self.outgoing_call(&call)?;
        let login = match call.login {
            ApiLogin::Stranger => None,
            ApiLogin::Scoped(scope) => return self.send_scoped(scope, outgoing).await,
            ApiLogin::Given(token) => {
                outgoing.authorization = Some(token.clone());
                None
            }
            ApiLogin::Basic | ApiLogin::Secret | ApiLogin::SecretToExplain | ApiLogin::Members(..) => {
                let form = match call.login {
                    ApiLogin::Secret => ApiForm::Secret,
                    ApiLogin::SecretToExplain => ApiForm::SecretToExplain,
                    ApiLogin::Members(user, secret) => ApiForm::Members(user, secret),
                    _ => ApiForm::Basic,
                };
                let login = inner
                    .authenticator
                    .for_api(&inner.transport, &outgoing.url, form)
                    .await?;
                match login.as_ref().map(|login| &login.presented) {
                    Some(Presented::Header(header)) => outgoing.authorization = Some(header.clone()),
                    Some(Presented::Body(body)) => {
                        outgoing.body = Some((JSON, body.clone()));
                        outgoing.follow = false;
                    }
                    None => {}
                }
                login
            }
        };
        let reply = inner.transport.send(&inner.throttle, &outgoing).await?;
        match login {
            Some(login) if reply.status == StatusCode::UNAUTHORIZED && !reply.elsewhere => {
                inner
                    .authenticator
                    .refused_by_api(&inner.transport, &outgoing.url, &login);
            }
            Some(login) if reply.status.is_success() && !reply.elsewhere => {
                inner.authenticator.accepted_by_api(&outgoing.url, &login);
            }
            _ => {}
        }
        Ok(reply)
    }

    fn outgoing_call(&self, call: &ApiCall<'_>) -> Result<Outgoing, Fault> {
        let (base, purpose) = match call.at {
            ApiHost::Registry => (self.origin(), Purpose::Registry),
            ApiHost::Other(url) => (url.as_str().trim_end_matches('/').to_owned(), Purpose::Realm),
        };
        let url = Url::parse(&format!("{base}{}", call.path)).map_err(|_| Fault::Internal {
            problem: "the URL of an API could not be built",
        })?;
        let limits = self.limits();
        Ok(Outgoing {
            url,
            purpose,
            accept: JSON,
            compressed: true,
            authorization: None,
            if_none_match: None,
            // What is sent along in a body is for one place only.
            follow: call.body.is_none(),
            body: call.body.clone(),
            method: call.method.clone(),
            bound: call.bound.min(limits.list_bytes),
            total: limits.list_total,
            retries: call.retries,
        })
    }
}
