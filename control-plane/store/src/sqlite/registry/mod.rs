//! Registries: what operators say of them, and their removal with everything that hangs on them.

mod records;
mod remove;
mod traits;

pub(super) use records::{find, globs};
