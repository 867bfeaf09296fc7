//! How a session begins: who is there, whether it is the one that was there before, and what it stores of the beginning.

use std::time::Duration;

use portolan_proto::v1::control_message::Body;
use portolan_proto::{PROTOCOL, v1};
use portolan_shared::model::{Reason, limits};
use portolan_shared::process::Uptime;
use portolan_store::ContinuityHash;

use super::audit::AUDIT;
use super::inbound::Hello;
use super::jobs::{Jobs, later};
use super::machine::{Machine, Phase};
use super::messages::{self, millis};
use super::step::{Action, Opened};

/// Time for the answer of a sensor whose continuity token is not good: late packets of a dead connection do not answer.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Time to store a continuity token.
pub(super) const STORE_WITHIN: Duration = Duration::from_secs(30);
/// Whoever names this knows what a probe is.
pub(super) const PROBE: &str = "probe";
/// Whoever names this may relay push events, and reads single tags.
pub(super) const EVENTS: &str = "events";
/// Capabilities of this build. What is here and in the hello may be used.
const CAPABILITIES: [&str; 3] = [PROBE, AUDIT, EVENTS];

/// Whether a hello replaces the session with this number, of this start of the agent: then it is not asked whether that one is alive.
pub(super) fn takes_over(hello: &Hello, epoch: u64, instance_nonce: [u8; 16]) -> bool {
    hello.replaces_epoch == epoch && hello.instance_nonce == instance_nonce
}

impl Machine {
    pub(super) fn hello(&mut self, hello: Box<Hello>) -> Vec<Action> {
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
        self.knows_events = self.capabilities.iter().any(|agreed| agreed == EVENTS);
        vec![Action::Open(hello)]
    }

    pub(super) fn opened(&mut self, opened: &Opened, now: Uptime) -> Vec<Action> {
        if self.phase != Phase::Opening {
            return Vec::new();
        }
        self.phase = Phase::Open;
        let sent = ContinuityHash::of(opened.continuity_token.expose());
        self.unstored = Some((sent, later(now, STORE_WITHIN)));
        let claimed = std::mem::take(&mut self.claimed);
        self.jobs = Jobs::running(&opened.kept);
        let verdicts = claimed
            .into_iter()
            .map(|attempt| v1::AttemptVerdict {
                attempt: Some(attempt.into()),
                keep: opened.kept.contains(&attempt),
            })
            .collect();
        vec![Action::Send(Body::Welcome(v1::Welcome {
            protocol: PROTOCOL,
            capabilities: std::mem::take(&mut self.capabilities),
            session_epoch: opened.epoch,
            server_time_ms: opened.server_time_ms,
            heartbeat_ms: millis(Duration::from_secs(limits::HEARTBEAT_SECONDS)),
            reconnect_spread_ms: millis(opened.spread),
            verdicts,
            continuity_token: opened.continuity_token.expose().to_vec().into(),
            generation: opened.generation,
        }))]
    }

    /// Its continuity token is not good, or another session of its identity is alive: perhaps it was overtaken by its own next session,
    /// and nobody is there any more.
    pub(super) fn question(&mut self, nonce: [u8; 16], now: Uptime) -> Vec<Action> {
        if self.phase != Phase::Opening {
            return Vec::new();
        }
        self.phase = Phase::Questioned(nonce, now);
        vec![Action::Send(messages::presence(nonce))]
    }

    /// A token is on the sensor's disk. It stores the one that it was sent, once, and nothing else.
    pub(super) fn stored(&mut self, token: ContinuityHash) -> Vec<Action> {
        match self.unstored.take() {
            Some((sent, _)) if sent == token => vec![Action::Stored(token)],
            Some(_) | None => self.end(Reason::ProtocolViolation),
        }
    }

    /// Somebody else shows its identity. While a question is open there is no other: however often somebody comes, the answer counts. Those
    /// who came since it was asked want an answer that is younger than they are, so it is asked once more then.
    pub(super) fn ask_presence(&mut self, nonce: [u8; 16]) -> Vec<Action> {
        if self.phase != Phase::Open {
            return Vec::new();
        }
        if self.asked.is_some() {
            self.asked_next.get_or_insert(nonce);
            return Vec::new();
        }
        self.asked = Some(nonce);
        vec![Action::Send(messages::presence(nonce))]
    }

    /// It is alive.
    pub(super) fn present(&mut self, nonce: [u8; 16]) -> Vec<Action> {
        if let Phase::Questioned(asked, _) = self.phase
            && asked == nonce
        {
            let mut actions = vec![Action::Conflict];
            actions.extend(self.refuse(Reason::IdentityConflict, None));
            return actions;
        }
        if self.asked == Some(nonce) {
            self.asked = self.asked_next.take();
            let again = self.asked.map(|next| Action::Send(messages::presence(next)));
            return std::iter::once(Action::Present).chain(again).collect();
        }
        // An answer that nobody waits for any more.
        Vec::new()
    }

    /// The sensor ended its half of the stream.
    pub(super) fn closed(&mut self) -> Vec<Action> {
        let unanswered = matches!(self.phase, Phase::Questioned(..)).then_some(Action::Unanswered);
        let over = self.over(None);
        unanswered.into_iter().chain(over).collect()
    }

    /// What has not come in its time, if anything.
    pub(super) fn unanswered(&mut self, now: Uptime) -> Option<Vec<Action>> {
        if let Phase::Questioned(_, asked) = self.phase
            && now.since(asked) >= ANSWER_WITHIN
        {
            return Some(self.closed());
        }
        let overdue = self.unstored.is_some_and(|(_, due)| now >= due);
        overdue.then(|| self.end(Reason::StaleSession))
    }
}
