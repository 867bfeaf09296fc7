//! The login at a product's own API, which may refuse what the registry accepts.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use url::Url;

use super::authenticator::{Authenticator, bearer};
use super::credential::Credential;
use super::issuer::basic;
use super::realm;
use crate::error::Fault;
use crate::http::Transport;

/// Refusals of product APIs that are remembered; a registry has one or two.
const API_REFUSALS: usize = 8;

/// A login on its way to a product's API.
pub(crate) struct ApiAuthorization {
    pub(crate) header: HeaderValue,
    login: Arc<Credential>,
}

impl Authenticator {
    /// What to send to a product's API at `url`: user name and secret, or the secret alone. `None` without a login, or with one that has no
    /// such form. An error if the login must not be sent there, or was refused there before.
    pub(crate) async fn for_api(
        &self,
        transport: &Transport,
        url: &Url,
        secret_alone: bool,
    ) -> Result<Option<ApiAuthorization>, Fault> {
        let Some(login) = self.login(transport).await? else {
            return Ok(None);
        };
        if !transport.registry().is_of(url) {
            realm::may_have_login(transport.registry(), url, transport.guard())?;
        }
        let host = authority(url);
        let refused = |(at, refused): &(String, Arc<Credential>)| *at == host && **refused == *login;
        if self.state().refused_by_apis.iter().any(refused) {
            return Err(Fault::Denied {
                status: StatusCode::UNAUTHORIZED,
                code: None,
            });
        }
        let header = if secret_alone {
            bearer(&login)
        } else {
            basic(&login)
        };
        Ok(header.map(|header| ApiAuthorization { header, login }))
    }

    /// Remembers that the API at `url` refused this login.
    pub(crate) fn refused_by_api(&self, url: &Url, sent: ApiAuthorization) {
        let host = authority(url);
        let refused = &mut self.state().refused_by_apis;
        refused.retain(|(at, _)| *at != host);
        refused.push((host, sent.login));
        if refused.len() > API_REFUSALS {
            refused.remove(0);
        }
    }
}

fn authority(url: &Url) -> String {
    format!(
        "{}:{}",
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or_default()
    )
}
