//! Seals a login, here and nowhere else: for a registry, and for the sensors that may have it.
//!
//! `flow` is the way from a login that was entered to one that can be stored. On it: `login` reads what was entered, `recipients` finds out
//! whom to seal to and `pins` remembers them, `hosts` asks where the login may be sent. `args` are the flags, `expiry` is one of them.
//!
//! What the control plane says of a sensor's identity is shown, compared with what this machine remembers, and never taken on trust. A
//! login leaves this folder only as a [`SealedCredentialInput`](crate::web::api::credentials::SealedCredentialInput).

mod args;
mod expiry;
mod flow;
mod hosts;
mod login;
mod pins;
mod recipients;

pub(super) use args::{SealArgs, sealing_help};
pub(super) use flow::{Sealing, Target, seal_login};
