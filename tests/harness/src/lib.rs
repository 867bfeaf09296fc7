#![doc = include_str!("../README.md")]

mod agent;
mod api;
mod binaries;
mod control_plane;
mod process;
mod scene;
mod wait;

pub use agent::Agent;
pub use api::{Api, ApiError};
pub use binaries::binary;
pub use control_plane::ControlPlane;
pub use process::{Finished, Process};
pub use scene::{LOGIN, Registered, Scene};
pub use wait::{wait_for, wait_for_within};
