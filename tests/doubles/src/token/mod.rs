//! A token service as GitLab runs it: `/jwt/auth`, Basic credentials in, RS256 tokens out, no more granted than the account may.
//!
//! Sources: GitLab's container registry authentication service, the Docker Registry v2 token specification, and libtrust's key ids, by which CNCF Distribution finds the key that signed.

mod account;
mod claims;
mod endpoint;
mod service;
mod signer;
mod state;
mod verifier;

pub use account::Account;
pub use claims::{Access, Claims};
pub(crate) use service::Admission;
pub use service::{TokenService, TokenServiceBuilder};
pub use state::{TokenAnswer, TokenRequest};
pub(crate) use verifier::{Refusal, TokenVerifier};
