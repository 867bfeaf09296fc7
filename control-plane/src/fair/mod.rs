//! What keeps one peer from starving the others at either door: where a connection comes from, and how much of something each may have
//! at once. Knows nothing of what is shared.

mod shares;
mod source;

pub(crate) use shares::{Place, Shares};
pub(crate) use source::Source;
