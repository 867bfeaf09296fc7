//! `/credentials`, and the credential of each registry: what it is bound to and who can open it, never what it is.

mod input;
pub(super) mod list;
pub(super) mod put;
pub(super) mod remove;
pub(super) mod revert;
pub(super) mod sealing_key;
pub(super) mod show;
mod view;

pub use input::SealedCredentialInput;
pub use view::{CredentialView, RecipientView, SealingKeyView};
