//! Registries: what operators say of them, what a new schedule means for what is under way, their removal with everything that hangs
//! on them, and the clearing away of what is left then.

mod facts;
mod records;
mod remains;
mod remove;
mod schedule;
mod traits;

pub(super) use facts::learn;
pub(super) use records::{find, opt_bound, repository_patterns, schedule, tag_filter};
