//! The sensor's own audit log: what this sensor did, kept on this machine, for its administrator to read without the control plane.
//!
//! A file of JSON lines in the data directory, each with a hash of itself and of all before it ([`portolan_shared::audit`]), and now and then a
//! checkpoint signed by the sensor's identity. `entry` says what is recorded; `folder` keeps the files, rotates and mends them; `log` appends, by
//! the `writer` at the end of the current file, and remembers the `recent` records; `keeper` brings what was appended to the disk and signs; `jobs`, `gate`, `credentials` and `upload` record what jobs do, by standing in
//! front of those that do it; `tally` counts for them; `read` goes through the files, `verify` checks them, `outbound` tells what left this
//! machine; `witness` keeps the checkpoints of the control plane's own log.
//!
//! Where nothing can be recorded nothing is done: while the file cannot be written, running jobs end, none is taken, and the sensor is not
//! ready.

mod credentials;
mod entry;
mod folder;
mod gate;
mod jobs;
mod keeper;
mod log;
mod outbound;
mod read;
mod recent;
mod tally;
mod upload;
mod verify;
mod witness;
mod writer;

pub use entry::{Entry, Outcome};
pub use folder::{AuditLogError, FOLDER};
pub use jobs::AuditedJobs;
pub use keeper::{keep, note_sessions};
pub use log::AuditLog;
pub use outbound::{Outbound, outbound};
pub use read::{AuditFile, Lines, Read, files_in};
pub use verify::{Verified, VerifyError, verify_files};
pub use witness::{CheckpointRefused, Witness};

pub(crate) use credentials::AuditedCredentials;
pub(crate) use gate::AuditedGate;

#[cfg(test)]
mod keeper_tests;
#[cfg(test)]
mod recording_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod witness_tests;
