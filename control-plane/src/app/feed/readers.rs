//! Who follows the feed at present: counted, woken, and sent away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portolan_shared::model::{ApiTokenId, TenantId, limits};
use portolan_shared::process::{Shutdown, Uptime};
use portolan_store::Role;
use tokio::sync::watch;

use crate::app::{App, AppError, Caller};
use crate::fair::{Place, Shares};

/// How often somebody who waits looks without being woken: another replica may have committed.
const LOOK: Duration = Duration::from_secs(1);
/// Least time between two looks of one reader: what is committed meanwhile is read at once.
const BREATH: Duration = Duration::from_millis(50);
/// How often it is looked whether a reader's token is still good.
const PROVE: Duration = Duration::from_secs(15);
/// A stream's age at which it ends.
const AGE: Duration = Duration::from_secs(limits::FEED_STREAM_MINUTES * 60);

/// Who waits for changes.
#[derive(Debug)]
pub struct FeedReaders {
    of_token: Arc<Shares<ApiTokenId>>,
    of_tenant: Arc<Shares<TenantId>>,
    /// Rung for each change; one of each tenant that somebody waits in.
    bells: Mutex<HashMap<TenantId, watch::Sender<u64>>>,
    draining: watch::Sender<bool>,
}

impl Default for FeedReaders {
    fn default() -> Self {
        Self {
            of_token: Shares::new(limits::FEED_READERS_PER_TOKEN, limits::FEED_READERS_PER_TOKEN),
            of_tenant: Shares::new(limits::FEED_READERS_PER_TENANT, limits::FEED_READERS_PER_TENANT),
            bells: Mutex::default(),
            draining: watch::Sender::new(false),
        }
    }
}

impl FeedReaders {
    fn bells(&self) -> MutexGuard<'_, HashMap<TenantId, watch::Sender<u64>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, tenant: TenantId) -> watch::Receiver<u64> {
        let mut bells = self.bells();
        // Those that nobody hears any more go: there are never more than were heard at once.
        bells.retain(|_, bell| bell.receiver_count() > 0);
        bells
            .entry(tenant)
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe()
    }

    fn ring(&self, tenant: TenantId) {
        if let Some(bell) = self.bells().get(&tenant) {
            bell.send_modify(|rung| *rung = rung.wrapping_add(1));
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
}

impl ReaderEnd {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Age => "age",
            Self::Token => "token",
        }
    }
}

/// One of those who wait; its place is free again when it is dropped.
#[derive(Debug)]
pub struct FeedReader {
    caller: Caller,
    bell: watch::Receiver<u64>,
    draining: watch::Receiver<bool>,
    since: Uptime,
    proved: Uptime,
    _places: (Place<ApiTokenId>, Place<TenantId>),
}

impl App {
    /// Lets somebody wait for changes. Takes a viewer.
    ///
    /// # Errors
    /// [`AppError::TooManyReaders`] if as many of the token or tenant wait as may.
    pub fn enter_feed(&self, caller: &Caller) -> Result<FeedReader, AppError> {
        caller.require(Role::Viewer)?;
        let readers = &self.signals.feed;
        let place = readers.of_token.enter(caller.token);
        let place = place.ok_or(AppError::TooManyReaders {
            most: limits::FEED_READERS_PER_TOKEN,
        })?;
        let of_tenant = readers.of_tenant.enter(caller.tenant);
        let of_tenant = of_tenant.ok_or(AppError::TooManyReaders {
            most: limits::FEED_READERS_PER_TENANT,
        })?;
        let now = self.clock.uptime();
        Ok(FeedReader {
            caller: caller.clone(),
            bell: readers.listen(caller.tenant),
            draining: readers.draining.subscribe(),
            since: now,
            proved: now,
            _places: (place, of_tenant),
        })
    }

    /// Wakes who waits for changes of a tenant.
    pub fn tell_of_changes(&self, tenant: TenantId) {
        self.signals
            .changes
            .send_modify(|told| *told = told.wrapping_add(1));
        self.signals.feed.ring(tenant);
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

    /// Notes that what is there now is about to be read: what comes later wakes.
    pub(super) fn look(&mut self) {
        self.bell.mark_unchanged();
    }

    /// Waits until there may be more to read than at the last look, or for a second.
    pub(super) async fn wait(&mut self) {
        let woken = async {
            tokio::time::sleep(BREATH).await;
            // Without a bell nothing rings: then the time passes.
            if self.bell.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let _ = tokio::time::timeout(LOOK, async {
            tokio::select! {
                () = woken => {}
                _ = self.draining.wait_for(|draining| *draining) => {}
            }
        })
        .await;
    }

    /// Whether it has to go, and why.
    pub(super) async fn end(&mut self, app: &App) -> Option<ReaderEnd> {
        if *self.draining.borrow() {
            return Some(ReaderEnd::Draining);
        }
        let now = app.clock.uptime();
        if now.since(self.since) >= AGE {
            return Some(ReaderEnd::Age);
        }
        if now.since(self.proved) >= PROVE {
            self.proved = now;
            // If that cannot be found out, the next read cannot be answered either.
            let stored = app.store.api_token(self.caller.token).await.ok()?;
            let good = stored.is_some_and(|stored| {
                let ended = stored.token.expires_at.is_some_and(|end| end <= app.clock.now());
                stored.revoked_at.is_none() && !ended
            });
            if !good {
                return Some(ReaderEnd::Token);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bells_are_kept_while_somebody_hears_them() {
        let readers = FeedReaders::default();
        let tenant = |n| TenantId::from_slice(&[n; 16]).unwrap();
        let (mut one, two) = (readers.listen(tenant(1)), readers.listen(tenant(2)));
        readers.ring(tenant(1));
        readers.ring(tenant(3));
        assert!(one.has_changed().unwrap() && !two.has_changed().unwrap());
        one.mark_unchanged();
        drop(two);
        let _three = readers.listen(tenant(3));
        assert_eq!(readers.bells().len(), 2);
    }
}
