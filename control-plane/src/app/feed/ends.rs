//! Where the feeds of tenants end, looked at by one for all who wait.
//!
//! Whoever waits takes part in the watch: one has the turn and looks, when something was committed here or after a while, and tells the others.
//! When that one goes, the next looks at once, so nothing is missed in between. While nothing moves, nobody else reads the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portolan_shared::model::TenantId;
use portolan_shared::process::{Clock, Uptime};
use portolan_store::{FeedPosition, StoreError};
use tokio::sync::watch;

/// How often it is looked without a sign: another replica may have committed.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// Least time from one move that was seen to the next: all who wait read at each, and what is committed meanwhile is read at once.
const BREATH: Duration = Duration::from_millis(250);

/// The ends of those feeds that somebody waits for.
#[derive(Debug)]
pub(super) struct FeedEnds {
    look: Duration,
    of_tenant: Mutex<HashMap<TenantId, Arc<FeedEnd>>>,
}

/// The end of one tenant's feed.
#[derive(Debug)]
pub(super) struct FeedEnd {
    look: Duration,
    /// Rung for each change of this process.
    bell: watch::Sender<u64>,
    /// As far as somebody has seen.
    seen: watch::Sender<FeedPosition>,
    /// Whoever has it looks. When the end was last seen to move.
    turn: tokio::sync::Mutex<Option<Uptime>>,
}

impl FeedEnds {
    pub(super) fn looking_every(look: Duration) -> Self {
        Self {
            look,
            of_tenant: Mutex::default(),
        }
    }

    /// That of a tenant, to wait for it.
    pub(super) fn of(&self, tenant: TenantId) -> Arc<FeedEnd> {
        let mut ends = self.ends();
        // Those that nobody waits for any more go: there are never more than were waited for at once.
        ends.retain(|_, end| Arc::strong_count(end) > 1);
        let end = ends.entry(tenant).or_insert_with(|| {
            Arc::new(FeedEnd {
                look: self.look,
                bell: watch::Sender::new(0),
                seen: watch::Sender::default(),
                turn: tokio::sync::Mutex::default(),
            })
        });
        Arc::clone(end)
    }

    /// Says that something was committed.
    pub(super) fn ring(&self, tenant: TenantId) {
        if let Some(end) = self.ends().get(&tenant) {
            end.bell.send_modify(|rung| *rung = rung.wrapping_add(1));
        }
    }

    fn ends(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<FeedEnd>>> {
        self.of_tenant.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FeedEnd {
    /// Waits until the feed is known to go on behind this position.
    pub(super) async fn moves_past(&self, position: &FeedPosition) {
        // The other end is here: it does not go.
        let _ = self.seen.subscribe().wait_for(|end| end > position).await;
    }

    /// Takes part in the watch until it fails. `look` reads the end.
    pub(super) async fn watch<L>(&self, clock: &dyn Clock, look: impl Fn() -> L) -> StoreError
    where
        L: Future<Output = Result<FeedPosition, StoreError>>,
    {
        let mut moved = self.turn.lock().await;
        let mut bell = self.bell.subscribe();
        loop {
            let since = moved.map_or(BREATH, |moved| clock.uptime().since(moved));
            tokio::time::sleep(BREATH.saturating_sub(since)).await;
            bell.mark_unchanged();
            let end = match look().await {
                Ok(end) => end,
                Err(error) => return error,
            };
            if *self.seen.borrow() < end {
                *moved = Some(clock.uptime());
                self.seen.send_replace(end);
            }
            // Rung, or the time has passed.
            let _ = tokio::time::timeout(self.look, bell.changed()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use futures::future::join_all;
    use portolan_shared::process::ManualClock;

    fn tenant(n: u8) -> TenantId {
        TenantId::from_slice(&[n; 16]).unwrap()
    }

    /// A feed that is looked at.
    #[derive(Default)]
    struct Feed {
        entry: AtomicU64,
        looks: AtomicUsize,
    }

    impl Feed {
        async fn look(&self) -> Result<FeedPosition, StoreError> {
            self.looks.fetch_add(1, Ordering::Relaxed);
            Ok(FeedPosition::behind(self.entry.load(Ordering::Relaxed)))
        }

        /// Waits behind an entry as a reader does.
        async fn wait(&self, end: &FeedEnd, entry: u64) {
            let (clock, position) = (ManualClock::at_unix_seconds(0), FeedPosition::behind(entry));
            tokio::select! {
                () = end.moves_past(&position) => {}
                _ = end.watch(&clock, || self.look()) => panic!("the feed can be read"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_looks_for_all_who_wait() {
        let (ends, feed) = (FeedEnds::looking_every(LOOK), Feed::default());
        let end = ends.of(tenant(1));
        let waiting = join_all((0..64).map(|_| feed.wait(&end, 0)));
        let moving = async {
            tokio::time::sleep(LOOK * 100).await;
            let looks = feed.looks.load(Ordering::Relaxed);
            // The clock stands still, so a breath is taken before each.
            assert!((75..=101).contains(&looks), "{looks} looks in 100 times");
            feed.entry.store(1, Ordering::Relaxed);
        };
        tokio::join!(waiting, moving);
    }

    #[tokio::test(start_paused = true)]
    async fn who_looked_goes_and_the_next_looks() {
        let (ends, feed) = (FeedEnds::looking_every(LOOK), Feed::default());
        let end = ends.of(tenant(1));
        let mut second = Box::pin(feed.wait(&end, 0));
        let first = tokio::time::timeout(LOOK * 3, async {
            tokio::select! {
                () = feed.wait(&end, 0) => {}
                () = &mut second => {}
            }
        });
        first.await.unwrap_err();
        feed.entry.store(1, Ordering::Relaxed);
        second.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_wakes_without_the_look_and_no_more_often_than_may_be() {
        let hour = Duration::from_secs(3_600);
        let (ends, feed) = (FeedEnds::looking_every(hour), Feed::default());
        let end = ends.of(tenant(1));
        let begun = tokio::time::Instant::now();
        for entry in 1..=9 {
            let moving = async {
                tokio::task::yield_now().await;
                feed.entry.store(entry, Ordering::Relaxed);
                ends.ring(tenant(1));
            };
            tokio::join!(feed.wait(&end, entry - 1), moving);
        }
        let took = begun.elapsed();
        assert!((BREATH * 8..=BREATH * 9).contains(&took), "{took:?}");
    }

    #[test]
    fn ends_are_kept_while_somebody_waits_for_them() {
        let ends = FeedEnds::looking_every(LOOK);
        let (one, two) = (ends.of(tenant(1)), ends.of(tenant(2)));
        let (mut one_rung, two_rung) = (one.bell.subscribe(), two.bell.subscribe());
        ends.ring(tenant(1));
        ends.ring(tenant(3));
        assert!(one_rung.has_changed().unwrap() && !two_rung.has_changed().unwrap());
        one_rung.mark_unchanged();
        drop(two);
        let _three = ends.of(tenant(3));
        assert_eq!(ends.ends().len(), 2);
    }
}
