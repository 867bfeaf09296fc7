//! `portolan changes`: `follow` asks for what comes, `line` writes it.

mod follow;
mod line;

pub(in crate::cli) use follow::ChangesArgs;
pub(super) use follow::follow;
