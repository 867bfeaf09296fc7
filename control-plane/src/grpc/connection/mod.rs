//! Connections of sensors: accepted and authenticated here, counted, and cut when they must be.

mod acceptor;
mod guard;
mod io;
mod registry;

pub(super) use acceptor::Acceptor;
pub use registry::Connections;
pub(super) use registry::{Connection, Purpose, Serial, Unclaimed};
