//! The bytes that the walk has in hand.
//!
//! A manifest stays in hand until everything below it has been fetched, which needs bytes of its own: with a plain semaphore a walk could
//! stand still, everybody holding a part and waiting for more. So whoever does something that will come to an end says so ([`Work`]), and
//! when nobody does and somebody waits, the one furthest down is let through, whatever it weighs: the deepest is the first to finish. The
//! bound is thereby exceeded by little more than one chain of manifests, and only when a registry nests large indexes on purpose.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

pub(super) struct Pool {
    state: Mutex<State>,
    bound: usize,
}

#[derive(Default)]
struct State {
    held: usize,
    peak: usize,
    working: usize,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    weight: usize,
    depth: usize,
    admit: oneshot::Sender<(Held, Work)>,
}

/// Bytes of the pool. Given back when dropped.
pub(super) struct Held {
    pool: Arc<Pool>,
    weight: usize,
}

/// Something is being done that will come to an end by itself. Ends when dropped.
pub(super) struct Work(Arc<Pool>);

impl Pool {
    pub(super) fn new(bound: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            bound,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `weight` bytes, for something that lies `depth` levels below a tag. Whoever gets them is at work.
    pub(super) async fn hold(self: &Arc<Self>, weight: usize, depth: usize) -> (Held, Work) {
        let admitted = {
            let mut state = self.state();
            if state.waiting.is_empty() && state.fits(weight, self.bound) {
                return self.grant(&mut state, weight);
            }
            let (admit, admitted) = oneshot::channel();
            state.waiting.push_back(Waiting { weight, depth, admit });
            admitted
        };
        self.admit();
        admitted
            .await
            .expect("a place in the queue is left only by being admitted")
    }

    fn grant(self: &Arc<Self>, state: &mut State, weight: usize) -> (Held, Work) {
        state.take(weight);
        state.working += 1;
        let held = Held {
            pool: Arc::clone(self),
            weight,
        };
        (held, Work(Arc::clone(self)))
    }

    /// Says that something is being done.
    pub(super) fn work(self: &Arc<Self>) -> Work {
        self.state().working += 1;
        Work(Arc::clone(self))
    }

    /// Most bytes that were in hand at once.
    pub(super) fn peak(&self) -> usize {
        self.state().peak
    }

    fn admit(self: &Arc<Self>) {
        loop {
            let (admit, granted) = {
                let mut state = self.state();
                let Some(next) = state.next(self.bound) else {
                    return;
                };
                (next.admit, self.grant(&mut state, next.weight))
            };
            // Outside the lock: if nobody waits any more, the bytes come back at once.
            drop(admit.send(granted));
        }
    }
}

impl State {
    fn fits(&self, weight: usize, bound: usize) -> bool {
        self.held == 0 || self.held.saturating_add(weight) <= bound
    }

    fn take(&mut self, weight: usize) {
        self.held += weight;
        self.peak = self.peak.max(self.held);
    }

    fn next(&mut self, bound: usize) -> Option<Waiting> {
        let first = self.waiting.front()?;
        if self.fits(first.weight, bound) {
            return self.waiting.pop_front();
        }
        if self.working > 0 {
            return None;
        }
        // Nobody is at work, so nothing would ever be given back.
        let deepest = self
            .waiting
            .iter()
            .enumerate()
            .max_by_key(|(place, waiting)| (waiting.depth, std::cmp::Reverse(*place)))
            .map(|(place, _)| place)?;
        self.waiting.remove(deepest)
    }
}

impl Held {
    /// What was held for turned out to weigh something else. Growing does not wait: it would be waiting for itself.
    pub(super) fn reweigh(&mut self, weight: usize) {
        {
            let mut state = self.pool.state();
            state.held -= self.weight;
            state.take(weight);
        }
        let shrunk = weight < self.weight;
        self.weight = weight;
        if shrunk {
            self.pool.admit();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.pool.state().held -= self.weight;
        self.pool.admit();
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let idle = {
            let mut state = self.0.state();
            state.working -= 1;
            state.working == 0
        };
        if idle {
            self.0.admit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn whoever_does_not_fit_waits_in_line() {
        let pool = Pool::new(100);
        let (first, _at_work) = pool.hold(60, 0).await;
        let mut large = Box::pin(pool.hold(50, 0));
        let mut small = Box::pin(pool.hold(10, 0));
        assert!(large.as_mut().now_or_never().is_none());
        assert!(small.as_mut().now_or_never().is_none(), "nobody overtakes");
        drop(first);
        let (large, _) = large.now_or_never().unwrap();
        let (small, _) = small.now_or_never().unwrap();
        assert_eq!(pool.peak(), 60);
        drop((large, small));
        assert_eq!(pool.state().held, 0);
    }

    #[tokio::test]
    async fn what_is_larger_than_the_pool_passes_alone() {
        let pool = Pool::new(100);
        let (one, at_work) = pool.hold(1, 0).await;
        let mut huge = Box::pin(pool.hold(1_000, 0));
        assert!(huge.as_mut().now_or_never().is_none());
        drop((one, at_work));
        assert!(huge.now_or_never().is_some());
    }

    #[tokio::test]
    async fn when_nobody_is_at_work_the_deepest_goes_on_and_only_one() {
        let pool = Pool::new(100);
        let (_outer, at_work) = pool.hold(100, 0).await;
        let mut waiting: Vec<_> = [1, 2, 2, 1]
            .iter()
            .map(|depth| Box::pin(pool.hold(10, *depth)))
            .collect();
        for waiting in &mut waiting {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        drop(at_work);
        let admitted: Vec<_> = waiting
            .iter_mut()
            .map(|waiting| waiting.as_mut().now_or_never())
            .collect();
        let which: Vec<bool> = admitted.iter().map(Option::is_some).collect();
        assert_eq!(which, [false, true, false, false]);
    }

    #[tokio::test]
    async fn bytes_of_somebody_who_left_come_back() {
        let pool = Pool::new(100);
        let (held, at_work) = pool.hold(100, 0).await;
        let mut left = Box::pin(pool.hold(100, 0));
        assert!(left.as_mut().now_or_never().is_none());
        drop(left);
        let mut next = Box::pin(pool.hold(100, 0));
        assert!(next.as_mut().now_or_never().is_none());
        drop((held, at_work));
        assert!(next.now_or_never().is_some());
    }

    #[tokio::test]
    async fn weights_can_be_corrected() {
        let pool = Pool::new(100);
        let (mut held, _at_work) = pool.hold(10, 0).await;
        held.reweigh(150);
        let mut waiting = Box::pin(pool.hold(50, 0));
        assert!(waiting.as_mut().now_or_never().is_none());
        held.reweigh(20);
        assert!(waiting.now_or_never().is_some());
        assert_eq!(pool.peak(), 150);
    }
}
