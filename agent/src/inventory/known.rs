//! What this run knows of digests: each is fetched once, whoever needs it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use portolan_shared::model::Digest;
use tokio::sync::oneshot;

/// How much of a digest's content, and of everything below it, the control plane holds or will never want. The worst comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// All of it.
    Whole,
    /// All that is read from the depth at which it was met. Something lies deeper, and is read when it is met nearer to a tag.
    Deep,
    /// Something could not be read, and may be another time.
    Short,
    /// Something is being worked on by somebody who must not be waited for. Never remembered.
    Later,
}

type Key = [u8; 32];

fn key(digest: &Digest) -> Key {
    match digest {
        Digest::Sha256(hash) => *hash,
        Digest::Sha512(_) | Digest::Other(_) => match Digest::sha256_of(&digest.to_bytes()) {
            Digest::Sha256(hash) => hash,
            Digest::Sha512(_) | Digest::Other(_) => unreachable!("sha256_of gives a sha256"),
        },
    }
}

/// Digests of one kind of content. Work on the same digest is done by one; the others wait for it.
pub(super) struct Known {
    state: Mutex<State>,
    bound: usize,
}

#[derive(Default)]
struct State {
    /// Held by the control plane. Two generations: when the younger is full, the older is forgotten.
    young: HashSet<Key>,
    old: HashSet<Key>,
    /// Being worked on, and who waits for it.
    claimed: HashMap<Key, Vec<oneshot::Sender<()>>>,
    /// Tried in vain, or with a result that does not hold everywhere.
    tried: HashMap<Key, Tried>,
}

/// A result, and for whom it holds.
#[derive(Clone, Copy)]
struct Tried {
    standing: Standing,
    spot: Spot,
}

/// From where a digest is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    /// Number of the repository in this run.
    pub(super) repository: u64,
    /// Levels below a tag.
    pub(super) depth: usize,
}

impl Tried {
    fn holds_at(self, spot: Spot) -> bool {
        match self.standing {
            // Content is the same everywhere, and from further down no more of it is read.
            Standing::Deep => self.spot.depth <= spot.depth,
            Standing::Whole | Standing::Short | Standing::Later => self.spot.repository == spot.repository,
        }
    }
}

/// What is known of a digest, as seen from one spot.
pub(super) enum Claim<'k> {
    /// Nothing; the caller is to work on it.
    Mine(Claimed<'k>),
    /// Somebody works on it. Ask again once this returns.
    Taken(oneshot::Receiver<()>),
    /// Nothing is to be done.
    Done(Standing),
}

/// The right to work on a digest. When it is dropped without a result, the next one to ask gets it.
pub(super) struct Claimed<'k> {
    known: &'k Known,
    key: Key,
    spot: Spot,
}

impl Known {
    /// Remembers at most `bound` digests.
    pub(super) fn new(bound: usize) -> Self {
        Self {
            state: Mutex::default(),
            bound: (bound / 2).max(1),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the control plane holds a digest, with everything below it.
    pub(super) fn note_held(&self, digest: &Digest) {
        self.state().hold(key(digest), self.bound);
    }

    /// What came of a digest, unless somebody has to work on it first.
    pub(super) fn standing(&self, digest: &Digest, spot: Spot) -> Option<Standing> {
        self.state().standing(&key(digest), spot)
    }

    /// Claims a digest.
    pub(super) fn claim(&self, digest: &Digest, spot: Spot) -> Claim<'_> {
        let key = key(digest);
        let mut state = self.state();
        if let Some(standing) = state.standing(&key, spot) {
            return Claim::Done(standing);
        }
        if let Some(waiting) = state.claimed.get_mut(&key) {
            let (done, when_done) = oneshot::channel();
            waiting.push(done);
            return Claim::Taken(when_done);
        }
        state.claimed.insert(key, Vec::new());
        Claim::Mine(Claimed {
            known: self,
            key,
            spot,
        })
    }
}

impl State {
    fn standing(&self, key: &Key, spot: Spot) -> Option<Standing> {
        if self.young.contains(key) || self.old.contains(key) {
            return Some(Standing::Whole);
        }
        self.tried
            .get(key)
            .filter(|tried| tried.holds_at(spot))
            .map(|tried| tried.standing)
    }

    fn hold(&mut self, key: Key, bound: usize) {
        if self.young.len() >= bound {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key);
    }
}

impl Claimed<'_> {
    /// The control plane holds it, or will, before anything that is put from now on; or it can be had nowhere.
    pub(super) fn held(self) {
        self.known.state().hold(self.key, self.known.bound);
    }

    /// Something about it could not be had from this spot. From another one it may be.
    pub(super) fn tried(self, standing: Standing) {
        if standing == Standing::Later {
            return;
        }
        let mut state = self.known.state();
        if state.tried.len() >= self.known.bound {
            // Forgetting costs a request or two.
            state.tried.clear();
        }
        let spot = self.spot;
        state.tried.insert(self.key, Tried { standing, spot });
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        let waiting = self.known.state().claimed.remove(&self.key);
        for done in waiting.into_iter().flatten() {
            // Whoever does not wait any more needs no answer.
            let _ = done.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u32) -> Digest {
        Digest::sha256_of(&n.to_le_bytes())
    }

    /// At the top of a repository.
    fn top(repository: u64) -> Spot {
        Spot { repository, depth: 0 }
    }

    #[test]
    fn what_lies_too_deep_is_worked_on_again_from_nearer_and_not_from_further() {
        let known = Known::new(100);
        let at = |repository, depth| known.claim(&digest(1), Spot { repository, depth });
        let Claim::Mine(claimed) = at(1, 2) else {
            panic!("nobody works on it")
        };
        claimed.tried(Standing::Deep);
        for (repository, depth) in [(1, 2), (1, 3), (2, 2), (2, 3)] {
            assert!(matches!(at(repository, depth), Claim::Done(Standing::Deep)));
        }
        let Claim::Mine(claimed) = at(1, 1) else {
            panic!("more of it can be read from there")
        };
        claimed.held();
        assert!(matches!(at(2, 3), Claim::Done(Standing::Whole)));
    }

    #[tokio::test]
    async fn one_works_the_others_wait() {
        let known = Known::new(100);
        let Claim::Mine(claimed) = known.claim(&digest(1), top(1)) else {
            panic!("nobody works on it")
        };
        let Claim::Taken(done) = known.claim(&digest(1), top(2)) else {
            panic!("the first works on it")
        };
        claimed.tried(Standing::Short);
        done.await.unwrap();
        assert!(
            matches!(known.claim(&digest(1), top(1)), Claim::Done(Standing::Short)),
            "not twice in one repository"
        );
        let Claim::Mine(claimed) = known.claim(&digest(1), top(2)) else {
            panic!("another repository may have it")
        };
        claimed.held();
        assert!(matches!(
            known.claim(&digest(1), top(1)),
            Claim::Done(Standing::Whole)
        ));
    }

    #[test]
    fn remembers_up_to_its_bound_and_forgets_the_oldest() {
        let known = Known::new(8);
        for n in 0..100 {
            known.note_held(&digest(n));
        }
        let remembered: Vec<u32> = (0..100)
            .filter(|n| known.standing(&digest(*n), top(0)).is_some())
            .collect();
        assert!(remembered.len() <= 8, "{remembered:?}");
        assert!(remembered.contains(&99));
        for n in 200..300 {
            if let Claim::Mine(claimed) = known.claim(&digest(n), top(0)) {
                claimed.tried(Standing::Short);
            }
        }
        assert!(known.state().tried.len() <= 4);
        assert!(known.state().claimed.is_empty());
    }
}
