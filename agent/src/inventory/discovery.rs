//! Which repositories there are, and which of them are wanted.

use portolan_shared::model::{
    DiscoveryMethod, DiscoveryStep, Finding, FindingCode, RepositoryName, RepositoryPatterns, Scope, limits,
};

use super::source::{Pages, SourceError};
use super::upload::UploadError;
use super::walk::Run;

/// How repositories are found. Pure.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plan {
    /// They are named; those beside `names` are left out by the globs.
    Explicit {
        names: Vec<RepositoryName>,
        filtered: u64,
    },
    /// The catalog is asked.
    Catalog(RepositoryPatterns),
}

impl Plan {
    /// Names that somebody gave need no catalog, which few credentials may read.
    pub(super) fn new(globs: &RepositoryPatterns, scope: &Scope) -> Self {
        let mut names = if scope.repositories.is_empty() {
            match globs.explicit() {
                Some(names) => names,
                None => return Self::Catalog(globs.clone()),
            }
        } else {
            scope.repositories.clone()
        };
        names.sort_unstable();
        names.dedup();
        let all = names.len();
        names.retain(|name| globs.matches(name));
        Self::Explicit {
            filtered: (all - names.len()) as u64,
            names,
        }
    }
}

/// Finds repositories page by page, so that reading them can begin at once and memory does not grow with their number.
pub(super) enum Discovery<'s> {
    Explicit {
        names: std::vec::IntoIter<RepositoryName>,
        step: DiscoveryStep,
    },
    Catalog {
        globs: RepositoryPatterns,
        pages: Box<dyn Pages<RepositoryName> + 's>,
        step: DiscoveryStep,
        malformed: u64,
    },
}

impl<'s> Discovery<'s> {
    pub(super) fn begin(run: &Run<'s>, plan: Plan) -> Self {
        match plan {
            Plan::Explicit { names, filtered } => {
                let found = names.len() as u64 + filtered;
                run.tally.found(found, filtered);
                Self::Explicit {
                    names: names.into_iter(),
                    step: DiscoveryStep {
                        method: DiscoveryMethod::Explicit,
                        found,
                        complete: true,
                        finding: None,
                    },
                }
            }
            Plan::Catalog(globs) => Self::Catalog {
                globs,
                pages: run.reader.source.repositories(),
                step: DiscoveryStep {
                    method: DiscoveryMethod::Catalog,
                    found: 0,
                    complete: false,
                    finding: None,
                },
                malformed: 0,
            },
        }
    }

    pub(super) fn is_catalog(&self) -> bool {
        matches!(self, Self::Catalog { .. })
    }

    /// The next repositories that are wanted and not committed yet; `None` at the end.
    pub(super) async fn next(&mut self, run: &Run<'_>) -> Result<Option<Vec<RepositoryName>>, UploadError> {
        let names = match self {
            Self::Explicit { names, .. } => {
                let page: Vec<_> = names.by_ref().take(limits::REPOSITORIES_PER_OFFER).collect();
                if page.is_empty() {
                    return Ok(None);
                }
                page
            }
            Self::Catalog {
                globs,
                pages,
                step,
                malformed,
            } => match run.reader.page(&mut **pages).await {
                Ok(Some(mut page)) => {
                    let found = page.names.len() as u64;
                    step.found += found;
                    *malformed += page.malformed;
                    page.names.retain(|name| globs.matches(name));
                    run.tally.found(found, found - page.names.len() as u64);
                    page.names
                }
                Ok(None) => {
                    step.complete = true;
                    step.finding = (*malformed > 0).then(|| {
                        let seen = format!("{malformed} repositories of the catalog");
                        Finding::new(FindingCode::NameMalformed, &seen)
                    });
                    return Ok(None);
                }
                Err(SourceError { finding, .. }) => {
                    step.finding = Some(finding);
                    return Ok(None);
                }
            },
        };
        pending(run, names).await.map(Some)
    }

    /// What came of it.
    pub(super) fn into_step(self) -> DiscoveryStep {
        match self {
            Self::Explicit { step, .. } | Self::Catalog { step, .. } => step,
        }
    }
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

    fn names(texts: &[&str]) -> Vec<RepositoryName> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_catalog_is_only_asked_when_nobody_gave_names() {
        let globs = |texts: &[&str]| {
            RepositoryPatterns::new(texts.iter().map(ToString::to_string).collect()).unwrap()
        };
        let scope = |texts: &[&str]| Scope {
            repositories: names(texts),
        };
        let wild = globs(&["acme/*"]);
        assert_eq!(Plan::new(&wild, &Scope::default()), Plan::Catalog(wild.clone()));
        assert_eq!(
            Plan::new(&globs(&["b", "a", "b"]), &Scope::default()),
            Plan::Explicit {
                names: names(&["a", "b"]),
                filtered: 0
            }
        );
        assert_eq!(
            Plan::new(&wild, &scope(&["acme/shop", "other/shop"])),
            Plan::Explicit {
                names: names(&["acme/shop"]),
                filtered: 1
            },
            "a scope never widens what the globs allow"
        );
    }
}
