//! The walk through a registry: discover, list, offer, fetch, commit. Knows the registry client and a way up ([`Upload`]); knows neither
//! gRPC nor sessions.
//!
//! # One repository
//!
//! `discovery` finds it, by the product's own ways where these are open. `listing` lists its tags, resolves with HEAD those of which the list
//! does not say what they point to, and leaves out what is not wanted; `repository` offers the hash of the rest and stops there if nothing
//! has changed. Otherwise `content` offers the digests, fetches what is wanted with everything below it (`below` decides what
//! that is, `facts` reads configs, `referrers` asks what refers to it) and sends it bottom-up; then the tag set is committed.
//!
//! Of a repository of which only some tags are wanted, because somebody has announced them, `references` asks for these alone; what they
//! point to goes the same way, and the commit says that it is about no others. A tag that has no manifest is looked for in a list; what a large
//! repository `rests` between two such lists, is as long as the last one was expensive.
//!
//! From the first question to the answer of the control plane nobody else on this machine reads the same repository
//! ([`RepositoryTurns`], one for all walks). A walk about some repositories or tags does not wait long for that: what is being read anyway is
//! told as not looked at, and can be looked at later.
//!
//! # All of them at once
//!
//! A walk is one future; nothing in here starts a task. Many repositories are in hand, each in a stage of its own, so that there is always
//! something to ask the registry for while answers of the control plane are on their way. What they share:
//!
//! - `reader`: the one door to the registry. Bounds what is begun, begins nothing while the `lease` is in doubt, and gives up a registry
//!   that has stopped answering.
//! - `questions`: offers of many callers, gathered into few calls.
//! - `puts`: content, sent in the order in which it was queued, one batch at a time. A manifest is queued after everything below it, so
//!   whatever the control plane holds, it holds all of it, at whichever moment the walk is cut off.
//! - `known`: which digests are held or being worked on, so that each is fetched once.
//! - `pool`: the bytes in hand. Backpressure runs from here: bytes are given back when they are stored.
//! - `tally`: counts, progress, coverage.
//!
//! [`Pace`] has every bound. What fails is recorded: content as unavailable, a repository as an entry of the coverage; nothing but an error
//! of the upload ends a walk before its end.
//!
//! [`Source`] is what a walk needs of a registry, [`RegistrySource`] the real one: it asks the product what a failure means, and keeps what
//! was found out about the registry on the way.

mod below;
mod content;
mod discovery;
mod facts;
mod known;
mod lease;
mod listing;
mod pace;
mod place;
mod pool;
mod puts;
mod questions;
mod reader;
mod references;
mod referrers;
mod registry;
mod repository;
mod rests;
mod source;
mod tally;
mod terms;
mod turns;
mod upload;
mod walk;

#[cfg(test)]
pub(crate) mod tests;

pub use lease::Lease;
pub use pace::Pace;
pub use registry::RegistrySource;
pub use source::{
    Discovering, Failure, FoundPage, Named, Origin, Pages, ReferrerList, ResolvedTag, ServedManifest, Source,
    SourceError,
};
pub use terms::Terms;
pub use turns::{RepositoryTurns, Turns};
pub use upload::{Closing, ContentItem, ListedRepository, RepositoryTags, Upload, UploadError};
pub use walk::{Steering, Walk, Walked};
