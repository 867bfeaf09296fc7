//! Sensors: `record` reads a row, `opening` gives sessions, `renewal` and `recovery` give certificates, `standing` lets in and shuts out,
//! `provisional` is about sensors nobody uses; `traits` has the rest, and the way to all of it.

mod opening;
mod provisional;
mod record;
mod recovery;
mod renewal;
mod standing;
mod traits;

pub(super) use standing::{apply as change_standing, let_in};
