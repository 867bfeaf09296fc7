//! Registries: what operators say of them, and their removal with everything that hangs on them.

mod facts;
mod records;
mod remove;
mod traits;

pub(super) use facts::learn;
pub(super) use records::{find, opt_bound, repository_patterns};
