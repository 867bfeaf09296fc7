//! How a registry is told who asks: challenges, scopes, tokens, and where the login comes from.
//!
//! The login goes to the registry and to token services that belong to it, nowhere else ([`realm`]); tokens go to the registry alone.
//! Only rights to read are ever asked for ([`scope`]).

mod api_login;
mod authenticator;
mod authorization;
mod challenge;
mod credential;
mod issuer;
mod logins;
mod realm;
mod reference;
mod refused;
mod scope;
mod token;
mod token_kind;

pub use challenge::{Challenge, Challenges};
pub use credential::{
    Anonymous, Credential, CredentialError, Credentials, FiledLogin, LoginHolder, Logins, ProgramProblem,
};
pub use reference::{CredentialSource, Environment};
pub use refused::RefusedLogins;

pub(crate) use api_login::{ApiForm, Presented};
pub(crate) use authenticator::Authenticator;
pub(crate) use authorization::Authorization;
pub(crate) use challenge::basic_parameters;
pub(crate) use logins::LoginEntry;
pub(crate) use realm::{absolute as absolute_realm, may_have_login};
pub(crate) use scope::Scope;
pub(crate) use token_kind::TokenHint;
