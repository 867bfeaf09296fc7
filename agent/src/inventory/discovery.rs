//! Which repositories there are, and which of them are wanted.

use std::collections::BTreeMap;

use portolan_registry::Wanted;
use portolan_shared::model::{
    DiscoveryMethod, DiscoveryStep, Finding, FindingCode, RepositoryName, RepositoryOutcome,
    RepositoryPatterns, Scope, TagName, TagReference, limits,
};

use super::repository::Found;
use super::source::{Discovering, FoundPage, Origin};
use super::upload::UploadError;
use super::walk::Run;

/// Finds repositories page by page, so that reading them can begin at once and memory does not grow with their number.
pub(super) struct Discovery<'s> {
    wanted: &'s Wanted,
    /// None if single tags are all that is wanted: then there is nothing to be found.
    search: Option<Box<dyn Discovering + 's>>,
    /// Tags that were named, by repository, until they have been given.
    named: BTreeMap<RepositoryName, Vec<TagName>>,
    /// How many repositories that were.
    named_repositories: u64,
    /// Why it ended before its end.
    broken: Option<Finding>,
}

/// How discovery went.
pub(super) struct Discovered {
    /// The methods that were tried, in order.
    pub(super) steps: Vec<DiscoveryStep>,
    /// Everything was listed that this credential can see.
    pub(super) complete: bool,
}

impl<'s> Discovery<'s> {
    pub(super) fn begin(run: &Run<'s>, wanted: &'s Wanted, scope: &Scope) -> Self {
        let mut named: BTreeMap<RepositoryName, Vec<TagName>> = BTreeMap::new();
        for TagReference { repository, tag } in &scope.references {
            named.entry(repository.clone()).or_default().push(tag.clone());
        }
        let is_search = named.is_empty() || !scope.repositories.is_empty();
        Self {
            search: is_search.then(|| run.reader.source.repositories(wanted)),
            wanted,
            named_repositories: named.len() as u64,
            named,
            broken: None,
        }
    }

    /// Whether anything is to be found: more than single tags is wanted.
    pub(super) fn is_search(&self) -> bool {
        self.search.is_some()
    }

    /// The next repositories that are wanted and not committed yet; `None` at the end. First those of which only tags are wanted: somebody
    /// has just pushed them.
    pub(super) async fn next(&mut self, run: &Run<'_>) -> Result<Option<Vec<Found>>, UploadError> {
        let mut named = std::mem::take(&mut self.named);
        if !named.is_empty() {
            let names = named.keys().cloned().collect();
            let left = sift(run, &self.wanted.patterns, names).await?;
            let found = left.into_iter().filter_map(|name| {
                let (name, only) = named.remove_entry(&name)?;
                Some(Found {
                    name,
                    origin: Origin::Named,
                    only,
                })
            });
            return Ok(Some(found.collect()));
        }
        let Some(search) = self.search.as_mut().filter(|_| self.broken.is_none()) else {
            return Ok(None);
        };
        let FoundPage { names, origin } = match run.reader.during(search.next()).await {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(None),
            Err(error) => {
                self.broken = Some(error.finding);
                return Ok(None);
            }
        };
        let left = sift(run, &self.wanted.patterns, names).await?;
        let found = left.into_iter().map(|name| Found {
            name,
            origin,
            only: Vec::new(),
        });
        Ok(Some(found.collect()))
    }

    /// What came of it, once it is over.
    pub(super) fn into_outcome(self, run: &Run<'_>) -> Discovered {
        let mut steps = self
            .search
            .as_ref()
            .map_or_else(Vec::new, |search| search.steps());
        if let Some(broken) = &self.broken {
            if steps.is_empty() {
                steps.push(not_begun(self.wanted));
            }
            if let Some(last) = steps.last_mut().filter(|last| !last.complete) {
                last.finding.get_or_insert_with(|| broken.clone());
            }
        }
        if self.named_repositories > 0 {
            match steps
                .iter_mut()
                .find(|step| step.method == DiscoveryMethod::Explicit)
            {
                Some(step) => step.found += self.named_repositories,
                None => steps.push(DiscoveryStep {
                    method: DiscoveryMethod::Explicit,
                    found: self.named_repositories,
                    complete: true,
                    finding: None,
                }),
            }
        }
        let (found, filtered) = run.tally.repositories();
        if found > 0
            && found == filtered
            && self.wanted.names.is_empty()
            && self.named_repositories == 0
            && let Some(last) = steps.last_mut()
        {
            last.finding.get_or_insert_with(|| {
                let seen = format!("none of {found} repositories is taken in by the patterns");
                Finding::new(FindingCode::FilterMatchesNothing, &seen)
            });
        }
        Discovered {
            complete: self.broken.is_none() && self.search.is_none_or(|search| search.is_complete()),
            steps,
        }
    }
}

/// The step that could not be made because the registry was not to be read at all.
fn not_begun(wanted: &Wanted) -> DiscoveryStep {
    let named = !wanted.names.is_empty() || wanted.patterns.explicit().is_some();
    DiscoveryStep {
        method: if named {
            DiscoveryMethod::Explicit
        } else {
            DiscoveryMethod::Catalog
        },
        found: 0,
        complete: false,
        finding: None,
    }
}

/// Of the findings of a run that read nothing, the one to act on: the worst; of equally bad ones one that says why, before those that say
/// that a way is closed; of these the first, which was the way that should have worked.
pub(super) fn most_telling<'f>(findings: impl Iterator<Item = &'f Finding>) -> Option<&'f Finding> {
    let rank = |finding: &Finding| {
        let says_why = !matches!(
            finding.code,
            FindingCode::CatalogDenied
                | FindingCode::CatalogUnsupported
                | FindingCode::Denied
                | FindingCode::ListingIncomplete
        );
        (finding.code.severity(), says_why)
    };
    findings.fold(None, |best, finding| match best {
        Some(best) if rank(best) >= rank(finding) => Some(best),
        _ => Some(finding),
    })
}

/// Of names that were found, those that are wanted, allowed, and not committed yet.
async fn sift(
    run: &Run<'_>,
    patterns: &RepositoryPatterns,
    names: Vec<RepositoryName>,
) -> Result<Vec<RepositoryName>, UploadError> {
    let found = names.len();
    // Also of names that somebody gave: a run for some repositories never widens what the patterns allow.
    let (wanted, left_out) = names.into_iter().partition(|name| patterns.matches(name));
    run.tally.found(found, left_out).await?;
    let wanted = permitted(run, wanted).await?;
    pending(run, wanted).await
}

/// Leaves out what this machine's administrator does not allow, and says so of each.
async fn permitted(run: &Run<'_>, names: Vec<RepositoryName>) -> Result<Vec<RepositoryName>, UploadError> {
    let mut left = Vec::with_capacity(names.len());
    for name in names {
        match run.terms.refusal(&name) {
            Some(finding) => {
                run.tally
                    .not_read(name, RepositoryOutcome::Refused, finding)
                    .await?;
            }
            None => left.push(name),
        }
    }
    Ok(left)
}

/// Leaves out what an earlier attempt of the same run has committed.
async fn pending(run: &Run<'_>, names: Vec<RepositoryName>) -> Result<Vec<RepositoryName>, UploadError> {
    if !run.resumed {
        return Ok(names);
    }
    let mut left = Vec::with_capacity(names.len());
    let mut names = names.into_iter();
    loop {
        let piece: Vec<_> = names.by_ref().take(limits::REPOSITORIES_PER_OFFER).collect();
        if piece.is_empty() {
            return Ok(left);
        }
        let answers = run.upload.pending_repositories(&piece).await?;
        let committed = answers.iter().filter(|pending| !**pending).count();
        run.tally.committed_before(committed as u64);
        left.extend(
            piece
                .into_iter()
                .zip(answers)
                .filter(|(_, pending)| *pending)
                .map(|(name, _)| name),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_tells_more_than_a_closed_door() {
        let of = |codes: &[FindingCode]| {
            let findings: Vec<Finding> = codes.iter().map(|code| Finding::new(*code, "x")).collect();
            most_telling(findings.iter()).map(|finding| finding.code)
        };
        let (denied, scope) = (FindingCode::CatalogDenied, FindingCode::GitLabScopeMissing);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[denied]), Some(denied));
        assert_eq!(of(&[scope, denied]), Some(scope));
        assert_eq!(of(&[denied, scope]), Some(scope));
        assert_eq!(of(&[FindingCode::NativeApiRefused, denied]), Some(denied));
        let (first, second) = (FindingCode::Unavailable, FindingCode::RateLimited);
        assert_eq!(first.severity(), second.severity());
        assert_eq!(of(&[first, second]), Some(first));
    }
}
