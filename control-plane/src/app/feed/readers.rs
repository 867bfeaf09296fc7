//! Who follows the feed at present: counted, woken, and sent away.

use std::sync::Arc;
use std::time::Duration;

use portolan_shared::model::{TenantId, limits};
use portolan_shared::process::{Shutdown, Uptime};
use portolan_store::{FeedPosition, Role};
use tokio::sync::watch;

use super::apart::apart;
use super::ends::{FeedEnd, FeedEnds, LOOK};
use super::places::{Place, Places};
use crate::app::{App, AppError, Caller};

/// How often somebody who waits thinks of whether to go.
const THINK: Duration = Duration::from_secs(1);
/// How often it is looked whether a reader's token is still good: so long after it was revoked or ended, nothing more is told.
const PROVE: Duration = Duration::from_secs(15);
/// A stream's greatest age, at which it ends.
const AGE: Duration = Duration::from_secs(limits::FEED_STREAM_MINUTES * 60);
/// The least age at which one ends: not all that were opened at once are opened again at once.
const LEAST_AGE: Duration = AGE.checked_div(5).expect("5 is not 0").saturating_mul(4);

/// Who waits for changes.
#[derive(Debug)]
pub struct FeedReaders {
    places: Arc<Places>,
    ends: Arc<FeedEnds>,
    draining: watch::Sender<bool>,
}

impl Default for FeedReaders {
    fn default() -> Self {
        Self::looking_every(LOOK)
    }
}

impl FeedReaders {
    /// With another time between two looks at what nobody said: a product's replicas do not say what they commit, a test's may.
    #[must_use]
    pub fn looking_every(look: Duration) -> Self {
        Self {
            places: Arc::default(),
            ends: Arc::new(FeedEnds::looking_every(look)),
            draining: watch::Sender::new(false),
        }
    }
}

/// Why a reader is sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReaderEnd {
    /// The control plane stops.
    Draining,
    /// The stream is as old as one may become.
    Age,
    /// The token is not good any more.
    Token,
    /// Others have too few places, and this one's tenant more than its share.
    Crowded,
    /// The registry that was followed has been removed: nothing will ever follow.
    Removed,
}

impl ReaderEnd {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Age => "age",
            Self::Token => "token",
            Self::Crowded => "crowded",
            Self::Removed => "removed",
        }
    }
}

/// One of those who wait; its place is free again when it is dropped.
#[derive(Debug)]
pub struct FeedReader {
    caller: Caller,
    feed: FeedEnd,
    draining: watch::Receiver<bool>,
    since: Uptime,
    age: Duration,
    proved: Uptime,
    place: Place,
}

impl App {
    /// Lets somebody wait for changes. Takes a viewer.
    ///
    /// # Errors
    /// [`AppError::TooManyReaders`] if as many wait as may: of the token, of the tenant, or of all.
    pub fn enter_feed(self: &Arc<Self>, caller: &Caller) -> Result<FeedReader, AppError> {
        caller.require(Role::Viewer)?;
        let readers = &self.signals.feed;
        let place = readers.places.enter(caller.tenant, caller.token);
        let place = place.map_err(|full| AppError::TooManyReaders { most: full.most })?;
        let (feed, watch) = readers.ends.enter(caller.tenant);
        if let Some(watch) = watch {
            let (store, tenant) = (Arc::clone(&self.store), caller.tenant);
            let look = move || {
                let store = Arc::clone(&store);
                async move { store.feed_end(tenant).await }
            };
            let (clock, shutdown) = (Arc::clone(&self.clock), self.tasks.shutdown().clone());
            self.tasks
                .spawn("end of a feed", watch.run(clock, shutdown, look));
        }
        let now = self.clock.uptime();
        Ok(FeedReader {
            caller: caller.clone(),
            feed,
            draining: readers.draining.subscribe(),
            since: now,
            age: self.rng.between(LEAST_AGE, AGE),
            proved: now,
            place,
        })
    }

    /// Wakes who waits for changes of a tenant.
    pub fn tell_of_changes(&self, tenant: TenantId) {
        self.signals
            .changes
            .send_modify(|told| *told = told.wrapping_add(1));
        self.signals.feed.ends.ring(tenant);
    }

    /// Sends everybody away who waits for changes, once draining begins.
    pub async fn end_feed_readers(self: Arc<Self>, shutdown: Shutdown) {
        shutdown.draining().await;
        self.signals.feed.draining.send_replace(true);
    }
}

impl FeedReader {
    /// Who it is.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Waits until the feed goes on behind this position, which was its end; or gives why the reader has to go.
    pub(super) async fn wait(&mut self, app: &Arc<App>, position: &FeedPosition) -> Option<ReaderEnd> {
        // Holds nothing while the other is asked.
        let moved = self.feed.moves_past(position);
        tokio::pin!(moved);
        loop {
            if let Some(end) = self.end(app).await {
                return Some(end);
            }
            tokio::select! {
                () = &mut moved => return None,
                _ = self.draining.wait_for(|draining| *draining) => {}
                () = tokio::time::sleep(THINK) => {}
            }
        }
    }

    /// Whether it has to go, and why.
    pub async fn end(&mut self, app: &Arc<App>) -> Option<ReaderEnd> {
        if *self.draining.borrow() {
            return Some(ReaderEnd::Draining);
        }
        let now = app.clock.uptime();
        if now.since(self.since) >= self.age {
            return Some(ReaderEnd::Age);
        }
        if now.since(self.proved) >= PROVE {
            // If that cannot be found out, the feed cannot be read either, and it is asked again.
            let (store, token) = (Arc::clone(&app.store), self.caller.token);
            let asked = apart(&app.tasks, async move { store.api_token(token).await }).await;
            let stored = asked.ok()?.ok()?;
            let good = stored.is_some_and(|stored| {
                let ended = stored.token.expires_at.is_some_and(|end| end <= app.clock.now());
                stored.revoked_at.is_none() && !ended
            });
            if !good {
                return Some(ReaderEnd::Token);
            }
            self.proved = now;
        }
        self.place.must_yield().then_some(ReaderEnd::Crowded)
    }
}
