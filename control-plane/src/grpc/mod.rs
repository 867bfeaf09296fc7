//! The sensors' door: gRPC over mutual TLS, one listener for enrolment, sessions, sealing keys and uploads.
//!
//! Who may pass is decided in one place, `gate`, for every call of every service: only enrolment is open to strangers. The services
//! check what came, call one use case of [`crate::app`], and answer. What a session does is decided by a state machine without I/O.

mod connection;
mod door;
mod enrolment;
mod gate;
mod refusal;
mod sealing;
mod session;
mod upload;

pub use connection::Connections;
pub use door::{Door, DoorParts};
