//! The change feed as people follow it: first everything that is there (the baseline), then everything that changes.
//!
//! `cursor` says how far somebody is, `event` gives what is found the form of CloudEvents, `read` reads a page or waits for one, `readers` counts
//! and wakes those who wait.
//!
//! The baseline begins with noting where the feed ends; tags are then read page by page while commits go on, and the changes are told from that
//! end on. So a change may be told that the baseline showed already, and never one is left out: whoever takes each event for the state of its tag
//! (present, appeared and moved: this digest; vanished and left out: none) arrives at what there is.

mod cursor;
mod event;
mod read;
mod readers;

pub use cursor::{FeedCursor, FeedCursorError};
pub use event::CloudEvent;
pub use read::{FeedItem, FeedPage, FeedStart};
pub use readers::{FeedReader, FeedReaders, ReaderEnd};
