//! Who may do what: API tokens, the callers that they prove, and the roles that use cases ask for.
//!
//! A token is shown once, when it is made; the database has a keyed hash of its secret part ([`super::Pepper`]). A token that is
//! missing, malformed, unknown, expired or revoked gives the same answer.
//!
//! There are no logins: a token comes with every request. The audit log tells of its first use, and of its use again once a day, with the kind
//! of network that it came from. That it is due stands in the token's row, which every request reads anyway: one write a day and token.

mod api_tokens;
mod authenticate;
mod caller;
mod source;
mod token_text;

pub use api_tokens::NewToken;
pub use caller::Caller;
pub use token_text::ApiTokenText;
