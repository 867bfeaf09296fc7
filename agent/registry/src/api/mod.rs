//! The reading side of distribution-spec 1.1, one endpoint family a file: `ping`, `catalog`, `tags`, `manifests`, `blobs`, `referrers`.
//!
//! What they share: `walk` (pages of a listing; `pager` decides which page is next, `link` and `listing` read one), `problem`
//! (what an error answer means), `learnt` (what the registry has shown of itself so far).

mod blobs;
mod catalog;
mod greeting;
mod learnt;
mod link;
mod listing;
mod manifests;
mod pager;
mod ping;
mod problem;
mod referrers;
mod referrers_page;
mod tags;
mod walk;

pub use manifests::{Fetched, Head, Resolved};
pub use pager::WalkEnd;
pub use ping::{Login, Ping};
pub use problem::ErrorCode;
pub use referrers::{Referrer, Referrers, ReferrersSource};
pub use walk::{Page, Walk};

pub(crate) use greeting::{Asked, Greeting};
pub(crate) use learnt::Learnt;
pub(crate) use link::next_query;
pub(crate) use problem::{fault_of, from_elsewhere, unexpected};
