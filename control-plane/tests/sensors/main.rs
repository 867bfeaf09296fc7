//! The sensors' door, over real TLS, with a raw client: everything that a sensor, a stranger or an attacker can send.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod certificates;
mod clock;
mod enrolment;
mod fairness;
mod filters;
mod gate;
mod jobs;
mod memory;
mod probes;
mod renewal;
mod revocation;
mod scene;
mod sensor;
mod session;
mod stop;
mod tenants;
mod unused;
mod upload;
