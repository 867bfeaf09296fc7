//! The audit logs: reading them (they are written by the use cases themselves), and the signed heads that let others notice a rewritten one.
//!
//! Checkpoints are signed by a key of this control plane's own, in a file beside the database: whoever can change the database alone cannot
//! make a checkpoint. Whoever can read the data folder can; a key that lives in a key management service closes that gap, and takes this one's
//! place behind [`AuditKey`].

mod checkpoints;
mod exchange;
mod key;
mod pace;
mod read;
mod refusals;

pub use checkpoints::CHECKPOINT_EVERY;
pub use key::AuditKey;
pub use pace::AuditPace;
