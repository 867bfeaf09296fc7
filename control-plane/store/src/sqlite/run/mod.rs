//! Runs. `fence` decides whether a sensor may still have an effect; `queue`, `lease`, `close` are the stages of a run's life, `attempt` what
//! happens when one ends without its run; `progress` counts the requests of a registry's runs, and `budget` what is left of them; `records`
//! reads runs; `traits` hands the trait's methods to them.

mod attempt;
pub(super) mod budget;
mod close;
mod fence;
mod lease;
mod progress;
mod queue;
mod records;
mod traits;
mod vanish;

pub(super) use fence::{bind_fence, fenced, leased, stale};
