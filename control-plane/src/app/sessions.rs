//! The sessions of this process: who is connected, what can be told to them, and when they were last heard of.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::model::{AttemptRef, Reason, SensorId, TenantId};
use portolan_shared::process::Shutdown;
use portolan_store::{Fence, HeldAttempt, Lease, Seen, StoreError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::App;

/// Commands that wait for one session: a further one is refused, and its sender does without.
const WAITING_COMMANDS: usize = 32;
/// Attempts of one session that are remembered after they are over: older ones are forgotten.
const REMEMBERED_ATTEMPTS: usize = 64;
/// How often last-seen times are written.
const FLUSH: Duration = Duration::from_secs(5);

/// What a session can be told.
#[derive(Debug)]
pub enum SessionCommand {
    /// Offer this lease.
    Offer(Box<Lease>),
    /// This attempt must stop, for this reason.
    Cancel(AttemptRef, Reason),
    /// This attempt closed its run.
    Ended(AttemptRef),
    /// Go elsewhere, after this time.
    Drain(Duration),
}

/// One session.
#[derive(Debug)]
pub struct LiveSession {
    /// Whose sensor.
    pub tenant: TenantId,
    /// Which.
    pub sensor: SensorId,
    /// The session's number.
    pub epoch: u64,
    /// The certificate that it was opened with.
    pub serial: [u8; 16],
    commands: mpsc::Sender<SessionCommand>,
    /// Slots that the sensor has free, offers that wait in `commands` not counted.
    free: AtomicU32,
    /// Offers that wait in `commands`.
    waiting: AtomicU32,
    attempts: RwLock<Attempts>,
    /// Milliseconds since the Unix epoch.
    heard: AtomicI64,
    flushed: AtomicI64,
    end: CancellationToken,
    end_reason: OnceLock<Reason>,
}

/// What a session's sensor works on.
#[derive(Debug, Default)]
struct Attempts {
    /// Offered or running, and not told to stop.
    held: Vec<AttemptRef>,
    /// The latest that were held, newest first.
    given: VecDeque<AttemptRef>,
}

impl LiveSession {
    /// A session, and what it is told.
    #[must_use]
    pub fn new(
        tenant: TenantId,
        sensor: SensorId,
        epoch: u64,
        serial: [u8; 16],
        now: Timestamp,
    ) -> (Arc<Self>, mpsc::Receiver<SessionCommand>) {
        let (commands, received) = mpsc::channel(WAITING_COMMANDS);
        let session = Self {
            tenant,
            sensor,
            epoch,
            serial,
            commands,
            free: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            attempts: RwLock::default(),
            heard: AtomicI64::new(now.as_millisecond()),
            flushed: AtomicI64::new(0),
            end: CancellationToken::new(),
            end_reason: OnceLock::new(),
        };
        (Arc::new(session), received)
    }

    /// Tells the session something; `false` if it is gone or does not keep up.
    pub fn tell(&self, command: SessionCommand) -> bool {
        let offer = matches!(command, SessionCommand::Offer(_));
        if offer {
            self.waiting.fetch_add(1, Ordering::AcqRel);
        }
        let told = self.commands.try_send(command).is_ok();
        if offer && !told {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        }
        told
    }

    /// Notes that an offer has left the queue of commands.
    pub fn offer_taken(&self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }

    /// Ends the session. The first reason stands.
    pub fn end(&self, reason: Reason) {
        let _ = self.end_reason.set(reason);
        self.end.cancel();
    }

    /// Returns when the session must end, with the reason.
    pub async fn ended(&self) -> Reason {
        self.end.cancelled().await;
        self.end_reason.get().copied().unwrap_or(Reason::Internal)
    }

    /// Notes how many slots the sensor has free.
    pub fn set_free(&self, slots: u32) {
        self.free.store(slots, Ordering::Release);
    }

    /// Slots that can be filled now.
    #[must_use]
    pub fn free(&self) -> u32 {
        self.free
            .load(Ordering::Acquire)
            .saturating_sub(self.waiting.load(Ordering::Acquire))
    }

    /// Notes which attempts the sensor has.
    pub fn set_held(&self, held: Vec<AttemptRef>) {
        let mut attempts = self.attempts.write().unwrap_or_else(PoisonError::into_inner);
        for attempt in &held {
            if !attempts.given.contains(attempt) {
                attempts.given.truncate(REMEMBERED_ATTEMPTS - 1);
                attempts.given.push_front(*attempt);
            }
        }
        attempts.held = held;
    }

    /// What the sensor has been given and has not been told to stop.
    fn held(&self) -> Vec<HeldAttempt> {
        let attempts = self.attempts.read().unwrap_or_else(PoisonError::into_inner);
        let held = attempts.held.iter().map(|attempt| HeldAttempt {
            tenant: self.tenant,
            sensor: self.sensor,
            attempt: *attempt,
        });
        held.collect()
    }

    /// Whether this attempt was lately given to the sensor in this session, whatever has become of it.
    #[must_use]
    pub fn knows(&self, attempt: AttemptRef) -> bool {
        let attempts = self.attempts.read().unwrap_or_else(PoisonError::into_inner);
        attempts.given.contains(&attempt)
    }

    /// Notes that the sensor was heard of.
    pub fn heard(&self, now: Timestamp) {
        self.heard.store(now.as_millisecond(), Ordering::Release);
    }

    /// The fence of an attempt in this session.
    #[must_use]
    pub fn fence(&self, attempt: AttemptRef) -> Fence {
        Fence {
            tenant: self.tenant,
            sensor: self.sensor,
            session_epoch: self.epoch,
            attempt,
        }
    }
}

/// All sessions of this process.
#[derive(Debug, Default)]
pub struct Sessions {
    live: RwLock<HashMap<SensorId, Arc<LiveSession>>>,
}

impl Sessions {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a session in its place. An older one of the same sensor ends; if there is a newer one, this one ends.
    pub fn enter(&self, session: &Arc<LiveSession>) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        match live.get(&session.sensor) {
            Some(other) if other.epoch >= session.epoch => session.end(Reason::StaleSession),
            Some(older) => {
                older.end(Reason::StaleSession);
                live.insert(session.sensor, Arc::clone(session));
            }
            None => {
                live.insert(session.sensor, Arc::clone(session));
            }
        }
    }

    /// Takes a session away, unless a newer one has its place.
    pub fn leave(&self, session: &LiveSession) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if live
            .get(&session.sensor)
            .is_some_and(|held| held.epoch == session.epoch)
        {
            live.remove(&session.sensor);
        }
    }

    /// The session of a sensor.
    #[must_use]
    pub fn of(&self, sensor: SensorId) -> Option<Arc<LiveSession>> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.get(&sensor).cloned()
    }

    /// Every session.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<LiveSession>> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.values().cloned().collect()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.live.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Sensors that have room for work.
    #[must_use]
    pub fn with_room(&self) -> Vec<SensorId> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.values()
            .filter(|session| session.free() > 0)
            .map(|session| session.sensor)
            .collect()
    }

    /// What all sensors have been given and have not been told to stop.
    #[must_use]
    pub fn held(&self) -> Vec<HeldAttempt> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.values().flat_map(|session| session.held()).collect()
    }

    /// Writes last-seen times until everything is cut, and once more then.
    pub async fn flush(self: Arc<Self>, app: Arc<App>, shutdown: Shutdown) {
        loop {
            let last = tokio::select! {
                () = shutdown.cutting() => true,
                () = tokio::time::sleep(FLUSH) => false,
            };
            if let Err(error) = self.flush_once(&app).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "last-seen times were not written"
                );
            }
            if last {
                return;
            }
        }
    }

    async fn flush_once(&self, app: &App) -> Result<(), StoreError> {
        let changed: Vec<_> = self
            .all()
            .into_iter()
            .filter_map(|session| {
                let heard = session.heard.load(Ordering::Acquire);
                (heard > session.flushed.load(Ordering::Acquire)).then_some((session, heard))
            })
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let seen: Vec<Seen> = changed
            .iter()
            .filter_map(|(session, heard)| {
                Some(Seen {
                    tenant: session.tenant,
                    sensor: session.sensor,
                    at: Timestamp::from_millisecond(*heard).ok()?,
                })
            })
            .collect();
        app.store.record_seen(&seen).await?;
        for (session, heard) in changed {
            session.flushed.store(heard, Ordering::Release);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;

    fn session(epoch: u64) -> (Arc<LiveSession>, mpsc::Receiver<SessionCommand>) {
        let rng = SeededRng::new(3);
        let (tenant, sensor) = (TenantId::random(&rng), SensorId::random(&rng));
        LiveSession::new(tenant, sensor, epoch, [1; 16], Timestamp::UNIX_EPOCH)
    }

    #[tokio::test]
    async fn the_newest_session_stands_in_whichever_order_they_come() {
        for epochs in [[1, 2], [2, 1]] {
            let sessions = Sessions::new();
            let pair = epochs.map(|epoch| session(epoch).0);
            pair.iter().for_each(|session| sessions.enter(session));
            let [older, newer] = if epochs[0] < epochs[1] { [0, 1] } else { [1, 0] };
            assert_eq!(pair[older].ended().await, Reason::StaleSession);
            sessions.leave(&pair[older]);
            assert_eq!(sessions.of(pair[newer].sensor).unwrap().epoch, 2);
            sessions.leave(&pair[newer]);
            assert_eq!(sessions.count(), 0);
        }
    }

    #[test]
    fn attempts_are_known_for_a_while_after_they_are_over() {
        let (session, _received) = session(1);
        let run = portolan_shared::model::RunId::random(&SeededRng::new(1));
        let attempt = |number: usize| AttemptRef {
            run,
            attempt: u32::try_from(number).unwrap(),
        };
        session.set_held(vec![attempt(1), attempt(2)]);
        session.set_held(vec![attempt(2)]);
        let held: Vec<_> = session.held().iter().map(|held| held.attempt).collect();
        assert_eq!(held, [attempt(2)]);
        assert!(session.knows(attempt(1)) && session.knows(attempt(2)) && !session.knows(attempt(3)));
        for number in 0..REMEMBERED_ATTEMPTS {
            session.set_held(vec![attempt(10 + number)]);
        }
        assert!(session.knows(attempt(10)), "at the bound");
        assert!(!session.knows(attempt(2)), "the oldest are forgotten");
    }

    #[test]
    fn commands_stop_at_their_bound_and_waiting_offers_take_slots() {
        let (session, _received) = session(1);
        let attempt = AttemptRef {
            run: portolan_shared::model::RunId::random(&SeededRng::new(1)),
            attempt: 1,
        };
        for _ in 0..WAITING_COMMANDS {
            assert!(session.tell(SessionCommand::Cancel(attempt, Reason::Cancelled)));
        }
        assert!(!session.tell(SessionCommand::Cancel(attempt, Reason::Cancelled)));
        session.set_free(2);
        assert_eq!(session.free(), 2);
    }
}
