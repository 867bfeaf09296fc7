//! Logs that show what was taken from them: every record carries a hash of itself and of all before it.
//!
//! Both halves keep such a log: the control plane one for each tenant, in its database; a sensor one for itself, in a file. `record` says what
//! a record is and how it becomes bytes, the same on every machine and in every release; `hash` and `head` are where a chain stands;
//! `verify` goes through a log and names the first record that is not what it was. A chain alone does not stop whoever can rewrite all of it:
//! for that there is the `checkpoint`, a signed head that somebody else keeps.

mod checkpoint;
mod hash;
mod head;
mod record;
mod verify;

pub use checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
pub use hash::{AuditHash, AuditHashError};
pub use head::{AuditHead, ChainOwner};
pub use record::{ChainRecord, LinkedRecord};
pub use verify::{ChainFault, ChainFaultKind, ChainVerifier};

#[cfg(test)]
mod tests;
