//! The session service: one stream for each connected sensor, and the renewal of its certificate.
//!
//! `machine` decides (`introduction`: how it begins), `jobs` keeps track of attempts for it, `step` is what goes in and comes out, `messages` what is said; none of them does
//! I/O. `stream` is the one loop that feeds the machine and carries out what it says, `opening` what it does to open a session; `outbound` is
//! its bounded queue, `audit` what it does for the audit logs of both sides; `commands` waits for what the session is told from inside,
//! `credentials` makes events of it; `askers` are those who want to know whether its sensor is alive.

mod askers;
mod audit;
mod commands;
mod credentials;
mod inbound;
mod introduction;
mod jobs;
mod machine;
mod messages;
mod opening;
mod outbound;
mod service;
mod step;
mod stream;

pub(super) use service::SessionService;
