//! Faults that a test switches on and off while a double serves: which requests they hit, when, and what then happens.

mod action;
mod bodies;
mod gate;
mod handle;
mod rule;

pub use action::Fault;
pub use gate::Gate;
pub use handle::{Faults, RuleId};
pub(crate) use handle::{PretendInvalidToken, inject};
pub use rule::Rule;
