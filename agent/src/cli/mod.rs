//! The command line. Exit codes: 0 done, 1 failed, 2 refused (a server that is not trusted, a token that is not accepted, a registry that is not
//! sound), 64 wrong usage, settings or policy, 78 this sensor is revoked.
//!
//! - `arguments`: what can be said; `run`: what is then done
//! - `enroll`, `policy`, `notify`, `commands`: the commands
//! - `audit`: the commands that read the audit log of this machine; `accept`, which changes what is kept beside it; `outbound` and `next`: what
//!   left this machine, and what a sync would send
//! - `exit`: exit codes, and how a command fails

mod accept;
mod arguments;
mod audit;
mod commands;
mod egress;
mod enroll;
mod exit;
mod next;
mod notify;
mod outbound;
mod policy;
mod run;

#[cfg(test)]
mod tests;

pub use exit::{DONE, FAILED, REFUSED, REVOKED, USAGE};
pub use run::run;
