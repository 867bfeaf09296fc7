//! `GET /v2/`: whether this is a registry, and whether it accepts the login.

use ::http::header::WWW_AUTHENTICATE;
use ::http::{HeaderMap, HeaderValue, StatusCode};

use super::greeting::Greeting;
use super::problem::{fault_of, from_elsewhere};
use crate::auth::Scope;
use crate::client::{RegistryClient, Request};
use crate::error::{Fault, RegistryError, Subject};

/// Bytes of the API root's answer.
const ROOT_BYTES: usize = 64 * 1024;

/// How the registry wants to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// It answered without asking who we are.
    NotAsked,
    /// It asks for user name and password.
    Basic,
    /// It asks for a token of this service.
    Bearer {
        /// Address of the token service, as the registry gives it.
        realm: String,
        /// Name of the service that tokens are for.
        service: Option<String>,
    },
}

/// What the API root told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// How a stranger is received.
    pub login: Login,
    /// Whether our login was accepted: `true` also where none is asked for, `false` for a stranger who was asked.
    pub accepted: bool,
}

impl RegistryClient {
    /// Asks the API root, first as a stranger, then with the login.
    ///
    /// Errors when this is no registry, or when the login is refused. A stranger being asked who he is is no error: single repositories may
    /// still be open to him.
    pub async fn ping(&self) -> Result<Ping, RegistryError> {
        self.ask_root()
            .await
            .map_err(|fault| self.error(Subject::Api, fault))
    }

    /// How the API's root receives a stranger.
    pub(crate) async fn greet(&self) -> Result<Greeting, Fault> {
        let reply = self.send_as_stranger(root()).await?;
        if reply.status.is_success() && !reply.elsewhere {
            self.learn_from(&reply).await;
        }
        Ok(Greeting::new(reply))
    }

    /// Asks the API's root with the login, after a stranger was asked who he is. `None` if there is no login; else the headers of the
    /// answer that let it in.
    pub(crate) async fn enter(&self) -> Result<Option<HeaderMap>, Fault> {
        let reply = self.send(root()).await?;
        if let Some(fault) = from_elsewhere(&reply) {
            return Err(fault);
        }
        match reply.status {
            status if status.is_success() => Ok(Some(reply.headers)),
            StatusCode::UNAUTHORIZED if !self.has_login().await? => Ok(None),
            _ => Err(fault_of(&reply)),
        }
    }

    async fn ask_root(&self) -> Result<Ping, Fault> {
        let greeting = self.greet().await?;
        let login = greeting.login()?;
        // Zot lets strangers in and names a challenge all the same: then it is the login's turn as well.
        let is_open = login == Login::NotAsked && !greeting.has(WWW_AUTHENTICATE.as_str());
        let accepted = is_open || self.enter().await?.is_some();
        Ok(Ping { login, accepted })
    }
}

fn root() -> Request<'static> {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    Request::get("", JSON, &Scope::Login, ROOT_BYTES)
}
