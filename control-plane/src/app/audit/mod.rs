//! The audit logs: reading them (they are written by the use cases themselves), and the signed heads that let others notice a rewritten one.
//!
//! Checkpoints are signed by a key of this control plane's own, in a file beside the database: whoever can change the database alone cannot
//! make a checkpoint. Whoever can read the data folder can; a key that lives in a key management service closes that gap, and takes this one's
//! place behind [`AuditKey`].
//!
//! Of the sensors' own logs is kept where they stand, as far as they were shown to go on from there: a sensor that cuts or rewrites its log is
//! found out at its next heartbeat. Two limits of that:
//! - The first head that a sensor tells is taken at its word, since there is nothing to compare it with. Whoever has the machine before its
//!   first session can give it any past.
//! - Heads that have gone on are written once in five seconds for all sensors together. What a sensor told in the last five seconds before a
//!   crash of the control plane is not held against it.
//!
//! What a sensor can cause to be written is bounded: an entry a minute for each action, which counts those in between.

mod authority;
mod checkpoints;
mod exchange;
mod key;
mod pace;
mod read;
mod refusals;
mod steps;

pub use checkpoints::CHECKPOINT_EVERY;
pub use key::AuditKey;
pub use pace::AuditPace;
pub(in crate::app) use refusals::SensorNote;
