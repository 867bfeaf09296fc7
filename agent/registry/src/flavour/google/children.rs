//! The repositories below paths.

use std::collections::HashSet;

use async_trait::async_trait;
use portolan_shared::model::{DiscoveryMethod, Finding, FindingCode, RepositoryName, RepositoryPatterns};

use super::listing::{Listing, list};
use crate::api::{Page, WalkEnd};
use crate::client::RegistryClient;
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::product::{RepositoryPages, WILD, folders};

/// Bytes of one answer, which names tags and manifests as well: a path with more is left out, and it is said.
const CHILD_BYTES: usize = 16 * 1024 * 1024;

/// Where the patterns say that repositories are. Names without any wildcard are none of its business: nobody has to find them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Roots {
    /// Paths below which there may be others; none below another.
    paths: Vec<RepositoryName>,
    /// Whether some pattern begins wild, so that there may be others elsewhere.
    elsewhere: bool,
}

impl Roots {
    pub(super) fn of(patterns: &RepositoryPatterns) -> Self {
        let taking_in = || {
            patterns
                .as_slice()
                .iter()
                .filter(|pattern| !pattern.starts_with('!'))
        };
        let is_wild = |pattern: &&String| pattern.starts_with("re:") || pattern.contains(WILD);
        let (mut paths, mut elsewhere) = (Vec::new(), taking_in().next().is_none());
        for pattern in taking_in().filter(is_wild) {
            let alone = RepositoryPatterns::new(vec![pattern.clone()]);
            let folder = alone.ok().and_then(|alone| folders(&alone).pop()?.parse().ok());
            match folder {
                Some(folder) => paths.push(folder),
                None => elsewhere = true,
            }
        }
        paths.sort_unstable();
        paths.dedup();
        let all: Vec<RepositoryName> = paths.clone();
        paths.retain(|path| !all.iter().any(|other| is_below(path, other)));
        Self { paths, elsewhere }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether everything that the patterns take in is here.
    pub(super) fn are_all(&self) -> bool {
        !self.elsewhere
    }
}

/// Whether other paths may be listed all the same.
fn is_of_one_path(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Missing { .. }
            | Fault::Denied { .. }
            | Fault::Rejected { .. }
            | Fault::Unavailable { .. }
            | Fault::TimedOut { .. }
            | Fault::TooLarge { .. }
            | Fault::Protocol { .. }
    )
}

fn is_below(path: &RepositoryName, other: &RepositoryName) -> bool {
    let rest = path.as_str().strip_prefix(other.as_str());
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// A walk down from the roots, a request for each path. Paths only ever grow, and names have an end; so has the walk.
pub(super) struct Children {
    client: RegistryClient,
    waiting: Vec<RepositoryName>,
    /// Paths that may still be found.
    room: usize,
    listed: bool,
    malformed: u64,
    shortfall: Option<String>,
    failed: Option<Fault>,
}

impl Children {
    pub(super) fn new(client: RegistryClient, roots: Roots) -> Self {
        let room = client.limits().repositories;
        Self {
            client,
            waiting: roots.paths,
            room,
            listed: false,
            malformed: 0,
            shortfall: None,
            failed: None,
        }
    }

    async fn advance(&mut self) -> Result<Option<Page<RepositoryName>>, Fault> {
        while let Some(path) = self.waiting.pop() {
            match self.list_all(&path).await {
                Ok(is_repository) => {
                    self.listed = true;
                    if is_repository {
                        return Ok(Some(Page { items: vec![path] }));
                    }
                }
                // A pattern may name a path that is not there. A bare 404 may come from anything on the way.
                Err(fault) if fault.is_name_unknown() => self.listed = true,
                Err(fault) if is_of_one_path(&fault) => {
                    self.shortfall
                        .get_or_insert_with(|| format!("a path could not be listed: {fault}"));
                    self.failed.get_or_insert(fault);
                }
                Err(fault) => return Err(fault),
            }
        }
        match self.failed.take().filter(|_| !self.listed) {
            Some(fault) => Err(fault),
            None => Ok(None),
        }
    }

    /// Takes in what lies below a path; whether it is a repository itself.
    async fn list_all(&mut self, path: &RepositoryName) -> Result<bool, Fault> {
        let (mut query, mut asked) = (None, HashSet::new());
        let mut is_repository = false;
        loop {
            let listing = list(&self.client, path, query.as_deref(), CHILD_BYTES).await?;
            is_repository |= listing.is_repository;
            let next = listing.next.clone();
            self.take(path, listing);
            match next {
                None => return Ok(is_repository),
                Some(next) if asked.len() < self.client.limits().pages && asked.insert(next.clone()) => {
                    query = Some(next);
                }
                Some(_) => {
                    self.shortfall.get_or_insert_with(|| WalkEnd::Circle.to_string());
                    return Ok(is_repository);
                }
            }
        }
    }

    fn take(&mut self, path: &RepositoryName, listing: Listing) {
        let unreadable = listing.unreadable_children;
        if unreadable > 0 {
            let why = || format!("{unreadable} rows cannot be read");
            self.shortfall.get_or_insert_with(why);
        }
        let mut children = listing.children;
        children.sort_unstable();
        children.dedup();
        // The last one is taken first.
        for child in children.into_iter().rev() {
            let Ok(child) = format!("{path}/{child}").parse() else {
                self.malformed += 1;
                continue;
            };
            if self.room == 0 {
                self.shortfall
                    .get_or_insert_with(|| WalkEnd::ItemBound.to_string());
                return;
            }
            self.room -= 1;
            self.waiting.push(child);
        }
    }
}

#[async_trait]
impl RepositoryPages for Children {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        let outcome = self.advance().await;
        outcome.map_err(|fault| {
            let subject = Subject::Discovery(DiscoveryMethod::GoogleChildren);
            self.client.error(subject, fault)
        })
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }

    fn shortfall(&self) -> Option<Finding> {
        let why = self.shortfall.as_ref()?;
        let registry = self.client.url().reference_host();
        let seen = format!("{registry}: {why}, reading {}", DiscoveryMethod::GoogleChildren);
        Some(Finding::new(FindingCode::ListingIncomplete, &seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(patterns: &[&str]) -> Roots {
        Roots::of(&RepositoryPatterns::new(patterns.iter().map(ToString::to_string).collect()).unwrap())
    }

    fn names(names: &[&str]) -> Vec<RepositoryName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn roots_are_where_the_patterns_begin() {
        let found = roots(&["p/r/**", "p/r/a/*", "q/x/y", "q/*", "!p/r/tmp"]);
        assert_eq!(found.paths, names(&["p/r", "q"]));
        assert!(found.are_all() && !found.is_empty());
        let some = roots(&["p/**", "re:q/.+"]);
        assert!(!some.are_all() && !some.is_empty());
        for none in [&[][..], &["**"], &["!p/**"]] {
            assert!(roots(none).is_empty() && !roots(none).are_all(), "{none:?}");
        }
        assert_eq!(roots(&["pq/**", "p/**"]).paths, names(&["p", "pq"]));
    }
}
