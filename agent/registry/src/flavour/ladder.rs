//! The ways to find repositories, tried in turn, each recorded.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

use async_trait::async_trait;
use portolan_shared::model::{
    DiscoveryMethod, DiscoveryStep, Finding, FindingCode, RepositoryName, RepositoryPatterns,
};

use super::product::{Product, RepositoryPages, Rung, literals};
use crate::api::{Page, WalkEnd};
use crate::client::RegistryClient;
use crate::error::RegistryError;

/// Which repositories are to be found.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// What the operator wants of this registry. Nothing is left out here by them, but they may name where to look.
    pub patterns: RepositoryPatterns,
    /// Only these, if any are named: then nothing is discovered.
    pub names: Vec<RepositoryName>,
}

impl Wanted {
    /// The names, if nothing has to be discovered.
    fn explicit(&self) -> Option<Vec<RepositoryName>> {
        if self.names.is_empty() {
            self.patterns.explicit()
        } else {
            Some(self.names.clone())
        }
    }
}

/// Finds repositories. Rung after rung is tried until one has shown everything that this credential can see; what each gave is recorded,
/// and why the next was needed. What the operator named is always among what is found, whatever the others show.
pub struct Ladder {
    rungs: VecDeque<Rung>,
    steps: Vec<DiscoveryStep>,
    /// What the methods that are behind us looked at.
    passed: Vec<Passed>,
    /// Of every name so far a keyed hash.
    seen: HashSet<u128>,
    hashers: [RandomState; 2],
    /// Names that are given, beside those that the operator named.
    bound: usize,
    complete: bool,
}

/// What one method looked at.
#[derive(Clone)]
pub(crate) struct Passed {
    /// Which.
    pub(crate) method: DiscoveryMethod,
    /// Where its names come from, if there is more to say than how many.
    pub(crate) view: Option<String>,
    /// What is worth knowing of what it passed on the way.
    pub(crate) asides: Vec<Finding>,
}

impl Passed {
    fn of(rung: &Rung) -> Self {
        Self {
            method: rung.method,
            view: rung.pages.view(),
            asides: rung.pages.asides(),
        }
    }
}

impl Ladder {
    pub(super) fn new(product: &dyn Product, client: &RegistryClient, wanted: &Wanted) -> Self {
        let mut rungs = VecDeque::new();
        match wanted.explicit() {
            Some(names) => rungs.push_back(named(names, true)),
            None => {
                rungs.extend(product.rungs(client, wanted));
                if product.has_catalog() {
                    rungs.push_back(Rung {
                        method: DiscoveryMethod::Catalog,
                        shows_all: true,
                        pages: Box::new(client.catalog()),
                    });
                }
                let names = literals(&wanted.patterns);
                if !names.is_empty() {
                    rungs.push_back(named(names, false));
                }
            }
        }
        Self {
            rungs,
            steps: Vec::new(),
            passed: Vec::new(),
            seen: HashSet::new(),
            hashers: [RandomState::new(), RandomState::new()],
            bound: client.limits().repositories,
            complete: false,
        }
    }

    /// The next page of names that were not given before; `None` at the end. A method that
    /// fails is recorded, and the next one tried: an error is returned only if it concerns the whole registry. At the bound of names nothing but
    /// what the operator named is added.
    pub async fn next_page(&mut self) -> Result<Option<Vec<RepositoryName>>, RegistryError> {
        while let Some(rung) = self.rungs.front_mut() {
            if self.steps.last().is_none_or(|step| step.method != rung.method) {
                self.steps.push(DiscoveryStep {
                    method: rung.method,
                    found: 0,
                    complete: false,
                    finding: None,
                });
            }
            let outcome = rung.pages.next_page().await;
            let step = self.steps.last_mut().expect("the rung's step was pushed above");
            match outcome {
                Ok(Some(page)) => {
                    let mut names = page.items;
                    let is_bounded = rung.method != DiscoveryMethod::Explicit;
                    let mut over = false;
                    names.retain(|name| {
                        let [one, two] = &self.hashers;
                        let (one, two) = (one.hash_one(name.as_str()), two.hash_one(name.as_str()));
                        let hash = u128::from(one) << 64 | u128::from(two);
                        if is_bounded && self.seen.len() >= self.bound {
                            over |= !self.seen.contains(&hash);
                            return false;
                        }
                        self.seen.insert(hash)
                    });
                    step.found += names.len() as u64;
                    if over {
                        let seen = format!("{}: {}", rung.method, WalkEnd::ItemBound);
                        step.finding = Some(Finding::new(FindingCode::ListingIncomplete, &seen));
                        // No other way could add to it.
                        self.rungs.retain(|rung| rung.method == DiscoveryMethod::Explicit);
                    }
                    if !names.is_empty() {
                        return Ok(Some(names));
                    }
                }
                Ok(None) => {
                    let shortfall = rung.pages.shortfall();
                    let malformed = rung.pages.malformed();
                    step.complete = shortfall.is_none();
                    let remark = rung.pages.remark();
                    let unreadable = || {
                        (malformed > 0).then(|| {
                            let seen = format!("{malformed} repositories listed by {}", rung.method);
                            Finding::new(FindingCode::NameMalformed, &seen)
                        })
                    };
                    step.finding = shortfall.or_else(unreadable).or(remark);
                    let ends = rung.shows_all && step.complete;
                    self.passed.push(Passed::of(rung));
                    self.rungs.pop_front();
                    if ends {
                        self.complete = true;
                        self.rungs.retain(|rung| rung.method == DiscoveryMethod::Explicit);
                    }
                }
                Err(error) => {
                    step.finding = Some(error.finding());
                    self.passed.push(Passed::of(rung));
                    self.rungs.pop_front();
                    if error.concerns_whole_registry() {
                        self.rungs.clear();
                        return Err(error);
                    }
                }
            }
        }
        self.conclude();
        Ok(None)
    }

    /// Says why nothing was found, if nothing was.
    fn conclude(&mut self) {
        if self.steps.iter().any(|step| step.found > 0) {
            return;
        }
        if self
            .steps
            .iter()
            .any(|step| step.method == DiscoveryMethod::Explicit)
        {
            return;
        }
        let seen = |what: &str| {
            let tried: Vec<&str> = self.steps.iter().map(|step| step.method.as_str()).collect();
            format!("{what}; tried: {}", tried.join(", "))
        };
        if let Some(index) = self.steps.iter().rposition(|step| step.complete) {
            let finding = Finding::new(FindingCode::NothingVisible, &seen("no repository was listed"));
            self.steps[index].finding.get_or_insert(finding);
        } else if !self.steps.is_empty() {
            let finding = Finding::new(
                FindingCode::NamesNeeded,
                &seen("no way to list repositories is open to this credential, and none is named"),
            );
            self.steps.push(DiscoveryStep {
                method: DiscoveryMethod::Explicit,
                found: 0,
                complete: false,
                finding: Some(finding),
            });
        }
    }

    /// The methods that were tried so far, in order.
    #[must_use]
    pub fn steps(&self) -> &[DiscoveryStep] {
        &self.steps
    }

    /// What the methods that were tried looked at so far, the one that is not at its end among them.
    pub(crate) fn passed(&self) -> Vec<Passed> {
        let current = self.rungs.front().map(Passed::of);
        self.passed.iter().cloned().chain(current).collect()
    }

    /// Whether, at the end, everything was listed that this credential can see.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

fn named(names: Vec<RepositoryName>, shows_all: bool) -> Rung {
    Rung {
        method: DiscoveryMethod::Explicit,
        shows_all,
        pages: Box::new(Named(Some(names))),
    }
}

/// Names that somebody gave, as one page.
struct Named(Option<Vec<RepositoryName>>);

#[async_trait]
impl RepositoryPages for Named {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        Ok(self.0.take().map(|items| Page { items }))
    }
}
