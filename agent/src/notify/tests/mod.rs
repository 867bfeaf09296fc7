//! The listener over real sockets.

mod bounds;
mod certificates;
mod clocks;
mod desk;
mod scene;
mod senders;
mod silence;
mod slow;
mod strangers;
