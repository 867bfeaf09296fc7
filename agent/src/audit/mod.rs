//! The sensor's own audit log: what this sensor did, kept on this machine, for its administrator to read without the control plane.
//!
//! A file of JSON lines in the data directory, each with a hash of itself and of all before it ([`portolan_shared::audit`]), and now and then a
//! checkpoint signed by the sensor's identity. `entry` says what is recorded; `folder` keeps the files, rotates and mends them, and `scan` finds
//! where they end; `log` appends, by the `writer` at the end of the current file, at the `pace` at which the control plane can cause records, and
//! remembers the `recent` ones; `keeper` brings what was appended to the disk and signs; `jobs`, `gate`, `credentials` and `upload` record what
//! jobs do, by standing in front of those that do it; `read` goes through the files, and `verify` checks them; `witness` keeps the checkpoints of
//! the control plane's own log, and `accept` takes another line of them where the administrator says so.
//!
//! The files are bounded, and the oldest goes: so nobody may be able to fill them. What follows from a message of the control plane alone is
//! recorded 64 times for each action and rule, and once a minute from then on, with the number of those between. What follows from work is
//! recorded each time, and the beginning of work is bounded: 4,096 syncs at once and one a second, 256 probes at once and one each ten seconds.
//!
//! What leaves this machine is counted: `tally` keeps counts and records them, of the hosts that a job contacts (`contacts`) and of what goes to
//! the control plane (`outgoing`; `before` there is a log, in a file of its own); `kind` is the list of all kinds of data. `outbound` sums them up,
//! `outbound_text` for people.
//!
//! Where nothing can be recorded nothing is done: while the file cannot be written, running jobs end, none is taken, and the sensor is not
//! ready.

mod accept;
mod before;
mod contacts;
mod credentials;
mod entry;
mod folder;
mod gate;
mod jobs;
mod keeper;
mod kind;
mod log;
mod outbound;
mod outbound_text;
mod outgoing;
mod pace;
mod read;
mod recent;
mod scan;
mod tally;
mod upload;
mod verify;
mod witness;
mod writer;

pub use accept::{Accepted, NotAccepted, accept_checkpoint};
pub use before::{account_of_enrolment, take_account_of_enrolment};
pub use entry::{Entry, Outcome};
pub use folder::{AuditLogError, FOLDER};
pub use jobs::AuditedJobs;
pub use keeper::{keep, note_sessions};
pub use kind::{DataKind, Occasion};
pub use log::AuditLog;
pub use outbound::{Contacted, Elsewhere, Known, Outbound, SentKind, outbound};
pub use outgoing::Outgoing;
pub use pace::Rate;
pub use read::{AuditFile, Lines, Read, files_in};
pub use verify::{Verified, VerifyError, verify_files};
pub use witness::{CheckpointRefused, Witness};

pub(crate) use credentials::AuditedCredentials;
pub(crate) use gate::AuditedGate;
pub(crate) use outgoing::Line;

#[cfg(test)]
mod accept_tests;
#[cfg(test)]
mod keeper_tests;
#[cfg(test)]
mod outbound_tests;
#[cfg(test)]
mod recording_tests;
#[cfg(test)]
mod scan_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod witness_tests;
