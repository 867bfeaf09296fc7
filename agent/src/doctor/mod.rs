//! `portolan-agent doctor`: looks at a registry on the spot, without a control plane, as a sensor on this machine would.
//!
//! - `arguments`: what it is told; `command`: what it then does
//! - `consultation`: the examination put together: policy, trust, credential
//! - `gate`: the local policy as the registry client asks it
//! - `screen`: what is shown of it
//!
//! The examination itself is the registry client's.

mod arguments;
mod command;
mod consultation;
mod gate;
mod screen;

pub use arguments::DoctorArguments;
pub use command::{DoctorError, examine};
pub(crate) use gate::PolicyGate;
pub use screen::{Screen, Style};
