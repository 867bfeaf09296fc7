//! `/audit`: what was done by whom; `/audit/chain`, `/audit/head` and `/audit/checkpoints`: what it takes to verify that log without trusting
//! whoever keeps it.

pub(super) mod chain;
pub(super) mod checkpoints;
pub(super) mod head;
pub(super) mod list;
mod view;

pub use view::{AuditCheckpoint, AuditLine, AuditLink, AuditLogHead};
