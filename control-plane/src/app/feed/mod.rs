//! The change feed as people follow it: first everything that is there (the baseline), then everything that changes.
//!
//! `start` says where somebody begins, `cursor` how far they are and what they follow, `event` gives what is found the form of CloudEvents, `read`
//! reads a page or waits for one; `readers` wakes those who wait and sends them away, `ends` watches for them, `apart` asks the database for
//! them, and `places` counts them.
//!
//! The baseline begins with noting where the feed ends; tags are then read page by page while commits go on, and the changes are told from that
//! end on. So a change may be told that the baseline showed already, and never one is left out: whoever takes each event for the state of its tag
//! (present, appeared and moved: this digest; vanished and left out: none) arrives at what there is.
//!
//! Whoever follows one registry follows that one, not its name: when it is removed they are told so, and nothing after that, also if another one
//! is added by its name. Who wants that one begins anew.
//!
//! A token that is revoked, or that ends, is noticed within 15 seconds by whoever follows with it; a poll, which waits at most 25, is asked for it
//! at its beginning as every request is.

mod apart;
mod cursor;
mod ends;
mod event;
mod places;
mod read;
mod readers;
mod start;

pub use cursor::{FeedCursor, FeedCursorError, FeedPlace, FeedScope};
pub use event::CloudEvent;
pub use read::{FeedItem, FeedPage};
pub use readers::{FeedReader, FeedReaders, ReaderEnd};
pub use start::FeedStart;
