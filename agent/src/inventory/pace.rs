//! The walk's own bounds.

use std::time::Duration;

use portolan_shared::model::{Budget, limits};

/// How much the walk has in hand at once. Whatever the registry holds, memory depends on these alone.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Requests that are begun at once. More than the registry client lets through, so that it always has one to go on with; the rest waits
    /// in a form that costs next to nothing.
    pub requests: usize,
    /// Repositories in hand. Further ones wait in the catalog page that they came with.
    pub repositories: usize,
    /// Tags above which a repository counts as large. One large repository is in hand at a time; others stop listing at this bound and wait
    /// for their turn.
    pub small_repository: usize,
    /// Tags of one repository that are being resolved.
    pub tags: usize,
    /// Manifests of tags that are being worked on, each with everything below it.
    pub manifests: usize,
    /// Of these, manifests of one repository.
    pub manifests_of_repository: usize,
    /// Children of one manifest that are being worked on.
    pub children: usize,
    /// Bytes of fetched content in hand, from before it is fetched until it is stored in the control plane: more waits.
    pub held_bytes: usize,
    /// Digests of which it is remembered that the control plane has them: older ones are forgotten, and are then offered again. More than
    /// can be queued for it at once, or what is queued would be fetched again.
    pub remembered: usize,
    /// How long an offer waits for company, and a batch of content that somebody waits for. Nobody waits who could do something else.
    pub linger: Duration,
    /// How long the offer of a repository waits for company. Longer, because each offer costs as much as half a repository in it, and there are
    /// other repositories in hand meanwhile.
    pub repository_linger: Duration,
    /// How long a batch of content waits for company while nobody waits for it.
    pub batch_linger: Duration,
    /// Repositories, and digests, that are company enough.
    pub company: usize,
    /// Bytes of content that make a batch worth sending.
    pub batch_bytes: usize,
    /// Requests that fail in a row, none succeeding in between, before the registry counts as gone.
    pub failures: u32,
}

impl Pace {
    /// For a registry with this budget.
    #[must_use]
    pub fn within(budget: Budget) -> Self {
        Self {
            requests: usize::from(budget.concurrency.max(1)) * 2,
            ..Self::default()
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            requests: usize::from(Budget::default().concurrency) * 2,
            repositories: 32,
            small_repository: 2_000,
            tags: 64,
            manifests: 192,
            manifests_of_repository: 96,
            children: 8,
            held_bytes: 6 * 1024 * 1024,
            // Seven eighths of a power of two: a hash table of this many entries does not grow again.
            remembered: 57_344,
            linger: Duration::from_millis(10),
            repository_linger: Duration::from_millis(150),
            batch_linger: Duration::from_millis(100),
            company: 100,
            batch_bytes: 1024 * 1024,
            failures: 24,
        }
    }
}

/// Returns when whoever waits has waited long enough for company.
pub(super) async fn lingered(linger: Duration) {
    if linger.is_zero() {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(linger).await;
    }
}

/// Digests that one repository offers in one piece; several pieces travel in one offer ([`limits::DIGESTS_PER_OFFER`]).
pub(super) const PIECE: usize = 500;
const _: () = assert!(PIECE <= limits::DIGESTS_PER_OFFER, "a piece fits an offer");
