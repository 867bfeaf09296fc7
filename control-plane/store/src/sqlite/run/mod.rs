//! Runs. `fence` decides whether a sensor may still have an effect; `queue`, `lease`, `close` are the stages of a run's life, `attempt` what
//! happens when one ends without its run, and `expiry` which leases ran out; `progress` counts the requests of a registry's runs, and `budget` what is left of them; `records`
//! reads runs, and `reasons` why they were asked for; `behind` keeps those waiting that follow others; `deadline` says when one has taken too long, `lapse` ends it; `window` has
//! those wait that nobody has asked for while nothing starts by itself, `ahead` puts right what a clock that was ahead has written of them; `traits` hands the trait's
//! methods to them.

pub(super) mod ahead;
mod attempt;
mod behind;
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
pub(super) mod window;

pub(super) use fence::{bind_fence, fenced, leased, stale};
pub(super) use queue::{cancel_within, queue_within};
pub(super) use records::scope;
