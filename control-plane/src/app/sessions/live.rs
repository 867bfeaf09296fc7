//! One session.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::model::{AttemptRef, CredentialId, ProbeId, Reason, RegistryId, SensorId, TenantId};
use portolan_store::{Fence, HeldAttempt, Lease, NewProbe};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Commands that wait for one session: a further one is refused, and its sender does without.
pub(super) const WAITING_COMMANDS: usize = 32;
/// Attempts of one session that are remembered after they are over: older ones are forgotten.
pub(super) const REMEMBERED_ATTEMPTS: usize = 64;
/// Probes of one session that are remembered: older ones are forgotten, and would be brought again if they still waited.
pub(super) const REMEMBERED_PROBES: usize = 256;

/// What a session can be told.
#[derive(Debug)]
pub enum SessionCommand {
    /// Offer this lease.
    Offer(Box<Lease>),
    /// This attempt must stop, for this reason.
    Cancel(AttemptRef, Reason),
    /// This attempt closed its run.
    Ended(AttemptRef),
    /// Say whether the sensor is alive: somebody else shows its identity.
    AskPresence(oneshot::Sender<Presence>),
    /// The registry that this attempt reads has another credential now.
    Credential(AttemptRef, RegistryId),
    /// Keep nothing of this credential.
    Withdraw(CredentialId),
    /// Look at this registry.
    Probe(Box<NewProbe>),
    /// Go elsewhere, after this time.
    Drain(Duration),
}

/// What is known of the sensor of a session, when somebody else shows its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It answers.
    Alive,
    /// It does not, or its session is over.
    Silent,
    /// Nobody can tell: the session does not keep up with such questions, or has too many of them.
    Busy,
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
    /// Which start of the agent opened it.
    pub instance_nonce: [u8; 16],
    commands: mpsc::Sender<SessionCommand>,
    /// Slots that the sensor has free, offers that wait in `commands` not counted.
    free: AtomicU32,
    /// The same for looks.
    free_for_looks: AtomicU32,
    /// Offers that wait in `commands`.
    waiting: AtomicU32,
    attempts: RwLock<Attempts>,
    /// Whether the sensor knows what a probe is.
    pub(super) able_to_probe: AtomicBool,
    /// The latest probes that were brought to it, newest first.
    probes: RwLock<VecDeque<ProbeId>>,
    /// Milliseconds since the Unix epoch.
    pub(super) heard: AtomicI64,
    pub(super) flushed: AtomicI64,
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
        instance_nonce: [u8; 16],
        now: Timestamp,
    ) -> (Arc<Self>, mpsc::Receiver<SessionCommand>) {
        let (commands, received) = mpsc::channel(WAITING_COMMANDS);
        let session = Self {
            tenant,
            sensor,
            epoch,
            serial,
            instance_nonce,
            commands,
            free: AtomicU32::new(0),
            free_for_looks: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            attempts: RwLock::default(),
            able_to_probe: AtomicBool::new(false),
            probes: RwLock::default(),
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

    /// Whether the sensor answers within this time. Asked before another session of the same identity is let in.
    pub async fn presence(&self, within: Duration) -> Presence {
        let (answered, answer) = oneshot::channel();
        match self.commands.try_send(SessionCommand::AskPresence(answered)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Presence::Busy,
            Err(TrySendError::Closed(_)) => return Presence::Silent,
        }
        match tokio::time::timeout(within, answer).await {
            Ok(Ok(presence)) => presence,
            Ok(Err(_)) | Err(_) => Presence::Silent,
        }
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

    /// Notes how many slots the sensor has free, and how many for looks at what events named.
    pub fn set_free(&self, slots: u32, for_looks: u32) {
        self.free.store(slots, Ordering::Release);
        self.free_for_looks.store(for_looks, Ordering::Release);
    }

    /// Slots that looks can fill now.
    #[must_use]
    pub fn free_for_looks(&self) -> u32 {
        self.free_for_looks
            .load(Ordering::Acquire)
            .saturating_sub(self.waiting.load(Ordering::Acquire))
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
    pub(super) fn held(&self) -> Vec<HeldAttempt> {
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

    /// Notes that the sensor knows what a probe is.
    pub fn set_able_to_probe(&self) {
        self.able_to_probe.store(true, Ordering::Release);
    }

    /// Whether a probe is to be brought to this session, to which it has not been brought before.
    #[must_use]
    pub fn takes_probe(&self, probe: ProbeId) -> bool {
        let mut probes = self.probes.write().unwrap_or_else(PoisonError::into_inner);
        if probes.contains(&probe) {
            return false;
        }
        probes.truncate(REMEMBERED_PROBES - 1);
        probes.push_front(probe);
        true
    }

    /// Notes that a probe did not reach the sensor after all: it is brought again.
    pub fn missed_probe(&self, probe: ProbeId) {
        let mut probes = self.probes.write().unwrap_or_else(PoisonError::into_inner);
        probes.retain(|brought| *brought != probe);
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
