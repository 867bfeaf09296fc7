//! `portolan registry`. `command` has the subcommands; `add`, `set`, `list`, `show` and `preview` are one each; `login` seals a new login for a saved one; `filters` and `budget` are flags
//! that `add` and `set` have in common.

mod add;
mod budget;
mod command;
mod filters;
mod list;
mod login;
mod preview;
mod schedule;
mod set;
mod show;

pub(super) use command::{RegistryCommand, run};
pub(super) use schedule::{Expression, schedules_help, seconds};
