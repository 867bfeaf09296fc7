//! Probes: `traits` has the statements, `target` the form in which a registry is kept that may not be saved.

mod target;
mod traits;
