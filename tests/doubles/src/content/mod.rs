//! What a registry holds: repositories, tags, manifests and config blobs, generated the same way every time.
//!
//! Layers exist as descriptors only, because an inventory never fetches one. Config blobs carry environment values and build
//! commands that begin with [`CANARY`], so that a test can prove that none of them leaves the agent.

mod artifacts;
mod bench;
mod demo;
mod facts;
mod fixture;
mod image;
mod million;
mod pushed;
mod shelf;
mod signatures;
mod store;

pub use bench::BenchShape;
pub(crate) use facts::ManifestFacts;
pub use fixture::{FIXTURE_CONFIG, FIXTURE_INDEX, FIXTURE_MANIFEST};
pub use image::{CANARY, Image, SharedBase};
pub use million::MillionShape;
pub use pushed::Pushed;
pub use shelf::{Attested, Shelf};
pub use store::{Content, Repository, StoredManifest};
