//! Who may do what: API tokens, the callers that they prove, and the roles that use cases ask for.
//!
//! A token is shown once, when it is made; the database has a keyed hash of its secret part ([`super::Pepper`]). A token that is
//! missing, malformed, unknown, expired or revoked gives the same answer.

mod api_tokens;
mod authenticate;
mod caller;
mod token_text;

pub use api_tokens::NewToken;
pub use caller::Caller;
pub use token_text::ApiTokenText;
