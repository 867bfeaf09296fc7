//! What a registry has shown of itself, so that it is not asked the same in vain for every tag.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use crate::error::Subject;

/// Shared by all clones of a client. Nothing here changes what is true, only what is tried first.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    /// HEAD of a manifest.
    pub(crate) head: Support,
    /// The referrers API.
    pub(crate) referrers: Support,
    /// How far down the ladder of page sizes tags are asked for.
    tags_step: AtomicUsize,
    /// The same for the catalog.
    catalog_step: AtomicUsize,
}

impl Learnt {
    /// How far down the ladder of page sizes this kind of listing is asked for.
    pub(crate) fn step_of(&self, subject: &Subject) -> &AtomicUsize {
        if *subject == Subject::Catalog {
            &self.catalog_step
        } else {
            &self.tags_step
        }
    }
}

/// Failures without any success after which something counts as not supported.
const STRIKES: u8 = 3;
const WORKS: u8 = u8::MAX;

/// Whether something works: once it has, a failure is about what was asked for; before that, it may be about the registry.
#[derive(Debug, Default)]
pub(crate) struct Support(AtomicU8);

impl Support {
    pub(crate) fn works(&self) -> bool {
        self.0.load(Ordering::Relaxed) == WORKS
    }

    pub(crate) fn is_given_up(&self) -> bool {
        (STRIKES..WORKS).contains(&self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn worked(&self) {
        self.0.store(WORKS, Ordering::Relaxed);
    }

    /// Counts a failure that another way of asking has shown to be one of the method.
    pub(crate) fn failed(&self) {
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |strikes| {
                (strikes < STRIKES).then(|| strikes + 1)
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_success_outweighs_every_failure() {
        let support = Support::default();
        for _ in 0..STRIKES {
            assert!(!support.is_given_up());
            support.failed();
        }
        assert!(support.is_given_up() && !support.works());
        support.worked();
        support.failed();
        assert!(support.works() && !support.is_given_up());
    }
}
