//! `portolan credential`. `command` has the subcommands, `list` and `show` print; `state` puts into words how a credential is and what to do.
//!
//! A login is entered with `registry add` and `registry set`: see `sealing/`. Nothing here has its content.

mod command;
mod list;
mod show;
mod state;

pub(super) use command::{CredentialCommand, run};
pub(super) use show::{credential_of, in_registry, tell_what_to_do};
