//! The repository that content is fetched from, and what is to be remembered of it meanwhile.

use std::sync::{Mutex, MutexGuard, PoisonError};

use portolan_shared::model::{Finding, RepositoryName};

use super::source::Named;

/// Where content is fetched from.
pub(super) struct Place {
    /// Number of the repository in this run.
    pub(super) number: u64,
    pub(super) name: RepositoryName,
    /// The first thing that could not be read.
    shortfall: Mutex<Option<Finding>>,
    /// Referrers that are left until everything else is done.
    postponed: Mutex<Vec<Named>>,
}

impl Place {
    pub(super) fn new(number: u64, name: RepositoryName) -> Self {
        Self {
            number,
            name,
            shortfall: Mutex::default(),
            postponed: Mutex::default(),
        }
    }

    pub(super) fn note(&self, finding: &Finding) {
        lock(&self.shortfall).get_or_insert_with(|| finding.clone());
    }

    /// Leaves a referrer until everything else is done. Its subject is stored before it then: if it cannot be read this time, it is not
    /// looked for again before somebody refers to it anew. Only registries whose referrers go in circles, or two repositories that meet at
    /// the same referrer, come to that.
    pub(super) fn postpone(&self, referrer: Named) {
        lock(&self.postponed).push(referrer);
    }

    /// The referrers that were left until now.
    pub(super) fn take_postponed(&self) -> Vec<Named> {
        std::mem::take(&mut *lock(&self.postponed))
    }

    /// The first thing that could not be read, if there was any, and the name.
    pub(super) fn into_parts(self) -> (RepositoryName, Option<Finding>) {
        let shortfall = self
            .shortfall
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        (self.name, shortfall)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
