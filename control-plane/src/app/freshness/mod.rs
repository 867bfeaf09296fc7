//! How fresh the inventory is, and what needs attention.
//!
//! `registry` (with `hindrance`: what keeps it from being read), `repository`, `sensor` and `webhook` judge one of each: functions of what is stored and of the time, that give a state, the same in words, and what
//! is to be said of it, each with what to do. `attention` brings that into the order in which it matters. Around them: `status` asks the store for a whole
//! tenant, `figures` is what metrics tell.
//!
//! Ages are by the control plane's clock. Of what is later than now, because the clock was set back, the age is nought.

mod attention;
mod concern;
mod figures;
mod hindrance;
mod known;
mod registry;
mod repository;
mod sensor;
mod state;
mod status;
mod webhook;

pub use attention::Subject;
pub use concern::{Concern, Rank};
pub use figures::registry_figures;
pub use known::KnownRegistries;
pub use sensor::judge_sensor;
pub use state::{Freshness, FreshnessState, SensorFreshness, SensorProgress};
pub use status::{Status, Tally};

#[cfg(test)]
mod tests;
