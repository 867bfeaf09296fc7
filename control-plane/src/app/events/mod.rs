//! Push events on their way in: relayed by sensors, or brought to the control plane's own door by registries that can reach it.
//!
//! An event is a hint. It is noted, durably, as something to look at; the scheduler makes a run of what was noted, and only what that run
//! finds in the registry counts. So nothing here believes a digest, and a forged event costs one request of one sensor at most.
//!
//! An event that comes again is known by its id and only counted: at a sensor's listener by the sensor, at the control plane's own door by the door.
//!
//! What is counted for a registry stands in [`EventCount`](portolan_store::EventCount). Refusals are counted in memory first: whoever sends
//! rubbish must not make the database write. Every answer, also to what names no registry, is counted for Prometheus as
//! `portolan_push_events_total`.

mod answered;
mod door;
mod relay;
mod secret;
mod seen;
mod tally;
mod wanted;

pub use answered::Refused;
pub use door::{Believed, Found, Knock, NotTaken, WebhookDoor};
pub use secret::RegistryWebhook;
pub use tally::EventTally;
