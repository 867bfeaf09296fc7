//! The session protocol, without any I/O: events and the time go in, actions come out.

use std::time::Duration;

use portolan_proto::convert::FieldError;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_shared::model::{AttemptRef, Finding, FindingCode, Reason, limits};
use portolan_shared::process::Uptime;
use portolan_store::{ContinuityHash, Lease};
use prost::Message as _;

use super::inbound::{Ending, Inbound};
use super::introduction::ANSWER_WITHIN;
use super::jobs::{Jobs, later};
use super::messages::{self, millis};
use super::step::{Action, Event};
use crate::fair::Bucket;
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
pub(super) enum Phase {
    /// The hello has not come.
    Silent,
    /// The store is asked.
    Opening,
    /// Its continuity token is not good: whether it is alive was asked with this nonce, at this time.
    Questioned([u8; 16], Uptime),
    /// Open.
    Open,
    /// Nothing happens any more.
    Over,
}

/// One session.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) phase: Phase,
    seq: u64,
    heard: Uptime,
    bucket: Bucket,
    certificate_ends: Uptime,
    pub(super) slots: u32,
    draining: bool,
    /// Nothing is offered before this, because the sensor has just turned an offer down or overlooked it.
    paused: Option<Uptime>,
    pub(super) jobs: Jobs,
    /// What the sensor said was running, until it is known what is kept.
    pub(super) claimed: Vec<AttemptRef>,
    pub(super) capabilities: Vec<String>,
    /// Whether push events and single tags were agreed on.
    pub(super) knows_events: bool,
    /// The continuity token that it was sent is acknowledged by then, or the session ends. Until it is, there is no work: whoever does not
    /// store the token leaves no trace in the next session.
    pub(super) unstored: Option<(ContinuityHash, Uptime)>,
    /// Whether it is alive was asked with this, and it has not answered.
    pub(super) asked: Option<[u8; 16]>,
    /// It is asked again with this, once it has answered: for those who came since.
    pub(super) asked_next: Option<[u8; 16]>,
}

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
            knows_events: false,
            unstored: None,
            asked: None,
            asked_next: None,
        }
    }

    /// Whether the session is over.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether the session is open and its continuity token stored: nothing else is told to it before.
    pub(super) fn is_settled(&self) -> bool {
        self.phase == Phase::Open && self.unstored.is_none()
    }

    /// Attempts that can be offered now. Looks at what events named have slots of their own, if they were agreed on.
    pub(super) fn free(&self, for_looks: bool) -> u32 {
        if !self.is_settled() || self.draining || self.paused.is_some() {
            return 0;
        }
        let looks = for_looks && self.knows_events;
        let slots = [self.slots, limits::LOOK_SLOTS][usize::from(looks)];
        slots.saturating_sub(self.jobs.count(looks))
    }

    /// Attempts that were offered or run, and have not been told to stop.
    pub(super) fn held(&self) -> Vec<AttemptRef> {
        self.jobs.held()
    }

    /// When the next tick is due.
    pub(super) fn due(&self) -> Uptime {
        let silence = match self.phase {
            Phase::Silent => HELLO_WITHIN,
            Phase::Opening | Phase::Questioned(..) | Phase::Open | Phase::Over => DEAD_AFTER,
        };
        let answer = match self.phase {
            Phase::Questioned(_, asked) => Some(later(asked, ANSWER_WITHIN)),
            _ => None,
        };
        let deadlines = [later(self.heard, silence), self.certificate_ends];
        deadlines
            .into_iter()
            .chain(self.jobs.due())
            .chain(self.paused)
            .chain(self.unstored.map(|(_, due)| due))
            .chain(answer)
            .min()
            .unwrap_or(self.heard)
    }

    /// Takes an event; gives what is to be done, in order.
    pub(super) fn on(&mut self, event: Event, now: Uptime) -> Vec<Action> {
        if self.is_over() {
            return match event {
                Event::Offer(lease, _) => vec![Action::Return(lease.attempt)],
                _ => Vec::new(),
            };
        }
        match event {
            Event::Message { seq, size, message } => self.message(seq, size, message, now),
            Event::Closed => self.closed(),
            Event::Opened(opened) => self.opened(&opened, now),
            Event::Stale { nonce } => self.question(nonce, now),
            Event::AskPresence { nonce } => self.ask_presence(nonce),
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
            Event::Offer(lease, credential) => self.offer(&lease, credential, now),
            Event::Credential(attempt, offer) if self.is_settled() && self.held().contains(&attempt) => {
                vec![Action::Send(Body::CredentialOffer(*offer))]
            }
            Event::Credential(..) => Vec::new(),
            Event::Withdraw(credential) if self.is_settled() => {
                vec![Action::Send(messages::withdrawal(credential))]
            }
            Event::Withdraw(_) => Vec::new(),
            Event::Cancel(attempt, reason) if self.jobs.stop(attempt) => {
                vec![Action::Send(messages::cancel(attempt, reason))]
            }
            Event::Cancel(..) => Vec::new(),
            Event::Probe(offer) if self.is_settled() && !self.draining => {
                vec![Action::Send(Body::ProbeOffer(*offer))]
            }
            Event::Probe(_) => Vec::new(),
            Event::EventsTaken { number, unknown } => {
                vec![Action::Send(Body::PushEventsAck(v1::PushEventsAck {
                    number,
                    unknown,
                }))]
            }
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
            (Phase::Open, Inbound::Events(events)) if self.knows_events && self.unstored.is_none() => {
                vec![Action::Events(events)]
            }
            (Phase::Open, Inbound::TrustBundleAck) => Vec::new(),
            (Phase::Open, Inbound::Stored(token)) => self.stored(token),
            (Phase::Open | Phase::Questioned(..), Inbound::Present(nonce)) => self.present(nonce),
            (Phase::Open, Inbound::Goodbye) => self.over(None),
            (Phase::Silent | Phase::Opening | Phase::Questioned(..) | Phase::Open | Phase::Over, _) => {
                self.end(Reason::ProtocolViolation)
            }
        }
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
            audit_known: None,
        })));
        actions
    }

    fn offer(
        &mut self,
        lease: &Lease,
        credential: Option<Box<v1::SealedCredential>>,
        now: Uptime,
    ) -> Vec<Action> {
        if self.free(lease.look) == 0 {
            return vec![Action::Return(lease.attempt)];
        }
        let attempt = lease.attempt;
        let offer = messages::offer(lease, self.knows_events, credential);
        let size = offer.encoded_len() + ENVELOPE;
        if size > limits::SESSION_MESSAGE_BYTES {
            let seen = format!("patterns, scope and CA bundle of the registry take {size} bytes together");
            return vec![Action::Fail {
                attempt,
                reason: Reason::MessageTooLarge,
                finding: Finding::new(FindingCode::TooLarge, &seen),
                again: false,
            }];
        }
        self.jobs.offer(attempt, lease.look && self.knows_events, now);
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
        let (attempt, reason) = (ending.attempt, ending.reason);
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
            // It would be given the same one again.
            Reason::Policy | Reason::Unsupported | Reason::CredentialRefused => false,
            _ => true,
        };
        vec![Action::Fail {
            attempt,
            reason,
            finding: ending.into_finding(),
            again,
        }]
    }

    fn tick(&mut self, now: Uptime) -> Vec<Action> {
        if now >= self.certificate_ends {
            return self.end(Reason::CertificateExpired);
        }
        if let Some(actions) = self.unanswered(now) {
            return actions;
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
    pub(super) fn end(&mut self, reason: Reason) -> Vec<Action> {
        if matches!(self.phase, Phase::Silent | Phase::Opening | Phase::Questioned(..)) {
            return self.refuse(reason, None);
        }
        let mut actions = vec![Action::Send(messages::goodbye(reason))];
        actions.extend(self.over(Some(reason)));
        actions
    }

    pub(super) fn refuse(&mut self, reason: Reason, retry_after: Option<Duration>) -> Vec<Action> {
        let mut actions = vec![Action::Send(messages::refuse(reason, retry_after))];
        actions.extend(self.over(Some(reason)));
        actions
    }

    /// Leaves nothing behind that nobody took up.
    pub(super) fn over(&mut self, reason: Option<Reason>) -> Vec<Action> {
        self.phase = Phase::Over;
        let mut actions = std::mem::take(&mut self.jobs).abandon();
        actions.push(Action::Close(reason));
        actions
    }
}

#[cfg(test)]
mod tests;
