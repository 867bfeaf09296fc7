//! Runs. `fence` decides whether a sensor may still have an effect; `queue`, `lease`, `close` are the stages of a run's life, `attempt` what
//! happens when one ends without its run; `records` reads runs; `traits` hands the trait's methods to them.

mod attempt;
mod close;
mod fence;
mod lease;
mod queue;
mod records;
mod traits;
mod vanish;

pub(super) use fence::{bind_fence, fenced, leased, stale};
