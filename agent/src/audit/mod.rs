//! The sensor's own audit log: what this sensor did, kept on this machine, for its administrator to read without the control plane.
//!
//! A file of JSON lines in the data directory, each with a hash of itself and of all before it ([`portolan_shared::audit`]), and now and then a
//! checkpoint signed by the sensor's identity. `entry` says what is recorded; `folder` keeps the files, rotates and mends them, and `scan` finds
//! where they end; `log` appends, by the `writer` at the end of the current file, and remembers the `recent` ones; `recording` appends what the
//! control plane causes, of which `caused` decides how much is written one by one, by the `budget` and the rates in `withheld`; `sums` has the
//! rest; `keeper` brings what was appended to the disk and signs; `jobs`, `gate`, `credentials` and `upload` record what jobs do, by standing in
//! front of those that do it; `read` goes through the files, and `verify` checks them; `witness` keeps the checkpoints of the control plane's own
//! log, and `accept` takes another line of them where the administrator says so.
//!
//! The files are bounded, and the oldest goes: so nobody may be able to fill them. Everything that the control plane can cause, by messages or by
//! work, has one budget of bytes: one file (64 MiB) at once, and half of one for each day. Beyond it, records of jobs, probes and what they
//! contact and send are summed up by kind, and the sums recorded after a minute: 24 KiB a minute at most. No record is longer than 70 KB; what is
//! too long is cut, and says so. What is first of its kind on a day (UTC), and each host that was contacted or refused on it, is recorded whatever
//! was before: up to 4,096 names of each sort, and 3 KiB each at most. That is less than three files in the first day of a flood; so the file that
//! was current when it began is still there, and no sensor is refused work for its log's sake. What follows from a message alone is beside that
//! recorded 64 times for each action and rule and once a minute from then on, so that a flood of messages leaves the budget to work.
//!
//! What leaves this machine is counted: `tally` keeps `counts` and records them, of the hosts that a job contacts (`contacts`) and of what goes to
//! the control plane (`outgoing`; `before` there is a log, in a file of its own); `kind` is the list of all kinds of data. `outbound` sums them up,
//! `outbound_text` for people.
//!
//! Where nothing can be recorded nothing is done: while the file cannot be written, running jobs end, none is taken, and the sensor is not
//! ready.

mod accept;
mod before;
mod budget;
mod caused;
mod contacts;
mod counts;
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
mod read;
mod recent;
mod recording;
mod scan;
mod sums;
mod tally;
mod upload;
mod verify;
mod withheld;
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
pub use read::{AuditFile, Lines, Read, files_in};
pub use verify::{Verified, VerifyError, verify_files};
pub use withheld::Rate;
pub use witness::{CheckpointRefused, Witness};

pub(crate) use credentials::AuditedCredentials;
pub(crate) use gate::AuditedGate;
pub(crate) use outgoing::Line;

#[cfg(test)]
mod accept_tests;
#[cfg(test)]
mod flood_tests;
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
