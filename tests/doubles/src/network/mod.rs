//! What lies between client and server: the listener that all doubles are served by, and proxies that misbehave on request.

mod connect_proxy;
mod fault_proxy;
mod middle_box;
mod request_log;
mod resettable;
mod server;

pub use connect_proxy::{ConnectProxy, Tunnel};
pub use fault_proxy::{Direction, FaultProxy, Flow};
pub use middle_box::MiddleBox;
pub(crate) use request_log::record;
pub use request_log::{RequestLog, Seen};
pub(crate) use resettable::Reset;
pub use server::Server;
