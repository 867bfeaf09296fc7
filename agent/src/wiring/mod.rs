//! Puts the parts together: the only place that knows all of them.
//!
//! `agent` builds and runs a sensor from injected clock, randomness, tasks and shutdown, in the binary and in tests alike. `enrolment` is the
//! command that makes one. `report` gathers the status. `machine` says what is told of this host. `notify` puts the listener for push
//! events between its settings and the uplink. `start` is what is recorded of a start. `starter` is who made it, `revoked` what becomes of
//! one that finds its sensor revoked.
//! `signals` is the binary's alone.

mod agent;
mod enrolment;
mod machine;
mod notify;
mod report;
mod revoked;
mod signals;
mod start;
mod starter;

pub use agent::{Agent, AgentEnd, AgentError, AgentHandle, AgentParts};
pub use enrolment::{EnrolCommand, EnrolReport, EnrolmentError, enrol};
pub use machine::{boot_id, host_facts};
pub use report::status;
pub use revoked::{RevokedWait, WaitEnd};
pub use signals::{SignalError, follow_signals};
pub use starter::Starter;
