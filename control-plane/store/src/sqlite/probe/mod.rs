//! Probes: `traits` has the statements, `target` the form in which a registry is kept that may not be saved, `trial` the credential that a
//! probe alone tries.

mod target;
mod traits;
mod trial;

pub(super) use trial::deliver as deliver_trial;
