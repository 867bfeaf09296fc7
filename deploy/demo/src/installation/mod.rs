//! The real programs as child processes: built, started, asked, stopped. Knows no registry, and prints nothing but what cargo says.
//!
//! Everything is on loopback with free ports and keeps its state in a folder of the caller's choice. Children are asked to stop, then
//! killed; where the machine has `setpriv`, the kernel kills them too if their parent is killed.

mod agent;
mod control_plane;
mod figures;
mod operator;
mod process;
mod programs;
mod wait;

pub use agent::{Agent, Allowed};
pub use control_plane::{ControlPlane, free_address, loopback_client};
pub use figures::Figures;
pub use operator::Operator;
pub use process::Process;
pub use programs::{Profile, Programs};
pub use wait::wait_until;
