//! `portolan changes`: `follow` asks for what comes, `line` writes it, `place` keeps how far that is.

mod follow;
mod line;
mod place;

pub(in crate::cli) use follow::ChangesArgs;
pub(super) use follow::follow;
