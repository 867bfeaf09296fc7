//! `portolan status`: the one page that says whether everything is well, and if not, what to do first.

mod command;
mod page;

pub(super) use command::StatusArgs;
pub(super) use command::show;
