//! Uploads: offers, tags, coverage.

use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::model::{
    ContentKind, CoverageEntry, Digest, DiscoveryStep, ListingStep, OfferedRepository, RepositoryName,
    RepositoryOutcome, StateHash, TagObservation, limits,
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

/// How long ago at most a sensor began to look at something: the second that has begun counts whole. At most as long as a run may take.
pub fn age(field: &'static str, seconds: u64) -> Result<Duration, FieldError> {
    if seconds > limits::RUN_SECONDS_MOST.into() {
        return Err(FieldError::new(field, "is longer ago than a run may last"));
    }
    Ok(Duration::from_secs(seconds + 1))
}

/// An age for the wire.
#[must_use]
pub fn age_to_wire(age: Duration) -> u64 {
    age.as_secs().min(limits::RUN_SECONDS_MOST.into())
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
        listed_seconds_ago: age_to_wire(offered.age),
    }
}

/// An offered repository from the wire.
pub fn repository_state(wire: &v1::RepositoryState) -> Result<OfferedRepository, FieldError> {
    Ok(OfferedRepository {
        repository: repository("repositories.repository", &wire.repository)?,
        state_hash: state_hash("repositories.state_hash", &wire.state_hash)?,
        tags: wire.tags,
        age: age("repositories.listed_seconds_ago", wire.listed_seconds_ago)?,
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

/// A report of coverage for the wire. What was left out has a field of its own, and no finding there.
#[must_use]
pub fn coverage_to_wire(fence: v1::Fence, entries: &[CoverageEntry]) -> v1::ReportCoverageRequest {
    let mut wire = v1::ReportCoverageRequest {
        fence: Some(fence),
        ..v1::ReportCoverageRequest::default()
    };
    for entry in entries {
        let repository = entry.repository.to_string();
        if entry.outcome == RepositoryOutcome::Filtered {
            wire.filtered.push(repository);
        } else {
            wire.entries.push(v1::CoverageEntry {
                repository,
                outcome: entry.outcome.as_str().to_owned(),
                finding: entry.finding.as_ref().map(finding_to_wire),
            });
        }
    }
    wire
}

/// The entries of a report of coverage from the wire, those of what was left out behind the others.
pub fn coverage(wire: &v1::ReportCoverageRequest) -> Result<Vec<CoverageEntry>, FieldError> {
    let filtered = wire.filtered.iter().map(|name| {
        Ok(CoverageEntry {
            repository: repository("filtered", name)?,
            outcome: RepositoryOutcome::Filtered,
            finding: None,
        })
    });
    wire.entries.iter().map(coverage_entry).chain(filtered).collect()
}

fn coverage_entry(wire: &v1::CoverageEntry) -> Result<CoverageEntry, FieldError> {
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
    use portolan_shared::model::{Finding, FindingCode};
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    proptest! {
        #[test]
        fn bitmaps_round_trip(answers: Vec<bool>) {
            prop_assert_eq!(bits(&bitmap(&answers), answers.len()).unwrap(), answers.clone());
            prop_assert!(bits(&bitmap(&answers), answers.len() + 1).is_err());
        }
    }

    #[test]
    fn ages_travel_up_to_that_of_the_longest_run() {
        let most = u64::from(limits::RUN_SECONDS_MOST);
        for seconds in [0, 1, 10_020, most] {
            let told = age_to_wire(Duration::from_secs(seconds) + Duration::from_millis(999));
            assert_eq!(told, seconds);
            let most_it_may_be = Duration::from_secs(seconds + 1);
            assert_eq!(age("age", told).unwrap(), most_it_may_be, "never too young");
        }
        assert!(age("age", most + 1).is_err() && age("age", u64::MAX).is_err());
        assert_eq!(age_to_wire(Duration::MAX), most);
        let offered = OfferedRepository {
            repository: "acme/shop".parse().unwrap(),
            state_hash: StateHash([7; 32]),
            tags: 3,
            age: Duration::from_millis(5_021),
        };
        let wire = repository_state_to_wire(&offered);
        let read = OfferedRepository {
            age: Duration::from_secs(6),
            ..offered
        };
        assert_eq!(repository_state(&wire).unwrap(), read);
        // An agent of a release before says nothing of it.
        let before = v1::RepositoryState {
            listed_seconds_ago: 0,
            ..wire.clone()
        };
        assert_eq!(repository_state(&before).unwrap().age, Duration::from_secs(1));
        let malformed = v1::RepositoryState {
            listed_seconds_ago: u64::MAX,
            ..wire
        };
        assert!(repository_state(&malformed).is_err());
    }

    /// As the release before knows it.
    #[derive(Clone, PartialEq, prost::Message)]
    struct ReportBefore {
        #[prost(message, repeated, tag = "2")]
        entries: Vec<v1::CoverageEntry>,
    }

    #[test]
    fn what_was_left_out_is_told_and_passed_over_by_those_who_do_not_know_of_it() {
        let entry = |name: &str, outcome, finding| CoverageEntry {
            repository: name.parse().unwrap(),
            outcome,
            finding,
        };
        let denied = Finding::new(FindingCode::Denied, "403");
        let told = [
            entry("acme/closed", RepositoryOutcome::Denied, Some(denied)),
            entry("tools/b", RepositoryOutcome::Filtered, None),
            entry("tools/a", RepositoryOutcome::Filtered, None),
        ];
        let wire = coverage_to_wire(v1::Fence::default(), &told);
        assert_eq!(wire.filtered, ["tools/b", "tools/a"]);
        assert_eq!(coverage(&wire).unwrap(), told);
        let before = ReportBefore::decode(wire.encode_to_vec().as_slice()).unwrap();
        assert_eq!(before.entries, wire.entries);
        let malformed = v1::ReportCoverageRequest {
            filtered: vec!["Not A Name".to_owned()],
            ..wire
        };
        assert!(coverage(&malformed).is_err());
    }
}
