//! `/changes`: the change feed, as pages to be asked for, waiting or not, or as a stream of server-sent events.

pub(super) mod follow;
mod stream;
mod view;

pub use crate::app::CloudEvent;
pub use view::ChangesView;
