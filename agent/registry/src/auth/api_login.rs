//! The login at a product's own API, which may refuse what the registry accepts.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use url::Url;

use super::authenticator::Authenticator;
use super::authorization::bearer;
use super::credential::Credential;
use super::issuer::basic;
use super::realm;
use super::refused::{Place, Refusal};
use crate::error::Fault;
use crate::http::Transport;

/// In which form a product's API is given the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiForm {
    /// User name and secret.
    Basic,
    /// The secret alone.
    Secret,
    /// The secret alone, even after the registry or its token service refused it: the API may say why.
    SecretToExplain,
    /// User name and secret as the members of these names of a JSON object, which is the body.
    Members(&'static str, &'static str),
}

/// A login as it is sent.
pub(crate) enum Presented {
    /// As the `Authorization` header.
    Header(HeaderValue),
    /// As the body, in JSON.
    Body(Bytes),
}

/// Why a login that is no user name with a password is not shown to a product's API.
const NO_FORM: &str =
    "the login has no form in which this API takes one: it wants a user name with a password or access token";

/// A login on its way to a product's API.
pub(crate) struct ApiAuthorization {
    pub(crate) presented: Presented,
    login: Arc<Credential>,
}

impl Authenticator {
    /// What to send to a product's API at `url`: user name and secret, or the secret alone. `None` only where no login is configured. An error
    /// if the login must not be sent there, was refused there before, or has no such form: what a stranger is shown instead would pass for
    /// everything that the login may see.
    pub(crate) async fn for_api(
        &self,
        transport: &Transport,
        url: &Url,
        form: ApiForm,
    ) -> Result<Option<ApiAuthorization>, Fault> {
        let login = match form {
            ApiForm::Basic | ApiForm::Secret | ApiForm::Members(..) => self.login(transport, None).await?,
            ApiForm::SecretToExplain => self.login_to_explain(transport, None).await?,
        };
        let Some(login) = login else {
            return Ok(None);
        };
        if !transport.registry().is_of(url) {
            realm::may_have_login(transport.registry(), url, transport.guard())?;
        }
        let host = authority(url);
        let (program, now) = (self.credentials.program(), transport.clock().uptime());
        let place = Place::Api(&host);
        match self
            .refused
            .check(&self.registry, place, &login, program.as_deref(), now)
        {
            Err(Fault::LoginRefused { status, .. }) => return Err(Fault::Denied { status, code: None }),
            other => other?,
        }
        let presented = match form {
            ApiForm::Basic => basic(&login).map(Presented::Header),
            ApiForm::Secret | ApiForm::SecretToExplain => bearer(&login).map(Presented::Header),
            ApiForm::Members(user, secret) => members(&login, user, secret).map(Presented::Body),
        };
        let Some(presented) = presented else {
            return Err(Fault::NotAsked { why: NO_FORM });
        };
        Ok(Some(ApiAuthorization { presented, login }))
    }

    /// Remembers that the API at `url` refused this login.
    pub(crate) fn refused_by_api(&self, transport: &Transport, url: &Url, sent: &ApiAuthorization) {
        let host = authority(url);
        let refusal = Refusal {
            host: host.clone(),
            status: StatusCode::UNAUTHORIZED,
            code: None,
            json: false,
        };
        let (program, now) = (self.credentials.program(), transport.clock().uptime());
        let place = Place::Api(&host);
        self.refused.remember(
            &self.registry,
            place,
            &sent.login,
            program.as_deref(),
            refusal,
            now,
        );
    }

    /// Remembers that the API at `url` accepted this login.
    pub(crate) fn accepted_by_api(&self, url: &Url, sent: &ApiAuthorization) {
        let (host, program) = (authority(url), self.credentials.program());
        self.refused
            .accept(&self.registry, Place::Api(&host), &sent.login, program.as_deref());
    }
}

/// The login as a JSON object; `None` for logins without a user name.
fn members(login: &Credential, user_member: &str, secret_member: &str) -> Option<Bytes> {
    let Credential::Login { username, secret } = login else {
        return None;
    };
    let members = BTreeMap::from([(user_member, username.as_str()), (secret_member, secret.expose())]);
    serde_json::to_vec(&members).ok().map(Bytes::from)
}

fn authority(url: &Url) -> String {
    format!(
        "{}:{}",
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or_default()
    )
}
