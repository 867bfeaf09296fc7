//! `GET /v2/`: whether this is a registry, and whether it accepts the login.

use ::http::{HeaderValue, StatusCode};

use super::problem::{fault_of, unexpected};
use crate::auth::{Challenge, Challenges, Scope};
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

    async fn ask_root(&self) -> Result<Ping, Fault> {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        let request = || Request::get("", JSON, &Scope::Login, ROOT_BYTES);
        let stranger = self.send_as_stranger(request()).await?;
        let challenges = Challenges::of(&stranger.headers);
        let login = match challenges.bearer() {
            _ if stranger.status.is_success() => Login::NotAsked,
            Some(Challenge::Bearer { realm, service, .. }) => Login::Bearer {
                realm: portolan_shared::model::printable(realm, 256),
                service: service
                    .as_deref()
                    .map(|service| portolan_shared::model::printable(service, 128)),
            },
            _ if challenges.basic() => Login::Basic,
            _ => return Err(fault_of(&stranger)),
        };
        if login == Login::NotAsked {
            let is_registry = stranger.headers.contains_key("docker-distribution-api-version")
                || serde_json::from_slice::<serde::de::IgnoredAny>(&stranger.body).is_ok()
                || stranger.body.is_empty();
            return if is_registry {
                Ok(Ping {
                    login,
                    accepted: true,
                })
            } else {
                Err(unexpected(&stranger, "the answer is not that of a registry"))
            };
        }
        let reply = self.send(request()).await?;
        match reply.status {
            status if status.is_success() => Ok(Ping {
                login,
                accepted: true,
            }),
            StatusCode::UNAUTHORIZED if !self.has_login().await? => Ok(Ping {
                login,
                accepted: false,
            }),
            _ => Err(fault_of(&reply)),
        }
    }
}
