//! The session service: one stream for each connected sensor, and the renewal of its certificate.
//!
//! `machine` decides, `jobs` keeps track of attempts for it, `step` is what goes in and comes out, `messages` what is said; none of them does I/O. `stream` is the
//! one loop that feeds the machine and carries out what it says; `outbound` is its bounded queue, `commands`
//! what the session is told from inside.

mod commands;
mod inbound;
mod jobs;
mod machine;
mod messages;
mod outbound;
mod service;
mod step;
mod stream;

pub(super) use service::SessionService;
