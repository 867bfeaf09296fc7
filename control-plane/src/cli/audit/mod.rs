//! `portolan audit`: `list` shows the log; `export` takes it away; `verify` goes through it, here, and takes the control plane's word for nothing
//! but what it says happened. `walk` reads the log in pages, `export_file` is the form in which it is taken away.

mod command;
mod export;
pub(crate) mod export_file;
mod list;
mod verify;
mod walk;

pub(super) use command::AuditCommand;
pub(super) use command::run;
