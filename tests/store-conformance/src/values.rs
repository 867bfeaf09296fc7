//! Short ways to make values.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::manifest::{ArtifactKind, ChildRole};
use portolan_shared::model::{Digest, MediaType, RepositoryName, RepositoryOutcome, StateHash, StateHasher};
use portolan_shared::process::{Rng as _, SystemRng};
use portolan_store::{Content, ManifestContent, RepositoryCommit, TagObservation};

/// A time, in seconds after that of [`Site::new`](crate::Site::new).
#[must_use]
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

/// The digest of some content.
#[must_use]
pub fn digest(content: &str) -> Digest {
    Digest::sha256_of(content.as_bytes())
}

/// A tag that points to the digest of some content.
#[must_use]
pub fn observation(tag: &str, content: &str) -> TagObservation {
    TagObservation {
        tag: tag.parse().unwrap(),
        digest: digest(content),
        media_type: Some(MediaType::OCI_MANIFEST),
        size: content.len() as u64,
        pushed_at: None,
    }
}

/// The hash of a tag set.
#[must_use]
pub fn state_hash(tags: &[TagObservation]) -> StateHash {
    let mut hasher = StateHasher::new();
    for seen in tags {
        hasher.add(&seen.tag, &seen.digest);
    }
    hasher.finish()
}

/// A commit of tags, each with the content it points to.
#[must_use]
pub fn commit_of(repository: &str, tags: &[(&str, &str)], outcome: RepositoryOutcome) -> RepositoryCommit {
    let tags = tags.iter().map(|(tag, content)| observation(tag, content));
    let mut tags: Vec<_> = tags.collect();
    tags.sort_by(|left, right| left.tag.cmp(&right.tag));
    RepositoryCommit {
        only: None,
        repository: repository.parse().unwrap(),
        state_hash: state_hash(&tags),
        tags,
        left_out: Vec::new(),
        outcome,
        finding: None,
        age: Duration::ZERO,
    }
}

/// An image manifest with these bytes, that refers to nothing.
#[must_use]
pub fn image_of(content: &str) -> ManifestContent {
    ManifestContent {
        digest: digest(content),
        media_type: MediaType::OCI_MANIFEST,
        kind: ArtifactKind::Image,
        artifact_type: Some(MediaType::OCI_CONFIG),
        bytes: content.as_bytes().to_vec(),
        config: None,
        content_size: 7,
        children: Vec::new(),
        subject: None,
        incomplete: false,
    }
}

pub(crate) fn index_of(content: &str, children: &[&str]) -> ManifestContent {
    ManifestContent {
        media_type: MediaType::OCI_INDEX,
        kind: ArtifactKind::Index,
        artifact_type: None,
        children: children
            .iter()
            .map(|child| (digest(child), ChildRole::Manifest))
            .collect(),
        ..image_of(content)
    }
}

pub(crate) fn put(manifest: ManifestContent) -> Content {
    Content::Manifest(Box::new(manifest))
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRng.fill(&mut bytes);
    bytes
}
