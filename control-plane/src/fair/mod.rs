//! What keeps one peer from starving the others at either door: where a connection comes from, how much of something each may have at
//! once, and how often. Knows nothing of what is shared.

mod rate;
mod shares;
mod source;

pub(crate) use rate::{Bucket, Buckets};
pub(crate) use shares::{Place, Shares};
pub(crate) use source::Source;
