//! How a registry is told who asks: challenges, scopes, tokens, and where the login comes from.
//!
//! The login goes to the registry and to token services that belong to it, nowhere else ([`realm`]); tokens go to the registry alone.
//! Only rights to read are ever asked for ([`scope`]).

mod api_login;
mod authenticator;
mod challenge;
mod credential;
mod docker_config;
mod helper;
mod issuer;
mod realm;
mod scope;
mod source;
mod token;

pub use challenge::{Challenge, Challenges};
pub use credential::{Anonymous, Credential, CredentialError, Credentials};
pub use source::{CredentialSource, Environment};

pub(crate) use authenticator::{Authenticator, Authorization};
pub(crate) use scope::Scope;
