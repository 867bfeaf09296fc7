//! Following a run to its end.

mod follow;
mod progress;

pub(super) use follow::watch;
