//! Uploads: offers, tags, coverage.

use jiff::Timestamp;
use portolan_shared::model::{
    ContentKind, CoverageEntry, Digest, DiscoveryStep, ListingStep, OfferedRepository, RepositoryName,
    StateHash, TagObservation,
};

use super::field::{FieldError, finding_to_wire, optional_finding};
use crate::v1;

/// A repository name.
pub fn repository(field: &'static str, text: &str) -> Result<RepositoryName, FieldError> {
    text.parse().map_err(|error| FieldError::new(field, error))
}

/// A digest from its compact form.
pub fn digest(field: &'static str, bytes: &[u8]) -> Result<Digest, FieldError> {
    Digest::from_bytes(bytes).map_err(|error| FieldError::new(field, error))
}

/// The hash of a tag set.
pub fn state_hash(field: &'static str, bytes: &[u8]) -> Result<StateHash, FieldError> {
    bytes
        .try_into()
        .map(StateHash)
        .map_err(|_| FieldError::new(field, "must have 32 bytes"))
}

/// A bitmap of answers.
#[must_use]
pub fn bitmap(answers: &[bool]) -> v1::Bitmap {
    let mut bits = vec![0_u8; answers.len().div_ceil(8)];
    for (i, _) in answers.iter().enumerate().filter(|(_, answer)| **answer) {
        bits[i / 8] |= 1 << (i % 8);
    }
    v1::Bitmap {
        bits: bits.into(),
        count: u32::try_from(answers.len()).unwrap_or(u32::MAX),
    }
}

/// The answers in a bitmap, which must be `expected` many.
pub fn bits(wire: &v1::Bitmap, expected: usize) -> Result<Vec<bool>, FieldError> {
    if wire.count as usize != expected || wire.bits.len() != expected.div_ceil(8) {
        return Err(FieldError::new(
            "bits",
            format!("answers {} of {expected} items", wire.count),
        ));
    }
    Ok((0..expected)
        .map(|i| wire.bits[i / 8] & (1 << (i % 8)) != 0)
        .collect())
}

/// A content kind for the wire.
#[must_use]
pub fn content_kind_to_wire(kind: ContentKind) -> v1::ContentKind {
    match kind {
        ContentKind::Manifest => v1::ContentKind::Manifest,
        ContentKind::ImageFacts => v1::ContentKind::ImageFacts,
    }
}

/// A content kind from the wire.
pub fn content_kind(wire: v1::ContentKind) -> Result<ContentKind, FieldError> {
    match wire {
        v1::ContentKind::Manifest => Ok(ContentKind::Manifest),
        v1::ContentKind::ImageFacts => Ok(ContentKind::ImageFacts),
        v1::ContentKind::Unspecified => Err(FieldError::missing("kind")),
    }
}

/// An offered repository for the wire.
#[must_use]
pub fn repository_state_to_wire(offered: &OfferedRepository) -> v1::RepositoryState {
    v1::RepositoryState {
        repository: offered.repository.to_string(),
        state_hash: offered.state_hash.0.to_vec().into(),
        tags: offered.tags,
    }
}

/// An offered repository from the wire.
pub fn repository_state(wire: &v1::RepositoryState) -> Result<OfferedRepository, FieldError> {
    Ok(OfferedRepository {
        repository: repository("repositories.repository", &wire.repository)?,
        state_hash: state_hash("repositories.state_hash", &wire.state_hash)?,
        tags: wire.tags,
    })
}

/// A tag for the wire.
#[must_use]
pub fn tag_to_wire(tag: &TagObservation) -> v1::Tag {
    v1::Tag {
        tag: tag.tag.to_string(),
        digest: tag.digest.to_bytes().into(),
        media_type: tag
            .media_type
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        size: tag.size,
        pushed_at_ms: tag.pushed_at.map_or(0, Timestamp::as_millisecond),
    }
}

/// A tag from the wire.
pub fn tag(wire: &v1::Tag) -> Result<TagObservation, FieldError> {
    Ok(TagObservation {
        tag: wire
            .tag
            .parse()
            .map_err(|error| FieldError::new("tags.tag", error))?,
        digest: digest("tags.digest", &wire.digest)?,
        media_type: wire.media_type.parse().ok(),
        size: wire.size,
        pushed_at: (wire.pushed_at_ms != 0)
            .then(|| Timestamp::from_millisecond(wire.pushed_at_ms))
            .transpose()
            .map_err(|_| FieldError::new("tags.pushed_at_ms", "is not a time"))?,
    })
}

/// A coverage entry for the wire.
#[must_use]
pub fn coverage_entry_to_wire(entry: &CoverageEntry) -> v1::CoverageEntry {
    v1::CoverageEntry {
        repository: entry.repository.to_string(),
        outcome: entry.outcome.as_str().to_owned(),
        finding: entry.finding.as_ref().map(finding_to_wire),
    }
}

/// A coverage entry from the wire.
pub fn coverage_entry(wire: &v1::CoverageEntry) -> Result<CoverageEntry, FieldError> {
    Ok(CoverageEntry {
        repository: repository("entries.repository", &wire.repository)?,
        outcome: wire
            .outcome
            .parse()
            .map_err(|why: String| FieldError::new("entries.outcome", why))?,
        finding: optional_finding(wire.finding.as_ref()),
    })
}

/// A step of discovery for the wire.
#[must_use]
pub fn discovery_step_to_wire(step: &DiscoveryStep) -> v1::DiscoveryStep {
    v1::DiscoveryStep {
        method: step.method.as_str().to_owned(),
        found: step.found,
        complete: step.complete,
        finding: step.finding.as_ref().map(finding_to_wire),
    }
}

/// A step of discovery from the wire.
pub fn discovery_step(wire: &v1::DiscoveryStep) -> Result<DiscoveryStep, FieldError> {
    Ok(DiscoveryStep {
        method: wire
            .method
            .parse()
            .map_err(|why: String| FieldError::new("discovery.method", why))?,
        found: wire.found,
        complete: wire.complete,
        finding: optional_finding(wire.finding.as_ref()),
    })
}

/// What a method of listing tags did, for the wire.
#[must_use]
pub fn listing_step_to_wire(step: &ListingStep) -> v1::ListingStep {
    v1::ListingStep {
        method: step.method.as_str().to_owned(),
        repositories: step.repositories,
        given_up: step.given_up,
        finding: step.finding.as_ref().map(finding_to_wire),
    }
}

/// What a method of listing tags did, from the wire.
pub fn listing_step(wire: &v1::ListingStep) -> Result<ListingStep, FieldError> {
    Ok(ListingStep {
        method: wire
            .method
            .parse()
            .map_err(|why: String| FieldError::new("listings.method", why))?,
        repositories: wire.repositories,
        given_up: wire.given_up,
        finding: optional_finding(wire.finding.as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bitmaps_round_trip(answers: Vec<bool>) {
            prop_assert_eq!(bits(&bitmap(&answers), answers.len()).unwrap(), answers.clone());
            prop_assert!(bits(&bitmap(&answers), answers.len() + 1).is_err());
        }
    }
}
