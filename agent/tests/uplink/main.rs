//! The way to the control plane, against one that the test plays: real TLS and gRPC, and every session handed to the test.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test says what it expects by panicking"
)]

mod account;
mod agent;
mod clock;
mod commands;
mod enrolment;
mod events;
mod identity;
mod jobs;
mod messages;
mod opened;
mod plane;
mod policy;
mod probes;
mod revoked;
mod sealed;
mod sealing;
mod services;
mod sessions;
mod shut_out;
mod skew;
mod start;
mod tokens;
