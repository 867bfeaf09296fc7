//! What a tag looks like.

use jiff::Timestamp;
use portolan_store::{PastTag, TagRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::RepositoryFound;

/// A tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tag {
    /// The whole reference: `REGISTRY/REPOSITORY:TAG`.
    pub reference: String,
    /// Its name.
    pub tag: String,
    /// What it points to.
    pub digest: String,
    /// The manifest's media type, if known.
    pub media_type: Option<String>,
    /// The manifest's size in bytes, 0 if not known.
    pub size: u64,
    /// What kind of thing the manifest is, if it is held.
    pub kind: Option<String>,
    /// When the registry says it was pushed; null if it does not, and of a tag as it was at some time.
    pub pushed_at: Option<Timestamp>,
    /// When it was first seen, or first again if it was gone in between; null of a tag as it was at some time.
    pub first_seen_at: Option<Timestamp>,
    /// Since when it points to this digest, as far as was seen.
    pub since: Timestamp,
}

impl Tag {
    pub(super) fn of(place: &RepositoryFound, record: TagRecord) -> Self {
        Self {
            pushed_at: record.pushed_at,
            first_seen_at: Some(record.first_seen_at),
            ..Self::of_past(
                place,
                PastTag {
                    tag: record.tag,
                    digest: record.digest,
                    since: record.since,
                    media_type: record.media_type,
                    size: record.size,
                    kind: record.kind,
                },
            )
        }
    }

    pub(super) fn of_past(place: &RepositoryFound, record: PastTag) -> Self {
        Self {
            reference: format!(
                "{}/{}:{}",
                place.registry.registry.name, place.repository.name, record.tag
            ),
            tag: record.tag.to_string(),
            digest: record.digest.to_string(),
            media_type: record.media_type.map(|media_type| media_type.to_string()),
            size: record.size,
            kind: record.kind.map(|kind| kind.to_string()),
            pushed_at: None,
            first_seen_at: None,
            since: record.since,
        }
    }
}
