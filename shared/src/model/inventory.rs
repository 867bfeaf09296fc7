//! What travels up: repositories, tags and content as a sensor saw them.

use std::time::Duration;

use jiff::Timestamp;

use super::digest::{Digest, StateHash};
use super::media_type::MediaType;
use super::names::{RepositoryName, TagName};

/// A repository whose tag set was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedRepository {
    /// Which.
    pub repository: RepositoryName,
    /// Hash of its tag set.
    pub state_hash: StateHash,
    /// Tags in it.
    pub tags: u32,
    /// How long ago the sensor began to list it.
    pub age: Duration,
}

/// What kind of content is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentKind {
    /// A manifest.
    Manifest,
    /// Facts of a config blob.
    ImageFacts,
}

/// A tag as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagObservation {
    /// The tag.
    pub tag: TagName,
    /// What it points to.
    pub digest: Digest,
    /// The manifest's media type, if known.
    pub media_type: Option<MediaType>,
    /// The manifest's size in bytes, 0 if not known.
    pub size: u64,
    /// When the registry says it was pushed.
    pub pushed_at: Option<Timestamp>,
}
