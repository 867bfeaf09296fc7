//! The operators' commands. They know the control plane by its REST API alone: what they can do, anybody's program can do.
//!
//! [`Cli`] is the whole command line; [`operate`] carries out what stands in [`OperatorCommand`]: everything but `portolan server`. Each noun has a file with its flags and what
//! they do. Around them: `client/` speaks to the API, `output/` renders, `watch/` follows a run, `sealing/` seals a login for the sensors
//! that may have it.
//!
//! Results go to standard output, everything else (progress, notes, errors) to standard error. The exit codes are [`Exit`].

mod assigned;
mod audit;
mod changes;
mod client;
mod command;
mod completion;
mod credential;
mod diff;
mod environment;
mod failure;
mod help;
mod history;
mod image;
mod invitation;
mod locate;
mod login;
mod notification;
mod operate;
mod output;
mod past;
mod probe;
mod registry;
mod repository;
mod run;
mod schedule;
mod sealing;
mod sensor;
mod settings;
mod status;
mod sync;
mod tag;
mod terminal;
mod token;
mod watch;
mod webhook;
mod whoami;

pub(crate) use audit::export_file;
pub use command::{Cli, Command, OperatorCommand};
pub use environment::Environment;
pub use failure::Exit;
pub use help::command_line;
pub use operate::operate;
pub use terminal::Terminal;

#[cfg(test)]
mod tests;
