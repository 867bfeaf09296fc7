//! `/images`: one image or artifact, rendered or raw.

mod facts;
pub(super) mod raw;
pub(super) mod show;
mod view;

pub use facts::Facts;
pub use view::{Blob, Image, PlatformView, ReferrerView};
