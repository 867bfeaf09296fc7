//! Where the feeds of tenants end, looked at by one task for all who wait.
//!
//! A tenant's watch runs while somebody waits for its feed: it looks when something was committed here or after a while, and tells everybody who
//! waits. Those only hear: one that is not polled any more, because its client does not read, keeps neither the others nor the database.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::convert::Infallible;
use std::future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portolan_shared::model::TenantId;
use portolan_shared::process::{Clock, Shutdown, Uptime};
use portolan_store::{FeedPosition, StoreError};
use tokio::sync::watch;

/// How often it is looked without a sign: another replica may have committed.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// Least time from one move that was seen to the next: all who wait read at each, and what is committed meanwhile is read at once.
const BREATH: Duration = Duration::from_millis(250);

/// The ends of those feeds that somebody waits for: there are as many as there are watches.
#[derive(Debug)]
pub(super) struct FeedEnds {
    look: Duration,
    of_tenant: Mutex<HashMap<TenantId, Arc<Line>>>,
}

/// The end of one tenant's feed, for one who waits for it.
#[derive(Debug)]
pub(super) struct FeedEnd(watch::Receiver<FeedPosition>);

/// What a watch has with the outside.
#[derive(Debug)]
struct Line {
    /// Rung for each change of this process.
    bell: watch::Sender<u64>,
    /// As far as it has seen. Those who wait hold the other ends.
    seen: watch::Sender<FeedPosition>,
}

/// Looks where one tenant's feed ends, once it is started. When it goes, the next who waits gets another one.
#[derive(Debug)]
pub(super) struct FeedWatch {
    ends: Arc<FeedEnds>,
    tenant: TenantId,
    line: Arc<Line>,
    moved: Option<Uptime>,
    failing: bool,
}

impl FeedEnds {
    pub(super) fn looking_every(look: Duration) -> Self {
        Self {
            look,
            of_tenant: Mutex::default(),
        }
    }

    /// That of a tenant, to wait for it; and the watch over it, to be started by whoever is the first to wait.
    pub(super) fn enter(self: &Arc<Self>, tenant: TenantId) -> (FeedEnd, Option<FeedWatch>) {
        match self.lines().entry(tenant) {
            Entry::Occupied(line) => (FeedEnd(line.get().seen.subscribe()), None),
            Entry::Vacant(place) => {
                let (seen, end) = watch::channel(FeedPosition::default());
                let bell = watch::Sender::new(0);
                let line = Arc::clone(place.insert(Arc::new(Line { bell, seen })));
                let watch = FeedWatch {
                    ends: Arc::clone(self),
                    tenant,
                    line,
                    moved: None,
                    failing: false,
                };
                (FeedEnd(end), Some(watch))
            }
        }
    }

    /// Says that something was committed.
    pub(super) fn ring(&self, tenant: TenantId) {
        if let Some(line) = self.lines().get(&tenant) {
            line.bell.send_modify(|rung| *rung = rung.wrapping_add(1));
        }
    }

    /// Takes a line away that nobody waits at; gives whether it is so. Somebody may have come since that was said.
    fn close(&self, tenant: TenantId, line: &Line) -> bool {
        let mut lines = self.lines();
        let nobody = line.seen.receiver_count() == 0;
        if nobody {
            lines.remove(&tenant);
        }
        nobody
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Line>>> {
        self.of_tenant.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FeedEnd {
    /// Waits until the feed is known to go on behind this position. For ever, if the process stops: who waits is told of that otherwise.
    pub(super) fn moves_past<'p>(&self, position: &'p FeedPosition) -> impl Future<Output = ()> + use<'p> {
        let mut end = self.0.clone();
        async move {
            if end.wait_for(|end| end > position).await.is_err() {
                future::pending::<()>().await;
            }
        }
    }
}

impl FeedWatch {
    /// Watches until nobody waits any more, or the process stops. `look` reads the end.
    pub(super) async fn run<L>(mut self, clock: Arc<dyn Clock>, shutdown: Shutdown, look: impl Fn() -> L)
    where
        L: Future<Output = Result<FeedPosition, StoreError>>,
    {
        let line = Arc::clone(&self.line);
        loop {
            tokio::select! {
                never = self.watch(&*clock, &look) => match never {},
                () = shutdown.draining() => return,
                () = line.seen.closed() => {}
            }
            if self.ends.close(self.tenant, &line) {
                return;
            }
        }
    }

    async fn watch<L>(&mut self, clock: &dyn Clock, look: &impl Fn() -> L) -> Infallible
    where
        L: Future<Output = Result<FeedPosition, StoreError>>,
    {
        let mut bell = self.line.bell.subscribe();
        loop {
            let since = self.moved.map_or(BREATH, |moved| clock.uptime().since(moved));
            tokio::time::sleep(BREATH.saturating_sub(since)).await;
            bell.mark_unchanged();
            match look().await {
                Ok(end) => {
                    self.failing = false;
                    if *self.line.seen.borrow() < end {
                        self.moved = Some(clock.uptime());
                        self.line.seen.send_replace(end);
                    }
                    // Rung, or the time has passed.
                    let _ = tokio::time::timeout(self.ends.look, bell.changed()).await;
                }
                Err(error) => {
                    // Those who wait go on waiting; what they read themselves fails by itself.
                    if !std::mem::replace(&mut self.failing, true) {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(tenant = %self.tenant, error, "the end of the change feed cannot be read");
                    }
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }
}

impl Drop for FeedWatch {
    fn drop(&mut self) {
        let mut lines = self.ends.lines();
        if lines
            .get(&self.tenant)
            .is_some_and(|line| Arc::ptr_eq(line, &self.line))
        {
            lines.remove(&self.tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

    use futures::FutureExt as _;
    use futures::future::join_all;
    use portolan_shared::process::{ManualClock, Tasks};

    const HOUR: Duration = Duration::from_secs(3_600);

    fn tenant(n: u8) -> TenantId {
        TenantId::from_slice(&[n; 16]).unwrap()
    }

    /// A feed that is looked at.
    #[derive(Default)]
    struct Feed {
        entry: AtomicU64,
        looks: AtomicUsize,
        broken: AtomicBool,
    }

    impl Feed {
        fn look(&self) -> Result<FeedPosition, StoreError> {
            self.looks.fetch_add(1, Ordering::Relaxed);
            if self.broken.load(Ordering::Relaxed) {
                return Err(StoreError::Unknown {
                    what: "feed",
                    name: String::new(),
                });
            }
            Ok(FeedPosition::behind(self.entry.load(Ordering::Relaxed)))
        }
    }

    /// A process with the feed of one tenant.
    struct Scene {
        ends: Arc<FeedEnds>,
        feed: Arc<Feed>,
        tasks: Tasks,
    }

    impl Scene {
        fn looking_every(look: Duration) -> Self {
            Self {
                ends: Arc::new(FeedEnds::looking_every(look)),
                feed: Arc::default(),
                tasks: Tasks::new(Shutdown::new()),
            }
        }

        fn enter(&self) -> FeedEnd {
            let (end, watch) = self.ends.enter(tenant(1));
            if let Some(watch) = watch {
                let (feed, shutdown) = (Arc::clone(&self.feed), self.tasks.shutdown().clone());
                let clock = Arc::new(ManualClock::at_unix_seconds(0));
                let look = move || future::ready(feed.look());
                self.tasks.spawn("watch", watch.run(clock, shutdown, look));
            }
            end
        }

        fn commit(&self, entry: u64) {
            self.feed.entry.store(entry, Ordering::Relaxed);
            self.ends.ring(tenant(1));
        }

        fn looks(&self) -> usize {
            self.feed.looks.load(Ordering::Relaxed)
        }
    }

    fn behind(entry: u64) -> FeedPosition {
        FeedPosition::behind(entry)
    }

    #[tokio::test(start_paused = true)]
    async fn one_looks_for_all_who_wait() {
        let scene = Scene::looking_every(LOOK);
        let (ends, start): (Vec<_>, _) = ((0..64).map(|_| scene.enter()).collect(), behind(0));
        let waiting = join_all(ends.iter().map(|end| end.moves_past(&start)));
        let moving = async {
            tokio::time::sleep(LOOK * 100).await;
            let looks = scene.looks();
            // The clock stands still, so a breath is taken before each.
            assert!((75..=101).contains(&looks), "{looks} looks in 100 times");
            scene.feed.entry.store(1, Ordering::Relaxed);
        };
        tokio::join!(waiting, moving);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_not_polled_any_more_keeps_nobody() {
        let scene = Scene::looking_every(LOOK);
        let (first, second, start) = (scene.enter(), scene.enter(), behind(0));
        let mut suspended = Box::pin(first.moves_past(&start));
        assert!(suspended.as_mut().now_or_never().is_none());
        tokio::time::sleep(LOOK * 3).await;
        assert!(suspended.as_mut().now_or_never().is_none());
        scene.commit(1);
        second.moves_past(&start).await;
        drop(first);
        suspended.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_wakes_without_the_look_and_no_more_often_than_may_be() {
        let scene = Scene::looking_every(HOUR);
        let end = scene.enter();
        let begun = tokio::time::Instant::now();
        for entry in 1..=9 {
            let moving = async {
                tokio::task::yield_now().await;
                scene.commit(entry);
            };
            let position = behind(entry - 1);
            tokio::join!(end.moves_past(&position), moving);
        }
        let took = begun.elapsed();
        assert!((BREATH * 8..=BREATH * 9).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_watch_ends_when_nobody_waits_and_begins_again() {
        let scene = Scene::looking_every(LOOK);
        let start = behind(0);
        for entry in 1..=2 {
            let (one, other) = (scene.enter(), scene.enter());
            drop(one);
            tokio::time::sleep(LOOK).await;
            assert_eq!(scene.ends.lines().len(), 1, "somebody waits");
            assert!(scene.tasks.running() > 0);
            scene.commit(entry);
            other.moves_past(&start).await;
            drop(other);
            while scene.tasks.running() > 0 {
                tokio::task::yield_now().await;
            }
            assert!(scene.ends.lines().is_empty());
        }
        let looks = scene.looks();
        tokio::time::sleep(LOOK * 9).await;
        assert_eq!(scene.looks(), looks);
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_who_comes_while_the_last_goes_is_watched_for() {
        let scene = Scene::looking_every(HOUR);
        let (last, start) = (scene.enter(), behind(0));
        tokio::time::sleep(LOOK).await;
        drop(last);
        // The watch has been told that nobody waits, and has not run since.
        let next = scene.enter();
        tokio::time::sleep(LOOK).await;
        scene.commit(1);
        next.moves_past(&start).await;
        assert_eq!(scene.ends.lines().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_watch_ends_with_the_process_though_somebody_waits() {
        let scene = Scene::looking_every(HOUR);
        let (end, start) = (scene.enter(), behind(0));
        tokio::time::sleep(LOOK).await;
        scene.tasks.shutdown().start_drain();
        scene.tasks.ended().await;
        assert!(scene.ends.lines().is_empty());
        assert!(end.moves_past(&start).now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_fails_is_tried_again_and_told_of_once() {
        let scene = Scene::looking_every(HOUR);
        scene.feed.broken.store(true, Ordering::Relaxed);
        let (end, watch) = scene.ends.enter(tenant(1));
        let mut watch = watch.unwrap();
        let clock = ManualClock::at_unix_seconds(0);
        let look = || future::ready(scene.feed.look());
        let nine = tokio::time::timeout(LOOK * 17 / 2, watch.watch(&clock, &look)).await;
        assert!(nine.is_err() && watch.failing);
        assert_eq!(scene.looks(), 9);
        scene.feed.broken.store(false, Ordering::Relaxed);
        scene.commit(1);
        let start = behind(0);
        tokio::select! {
            () = end.moves_past(&start) => {}
            never = watch.watch(&clock, &look) => match never {},
        }
        assert!(!watch.failing, "the next failure is told of again");
    }

    #[tokio::test]
    async fn a_sign_is_of_its_tenant_and_a_watch_that_was_not_started_leaves_nothing() {
        let ends = Arc::new(FeedEnds::looking_every(LOOK));
        let ((_one, one), (_two, two)) = (ends.enter(tenant(1)), ends.enter(tenant(2)));
        let (one, two) = (one.unwrap(), two.unwrap());
        let (one_rung, two_rung) = (one.line.bell.subscribe(), two.line.bell.subscribe());
        ends.ring(tenant(1));
        ends.ring(tenant(3));
        assert!(one_rung.has_changed().unwrap() && !two_rung.has_changed().unwrap());
        drop(two);
        assert_eq!(ends.lines().len(), 1);
        assert!(ends.enter(tenant(2)).1.is_some());
    }
}
