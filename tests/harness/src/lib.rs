#![doc = include_str!("../README.md")]

mod agent;
mod api;
mod binaries;
mod control_plane;
mod event;
mod notified;
mod printed;
mod process;
mod pusher;
mod scene;
mod wait;

pub use agent::Agent;
pub use api::{Api, ApiError, plain_client};
pub use binaries::binary;
pub use control_plane::{ControlPlane, free_port};
pub use event::distribution_event;
pub use notified::{Door, Notified};
pub use printed::Printed;
pub use process::{Finished, Process};
pub use pusher::Pusher;
pub use scene::{LOGIN, Registered, Scene};
pub use wait::{wait_for, wait_for_within};
