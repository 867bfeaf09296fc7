//! Findings: a stable code, what was seen, and in the `catalogue` what the code means: how it shows, its likely cause, its cure.

pub mod catalogue;
mod code;
mod record;

pub use code::{FindingCode, Severity};
pub use record::Finding;
