//! Messages of the upload service, checked.

use bytes::Bytes;
use portolan_proto::convert::{self, FieldError};
use portolan_proto::v1;
use portolan_shared::model::{
    CoverageEntry, Digest, Finding, FindingCode, OfferedRepository, RepositoryName, RepositoryOutcome,
    TagName, limits,
};
use portolan_store::RunClosing;

use crate::app::Part;

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

pub(super) fn coverage(wire: &v1::ReportCoverageRequest) -> Result<Vec<CoverageEntry>, FieldError> {
    bounded("entries", &wire.entries, limits::COVERAGE_ENTRIES_PER_PAGE)?;
    let room = limits::COVERAGE_ENTRIES_PER_PAGE - wire.entries.len();
    bounded("filtered", &wire.filtered, room)?;
    convert::coverage(wire)
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

/// Names of tags that the filter leaves out, of one message.
pub(super) fn left_out(names: &[String]) -> Result<Vec<TagName>, FieldError> {
    bounded("left_out", names, limits::TAGS_PER_PAGE)?;
    let name = |name: &String| name.parse().map_err(|error| FieldError::new("left_out", error));
    names.iter().map(name).collect()
}

/// The tags that a commit is about, if it is about some alone: sorted, each once.
pub(super) fn only(names: &[String]) -> Result<Option<Vec<TagName>>, FieldError> {
    if names.is_empty() {
        return Ok(None);
    }
    bounded("only", names, limits::RUN_SCOPE_REFERENCES)?;
    let name = |name: &String| name.parse().map_err(|error| FieldError::new("only", error));
    let names: Vec<TagName> = names.iter().map(name).collect::<Result<_, _>>()?;
    if !names.is_sorted_by(|left, right| left < right) {
        return Err(FieldError::new("only", "must be sorted, each tag once"));
    }
    Ok(Some(names))
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
    bounded("discovery", &wire.discovery, limits::COVERAGE_METHODS)?;
    bounded("listings", &wire.listings, limits::COVERAGE_METHODS)?;
    let discovery = wire.discovery.iter().map(convert::discovery_step);
    let mut discovery = discovery.collect::<Result<Vec<_>, _>>()?;
    let listings = wire.listings.iter().map(convert::listing_step);
    let mut listings = listings.collect::<Result<Vec<_>, _>>()?;
    let steps = discovery.iter_mut().map(|step| &mut step.finding);
    keep_few_details(steps.chain(listings.iter_mut().map(|step| &mut step.finding)));
    Ok(RunClosing {
        discovery,
        listings,
        discovery_complete: wire.discovery_complete,
        found: wire.found,
        filtered: wire.filtered,
        tags: wire.tags,
        tags_filtered: wire.tags_filtered,
        failure: convert::optional_finding(wire.failure.as_ref()),
        facts: wire
            .facts
            .as_ref()
            .map(convert::facts)
            .transpose()?
            .unwrap_or_default(),
    })
}

/// Drops the further lines of all findings but the first that have any: every list of runs carries these.
fn keep_few_details<'f>(findings: impl Iterator<Item = &'f mut Option<Finding>>) {
    let details = findings.flatten().filter(|finding| finding.detail.is_some());
    for finding in details.skip(limits::DETAILS_PER_ACCOUNT) {
        finding.detail = None;
    }
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
        let report = |entries: usize, filtered: usize| {
            coverage(&v1::ReportCoverageRequest {
                fence: None,
                entries: vec![entry.clone(); entries],
                filtered: names(filtered),
            })
        };
        let bound = limits::COVERAGE_ENTRIES_PER_PAGE;
        for (entries, filtered) in [(bound, 0), (0, bound), (bound - 1, 1)] {
            assert!(report(entries, filtered).is_ok(), "{entries} and {filtered}");
            assert!(report(entries + 1, filtered).is_err(), "{entries} and {filtered}");
            assert!(report(entries, filtered + 1).is_err(), "{entries} and {filtered}");
        }
        let state = v1::RepositoryState {
            repository: "acme/app".into(),
            state_hash: vec![0; 32].into(),
            tags: 1,
            listed_seconds_ago: 0,
        };
        let many = |count: usize| vec![state.clone(); count];
        assert!(offered(&many(limits::REPOSITORIES_PER_OFFER)).is_ok());
        assert!(offered(&many(limits::REPOSITORIES_PER_OFFER + 1)).is_err());
        let names = |count: usize| vec!["1.0".to_owned(); count];
        assert!(left_out(&names(limits::TAGS_PER_PAGE)).is_ok());
        assert!(left_out(&names(limits::TAGS_PER_PAGE + 1)).is_err());
        assert!(left_out(&["not a tag".to_owned()]).is_err());
    }

    #[test]
    fn a_closing_holds_at_its_bounds_and_is_refused_above() {
        let discovery = v1::DiscoveryStep {
            method: "harbor.projects".into(),
            ..v1::DiscoveryStep::default()
        };
        let listing = v1::ListingStep {
            method: "gitlab.v1".into(),
            ..v1::ListingStep::default()
        };
        let with = |discoveries: usize, listings: usize| {
            closing(&v1::CloseRunRequest {
                discovery: vec![discovery.clone(); discoveries],
                listings: vec![listing.clone(); listings],
                ..v1::CloseRunRequest::default()
            })
        };
        let bound = limits::COVERAGE_METHODS;
        let read = with(bound, bound).unwrap();
        assert_eq!((read.discovery.len(), read.listings.len()), (bound, bound));
        for above in [with(bound + 1, 0), with(0, bound + 1)] {
            assert!(above.unwrap_err().to_string().contains("more than 16"));
        }
        let explained = v1::ListingStep {
            finding: Some(convert::finding_to_wire(
                &Finding::new(FindingCode::NativeApiRefused, "403").with_detail("more\nlines"),
            )),
            ..listing.clone()
        };
        let read = closing(&v1::CloseRunRequest {
            listings: vec![explained; bound],
            ..v1::CloseRunRequest::default()
        });
        let findings = read.unwrap().listings.into_iter().filter_map(|step| step.finding);
        let (kept, cut): (Vec<_>, Vec<_>) = findings.partition(|finding| finding.detail.is_some());
        assert_eq!(kept.len(), limits::DETAILS_PER_ACCOUNT);
        assert_eq!((cut.len(), cut[0].seen.as_str()), (bound - kept.len(), "403"));
        let unknown = v1::ListingStep {
            method: "telepathy".into(),
            ..listing.clone()
        };
        let wire = v1::CloseRunRequest {
            listings: vec![unknown],
            ..v1::CloseRunRequest::default()
        };
        assert!(closing(&wire).is_err());
    }

    #[test]
    fn commits_have_outcomes_of_commits_alone() {
        assert!(committed_outcome("listed").is_ok());
        for other in ["unchanged", "denied", "", "LISTED"] {
            assert!(committed_outcome(other).is_err(), "{other}");
        }
    }
}
