//! Runs. `fence` decides whether a sensor may still have an effect; `queue`, `lease`, `close` are the stages of a run's life, `attempt` what
//! happens when one ends without its run, and `expiry` which leases ran out; `progress` counts the requests of a registry's runs, and `budget` what is left of them; `records`
//! reads runs, and `reasons` why they were asked for; `deadline` says when one has taken too long, `lapse` ends it; `traits` hands the trait's
//! methods to them.

mod attempt;
pub(super) mod budget;
mod close;
pub(super) mod deadline;
mod expiry;
mod fence;
pub(super) mod lapse;
mod lease;
mod progress;
mod queue;
mod reasons;
mod records;
mod traits;
mod vanish;

pub(super) use fence::{bind_fence, fenced, leased, stale};
pub(super) use queue::queue_within;
pub(super) use records::scope;
