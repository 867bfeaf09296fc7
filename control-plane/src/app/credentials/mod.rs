//! Sealed credentials: `check` says what may be stored, `change` stores and withdraws, `keys` are what sensors publish, `deliver` hands one
//! sensor what it needs at the moment when it needs it, `notices` tells those that read a registry just now, `show` is for people.
//!
//! Nothing here can open a credential, and nothing here is asked to.

mod change;
mod check;
mod deliver;
mod keys;
mod notices;
mod show;

pub use keys::{PublishError, SEALING_KEY_LIFE};
pub use notices::CredentialNotice;
pub use show::{CredentialShown, CredentialState, RecipientShown, RecipientState};
