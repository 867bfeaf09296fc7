//! Registries: what operators say of them, what a new schedule means for what is under way, and their removal with everything that hangs
//! on them.

mod facts;
mod records;
mod remove;
mod schedule;
mod traits;

pub(super) use facts::learn;
pub(super) use records::{find, opt_bound, repository_patterns, schedule, tag_filter};
