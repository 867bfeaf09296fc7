//! The sensors' door, over real TLS, with a raw client: everything that a sensor, a stranger or an attacker can send.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod audit;
mod certificates;
mod clock;
mod conflict;
mod credentials;
mod crowd;
mod enrolment;
mod events;
mod fairness;
mod filters;
mod gate;
mod jobs;
mod memory;
mod probes;
mod reaper;
mod recovery;
mod renewal;
mod restore;
mod restore_faults;
mod revocation;
mod scene;
mod schedule;
mod sealing;
mod sensor;
mod session;
mod staleness;
mod stop;
mod tenants;
mod unused;
mod upload;
mod vault;
