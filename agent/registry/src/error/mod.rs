//! What can go wrong while reading a registry: a `fault`, where it happened (`subject`, `registry_error`), and the finding that it makes
//! (`code`).

mod code;
mod fault;
mod registry_error;
mod subject;

pub use fault::Fault;
pub use registry_error::RegistryError;
pub use subject::Subject;
