//! Messages of the upload service, checked.

use bytes::Bytes;
use portolan_proto::convert::{self, FieldError};
use portolan_proto::v1;
use portolan_shared::model::{
    CoverageEntry, Digest, FindingCode, OfferedRepository, RepositoryName, RepositoryOutcome, limits,
};
use portolan_store::RunClosing;

use crate::app::Part;

/// Most methods of discovery that one run reports: a violation above.
const DISCOVERY_STEPS: usize = 64;

fn bounded<T>(field: &'static str, items: &[T], bound: usize) -> Result<(), FieldError> {
    if items.len() > bound {
        return Err(FieldError::new(field, format!("has more than {bound} items")));
    }
    Ok(())
}

pub(super) fn repositories(names: &[String]) -> Result<Vec<RepositoryName>, FieldError> {
    bounded("repositories", names, limits::REPOSITORIES_PER_OFFER)?;
    names
        .iter()
        .map(|name| convert::repository("repositories", name))
        .collect()
}

pub(super) fn offered(wire: &[v1::RepositoryState]) -> Result<Vec<OfferedRepository>, FieldError> {
    bounded("repositories", wire, limits::REPOSITORIES_PER_OFFER)?;
    wire.iter().map(convert::repository_state).collect()
}

pub(super) fn digests(wire: &[Bytes]) -> Result<Vec<Digest>, FieldError> {
    bounded("digests", wire, limits::DIGESTS_PER_OFFER)?;
    wire.iter()
        .map(|bytes| convert::digest("digests", bytes))
        .collect()
}

pub(super) fn coverage(wire: &[v1::CoverageEntry]) -> Result<Vec<CoverageEntry>, FieldError> {
    bounded("entries", wire, limits::COVERAGE_ENTRIES_PER_PAGE)?;
    wire.iter().map(convert::coverage_entry).collect()
}

pub(super) fn part(wire: v1::ContentItem) -> Result<Part, FieldError> {
    let unavailable = match wire.unavailable.as_str() {
        "" => None,
        code => Some(
            code.parse::<FindingCode>()
                .map_err(|why| FieldError::new("items.unavailable", why))?,
        ),
    };
    Ok(Part {
        kind: convert::content_kind(wire.kind())?,
        digest: convert::digest("items.digest", &wire.digest)?,
        media_type: wire.media_type.parse().ok(),
        size: wire.size,
        content: wire.content,
        incomplete: wire.incomplete,
        unavailable,
    })
}

/// The outcome of a commit: only some make sense there.
pub(super) fn committed_outcome(text: &str) -> Result<RepositoryOutcome, FieldError> {
    match text.parse::<RepositoryOutcome>() {
        Ok(
            outcome @ (RepositoryOutcome::Listed
            | RepositoryOutcome::Incomplete
            | RepositoryOutcome::Truncated),
        ) => Ok(outcome),
        Ok(_) | Err(_) => Err(FieldError::new(
            "end.outcome",
            "expected one of: listed, incomplete, truncated",
        )),
    }
}

pub(super) fn closing(wire: &v1::CloseRunRequest) -> Result<RunClosing, FieldError> {
    bounded("discovery", &wire.discovery, DISCOVERY_STEPS)?;
    Ok(RunClosing {
        discovery: wire
            .discovery
            .iter()
            .map(convert::discovery_step)
            .collect::<Result<_, _>>()?,
        discovery_complete: wire.discovery_complete,
        found: wire.found,
        filtered: wire.filtered,
        tags: wire.tags,
        failure: convert::optional_finding(wire.failure.as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_at_their_bound_and_refuse_above() {
        let names = |count: usize| vec!["acme/app".to_owned(); count];
        assert!(repositories(&names(limits::REPOSITORIES_PER_OFFER)).is_ok());
        assert!(repositories(&names(limits::REPOSITORIES_PER_OFFER + 1)).is_err());
        let digest = Digest::sha256_of(b"x").to_bytes();
        let many = |count: usize| vec![digest.clone().into(); count];
        assert!(digests(&many(limits::DIGESTS_PER_OFFER)).is_ok());
        assert!(digests(&many(limits::DIGESTS_PER_OFFER + 1)).is_err());
        let entry = v1::CoverageEntry {
            repository: "acme/app".into(),
            outcome: "denied".into(),
            finding: None,
        };
        let many = |count: usize| vec![entry.clone(); count];
        assert!(coverage(&many(limits::COVERAGE_ENTRIES_PER_PAGE)).is_ok());
        assert!(coverage(&many(limits::COVERAGE_ENTRIES_PER_PAGE + 1)).is_err());
        let state = v1::RepositoryState {
            repository: "acme/app".into(),
            state_hash: vec![0; 32].into(),
            tags: 1,
        };
        let many = |count: usize| vec![state.clone(); count];
        assert!(offered(&many(limits::REPOSITORIES_PER_OFFER)).is_ok());
        assert!(offered(&many(limits::REPOSITORIES_PER_OFFER + 1)).is_err());
    }

    #[test]
    fn commits_have_outcomes_of_commits_alone() {
        assert!(committed_outcome("listed").is_ok());
        for other in ["unchanged", "denied", "", "LISTED"] {
            assert!(committed_outcome(other).is_err(), "{other}");
        }
    }
}
