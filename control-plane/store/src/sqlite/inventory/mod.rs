//! The way up. `offer` answers what is wanted, `content` keeps manifests and image facts, `commit` replaces tag sets (`difference` says what
//! that changes, `tag_rows` writes it, `account` counts it), `coverage` notes what could not be committed; `beside` keeps a run that events asked
//! for and one of the whole registry from misreading each other; `traits` hands the trait's methods to them.
//!
//! What a commit writes goes to SQLite's thread as few strings of several statements: going there and back takes as long as writing five tags.
//! Each statement takes the numbered parameters that it names; what it has affected is counted over all of them.

mod account;
mod beside;
mod commit;
mod content;
mod coverage;
mod difference;
mod offer;
mod tag_rows;
mod traits;

pub(super) use beside::{note_silent, silent};
