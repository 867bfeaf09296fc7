//! The session protocol, without any I/O: events and the time go in, actions come out.

use std::time::Duration;

use portolan_proto::convert::FieldError;
use portolan_proto::v1::control_message::Body;
use portolan_proto::{PROTOCOL, v1};
use portolan_shared::model::{AttemptRef, Finding, FindingCode, Reason, limits};
use portolan_shared::process::Uptime;
use portolan_store::Lease;
use prost::Message as _;

use super::inbound::{Ending, Hello, Inbound};
use super::jobs::{Jobs, later};
use super::messages::{self, millis};
use super::step::{Action, Event};
use crate::grpc::rate::Bucket;
use crate::settings::RateLimit;

/// Time for the hello.
pub(super) const HELLO_WITHIN: Duration = Duration::from_secs(5);
/// Silence after which the session is dead.
pub(super) const DEAD_AFTER: Duration = Duration::from_secs(limits::DEAD_AFTER_SECONDS);
/// Messages from a sensor: a violation above.
pub(super) const MESSAGES: RateLimit = RateLimit::new(50.0, 200.0);
/// Time without offers after a sensor has turned one down or overlooked it, so that a run does not go to and fro.
pub(super) const PAUSE: Duration = Duration::from_secs(10);
/// Most bytes that a message has around its body.
const ENVELOPE: usize = 32;

#[derive(Debug, PartialEq)]
enum Phase {
    /// The hello has not come.
    Silent,
    /// The store is asked.
    Opening,
    /// Open.
    Open,
    /// Nothing happens any more.
    Over,
}

/// One session.
#[derive(Debug)]
pub(super) struct Machine {
    phase: Phase,
    seq: u64,
    heard: Uptime,
    bucket: Bucket,
    certificate_ends: Uptime,
    slots: u32,
    draining: bool,
    /// Nothing is offered before this, because the sensor has just turned an offer down or overlooked it.
    paused: Option<Uptime>,
    jobs: Jobs,
    /// What the sensor said was running, until it is known what is kept.
    claimed: Vec<AttemptRef>,
    capabilities: Vec<String>,
}

/// Whoever names this knows what a probe is.
pub(super) const PROBE: &str = "probe";
/// Capabilities of this build. What is here and in the hello may be used.
const CAPABILITIES: [&str; 1] = [PROBE];

impl Machine {
    /// A stream that was just opened with a certificate that is honoured until `certificate_ends`.
    pub(super) fn new(now: Uptime, certificate_ends: Uptime) -> Self {
        Self {
            phase: Phase::Silent,
            seq: 0,
            heard: now,
            bucket: Bucket::new(MESSAGES, now),
            certificate_ends,
            slots: 0,
            draining: false,
            paused: None,
            jobs: Jobs::default(),
            claimed: Vec::new(),
            capabilities: Vec::new(),
        }
    }

    /// Whether the session is over.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Attempts that can be offered now.
    pub(super) fn free(&self) -> u32 {
        if self.phase != Phase::Open || self.draining || self.paused.is_some() {
            return 0;
        }
        self.slots.saturating_sub(self.jobs.count())
    }

    /// Attempts that were offered or run, and have not been told to stop.
    pub(super) fn held(&self) -> Vec<AttemptRef> {
        self.jobs.held()
    }

    /// When the next tick is due.
    pub(super) fn due(&self) -> Uptime {
        let silence = match self.phase {
            Phase::Silent => HELLO_WITHIN,
            Phase::Opening | Phase::Open | Phase::Over => DEAD_AFTER,
        };
        let deadlines = [later(self.heard, silence), self.certificate_ends];
        deadlines
            .into_iter()
            .chain(self.jobs.due())
            .chain(self.paused)
            .min()
            .unwrap_or(self.heard)
    }

    /// Takes an event; gives what is to be done, in order.
    pub(super) fn on(&mut self, event: Event, now: Uptime) -> Vec<Action> {
        if self.is_over() {
            return match event {
                Event::Offer(lease) => vec![Action::Return(lease.attempt)],
                _ => Vec::new(),
            };
        }
        match event {
            Event::Message { seq, size, message } => self.message(seq, size, message, now),
            Event::Closed => self.over(None),
            Event::Opened {
                epoch,
                kept,
                server_time_ms,
                spread,
            } => self.opened(epoch, &kept, server_time_ms, spread),
            Event::Refused { reason, retry_after } if self.phase == Phase::Opening => {
                self.refuse(reason, retry_after)
            }
            Event::Refused { reason, .. } => self.end(reason),
            Event::Renewed {
                counter,
                asked,
                held,
                server_time_ms,
            } => self.renewed(counter, &asked, held, server_time_ms),
            Event::Offer(lease) => self.offer(&lease, now),
            Event::Cancel(attempt, reason) if self.jobs.stop(attempt) => {
                vec![Action::Send(messages::cancel(attempt, reason))]
            }
            Event::Cancel(..) => Vec::new(),
            Event::Probe(offer) if self.phase == Phase::Open && !self.draining => {
                vec![Action::Send(Body::ProbeOffer(*offer))]
            }
            Event::Probe(_) => Vec::new(),
            Event::Ended(attempt) => {
                self.jobs.remove(attempt);
                Vec::new()
            }
            Event::Drain(after) => {
                self.draining = true;
                if self.phase != Phase::Open {
                    return Vec::new();
                }
                vec![Action::Send(Body::Drain(v1::Drain {
                    reconnect_after_ms: millis(after),
                }))]
            }
            Event::End(reason) => self.end(reason),
            Event::Tick => self.tick(now),
        }
    }

    fn message(
        &mut self,
        seq: u64,
        size: usize,
        message: Result<Inbound, FieldError>,
        now: Uptime,
    ) -> Vec<Action> {
        if self.bucket.take(now).is_err() || seq != self.seq + 1 {
            return self.end(Reason::ProtocolViolation);
        }
        self.seq = seq;
        self.heard = now;
        let Ok(message) = message else {
            return self.end(Reason::ProtocolViolation);
        };
        match (&self.phase, message) {
            (Phase::Silent, Inbound::Hello(_)) if size > limits::HELLO_BYTES => {
                self.refuse(Reason::MessageTooLarge, None)
            }
            (Phase::Silent, Inbound::Hello(hello)) => self.hello(hello),
            (Phase::Open, Inbound::Heartbeat { .. }) if size > limits::HEARTBEAT_BYTES => {
                self.end(Reason::ProtocolViolation)
            }
            (Phase::Open, Inbound::Heartbeat { counter, running }) => self.heartbeat(counter, &running),
            (Phase::Open, Inbound::Accept(attempt)) => self.accept(attempt),
            (Phase::Open, Inbound::Reject(ending) | Inbound::Done(ending)) => self.ending(ending, now),
            (Phase::Open, Inbound::Progress(attempt, progress)) => {
                self.jobs.progress(attempt, progress, now).into_iter().collect()
            }
            (Phase::Open, Inbound::Probed(probe, diagnosis)) => vec![Action::Probed(probe, diagnosis)],
            (Phase::Open, Inbound::TrustBundleAck) => Vec::new(),
            (Phase::Open, Inbound::Goodbye) => self.over(None),
            (Phase::Silent | Phase::Opening | Phase::Open | Phase::Over, _) => {
                self.end(Reason::ProtocolViolation)
            }
        }
    }

    fn hello(&mut self, hello: Box<Hello>) -> Vec<Action> {
        let (lowest, highest) = hello.protocol;
        if !(lowest..=highest).contains(&PROTOCOL) {
            return self.refuse(Reason::VersionUnsupported, Some(Duration::from_secs(3_600)));
        }
        self.phase = Phase::Opening;
        self.slots = hello.job_slots;
        self.claimed.clone_from(&hello.running);
        self.capabilities = CAPABILITIES
            .iter()
            .filter(|own| hello.capabilities.iter().any(|theirs| theirs == *own))
            .map(|own| (*own).to_owned())
            .collect();
        vec![Action::Open(hello)]
    }

    fn opened(
        &mut self,
        epoch: u64,
        kept: &[AttemptRef],
        server_time_ms: i64,
        spread: Duration,
    ) -> Vec<Action> {
        if self.phase != Phase::Opening {
            return Vec::new();
        }
        self.phase = Phase::Open;
        let claimed = std::mem::take(&mut self.claimed);
        self.jobs = Jobs::running(kept);
        let verdicts = claimed
            .into_iter()
            .map(|attempt| v1::AttemptVerdict {
                attempt: Some(attempt.into()),
                keep: kept.contains(&attempt),
            })
            .collect();
        vec![Action::Send(Body::Welcome(v1::Welcome {
            protocol: PROTOCOL,
            capabilities: std::mem::take(&mut self.capabilities),
            session_epoch: epoch,
            server_time_ms,
            heartbeat_ms: millis(Duration::from_secs(limits::HEARTBEAT_SECONDS)),
            reconnect_spread_ms: millis(spread),
            verdicts,
        }))]
    }

    fn heartbeat(&mut self, counter: u64, running: &[AttemptRef]) -> Vec<Action> {
        let attempts = self.jobs.listed(running);
        vec![Action::Renew { counter, attempts }]
    }

    fn renewed(
        &mut self,
        counter: u64,
        asked: &[AttemptRef],
        held: Vec<AttemptRef>,
        server_time_ms: i64,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        for lost in asked.iter().filter(|attempt| !held.contains(attempt)) {
            self.jobs.remove(*lost);
            actions.push(Action::Send(messages::cancel(*lost, Reason::StaleAttempt)));
        }
        actions.push(Action::Send(Body::HeartbeatAck(v1::HeartbeatAck {
            counter,
            renewed: held.into_iter().map(Into::into).collect(),
            server_time_ms,
        })));
        actions
    }

    fn offer(&mut self, lease: &Lease, now: Uptime) -> Vec<Action> {
        if self.free() == 0 {
            return vec![Action::Return(lease.attempt)];
        }
        let attempt = lease.attempt;
        let offer = messages::offer(lease);
        let size = offer.encoded_len() + ENVELOPE;
        if size > limits::SESSION_MESSAGE_BYTES {
            let seen = format!("patterns, scope and CA bundle of the registry take {size} bytes together");
            return vec![Action::Fail {
                attempt,
                finding: Finding::new(FindingCode::TooLarge, &seen),
                again: false,
            }];
        }
        self.jobs.offer(attempt, now);
        vec![Action::Send(Body::JobOffer(offer))]
    }

    fn accept(&mut self, attempt: AttemptRef) -> Vec<Action> {
        if self.jobs.accept(attempt) {
            Vec::new()
        } else {
            // Too late, or never offered.
            vec![Action::Send(messages::cancel(attempt, Reason::StaleAttempt))]
        }
    }

    fn ending(&mut self, ending: Ending, now: Uptime) -> Vec<Action> {
        let Ending {
            attempt,
            reason,
            finding,
        } = ending;
        if !self.jobs.remove(attempt) {
            return Vec::new();
        }
        let again = match reason {
            Reason::StaleAttempt | Reason::StaleSession | Reason::Cancelled => return Vec::new(),
            Reason::Overloaded => {
                self.paused = Some(later(now, PAUSE));
                return vec![Action::Return(attempt)];
            }
            Reason::Draining => {
                self.draining = true;
                return vec![Action::Return(attempt)];
            }
            Reason::Policy | Reason::Unsupported => false,
            _ => true,
        };
        let finding = finding.unwrap_or_else(|| {
            let code = if reason == Reason::Policy {
                FindingCode::PolicyRefused
            } else {
                FindingCode::Internal
            };
            Finding::new(code, reason.as_str())
        });
        vec![Action::Fail {
            attempt,
            finding,
            again,
        }]
    }

    fn tick(&mut self, now: Uptime) -> Vec<Action> {
        if now >= self.certificate_ends {
            return self.end(Reason::CertificateExpired);
        }
        let silence = now.since(self.heard);
        if self.phase == Phase::Silent && silence >= HELLO_WITHIN {
            return self.end(Reason::ProtocolViolation);
        }
        if silence >= DEAD_AFTER {
            return self.end(Reason::StaleSession);
        }
        if self.paused.is_some_and(|until| now >= until) {
            self.paused = None;
        }
        let actions = self.jobs.tick(now);
        if actions.iter().any(|action| matches!(action, Action::Return(_))) {
            self.paused = Some(later(now, PAUSE));
        }
        actions
    }

    /// Ends a session with a word of farewell; before the welcome that is a refusal.
    fn end(&mut self, reason: Reason) -> Vec<Action> {
        if matches!(self.phase, Phase::Silent | Phase::Opening) {
            return self.refuse(reason, None);
        }
        let mut actions = vec![Action::Send(messages::goodbye(reason))];
        actions.extend(self.over(Some(reason)));
        actions
    }

    fn refuse(&mut self, reason: Reason, retry_after: Option<Duration>) -> Vec<Action> {
        let mut actions = vec![Action::Send(messages::refuse(reason, retry_after))];
        actions.extend(self.over(Some(reason)));
        actions
    }

    /// Leaves nothing behind that nobody took up.
    fn over(&mut self, reason: Option<Reason>) -> Vec<Action> {
        self.phase = Phase::Over;
        let mut actions = std::mem::take(&mut self.jobs).abandon();
        actions.push(Action::Close(reason));
        actions
    }
}

#[cfg(test)]
mod tests;
