//! Opening a session: what is asked of the store, and of a session that has the same identity already.

use std::sync::Arc;
use std::time::Duration;

use portolan_shared::model::Reason;
use portolan_store::{ContinuityHash, MachineFacts, SessionOpening, SessionOutcome, StoreError};

use super::inbound::Hello;
use super::introduction::{PROBE, takes_over};
use super::step::{Event, Opened};
use super::stream::{Live, SessionStream};
use crate::app::{LiveSession, Presence};
use crate::grpc::door::Door;

/// How long connections with a replaced certificate may go on.
const OLD_CERTIFICATE: Duration = Duration::from_secs(60);
/// Time for the answer of a session, before another one of the same identity is let in.
const PRESENT_WITHIN: Duration = Duration::from_secs(3);

impl SessionStream {
    pub(super) async fn open(&mut self, hello: Hello) -> Event {
        self.connection.greeted();
        let door = Arc::clone(&self.door);
        let later = |reason, wait: Duration| Event::Refused {
            reason,
            retry_after: Some(door.app.rng.between(wait, wait * 2)),
        };
        if door.tasks.shutdown().is_draining() {
            return later(Reason::Draining, Duration::from_secs(1));
        }
        if !door.denials.is_fresh() {
            return later(Reason::Overloaded, Duration::from_secs(5));
        }
        if let Err(wait) = door.session_rate(self.connection.remote.ip()) {
            return later(Reason::Overloaded, wait.max(door.spread()));
        }
        self.machine_facts = MachineFacts {
            fingerprint: hello.fingerprint,
            boot_id: hello.boot_id.clone(),
            incarnation: hello.incarnation,
            seen_from: self.connection.remote.ip().to_string(),
        };
        match self.elsewhere(&hello).await {
            Presence::Alive => {
                // Is this one alive as well? A late hello of a connection that the other one has given up is not.
                self.doubt = "two agents run with it at once";
                return Event::Stale { nonce: nonce(&door) };
            }
            Presence::Busy => return later(Reason::Overloaded, Duration::from_secs(5)),
            Presence::Silent => {}
        }
        match self.open_in_store(&hello).await {
            Ok(event) => event,
            Err(error) => {
                tracing::error!(
                    request_id = &*self.call.request_id,
                    error = &error as &dyn std::error::Error,
                    "a session was not opened"
                );
                match door.refuser(&self.call).store(&error).reason {
                    Reason::StorageUnavailable => later(Reason::StorageUnavailable, Duration::from_secs(2)),
                    reason => later(reason, door.spread()),
                }
            }
        }
    }

    /// Whether another agent with this identity is connected, and alive. One whose connection is dead does not answer.
    async fn elsewhere(&mut self, hello: &Hello) -> Presence {
        let Some(other) = self.door.sessions.of(self.identity.sensor) else {
            return Presence::Silent;
        };
        if takes_over(hello, other.epoch, other.instance_nonce) {
            return Presence::Silent;
        }
        self.same_start = hello.instance_nonce == other.instance_nonce;
        other.presence(PRESENT_WITHIN).await
    }

    /// Whoever was asked whether it is alive has not answered. A late hello of the very start of the agent that is connected explains
    /// itself: a copy of the disk does not have its instance nonce. Anything else may be a copy that lies low, and leaves a trace, once an
    /// hour; mostly it is what an agent that crashed had sent last.
    pub(super) async fn unanswered(&self) {
        self.door.meters.sightings_unanswered.inc();
        if self.same_start {
            return;
        }
        let (tenant, sensor) = (self.identity.tenant, self.identity.sensor);
        if self.door.may_note_sighting(sensor) {
            let noted = self
                .door
                .app
                .sighted(tenant, sensor, self.doubt, &self.machine_facts)
                .await;
            self.logged("note a sighting", noted);
        }
    }

    pub(super) async fn conflict(&self, why: &str) {
        let (tenant, sensor) = (self.identity.tenant, self.identity.sensor);
        let noted = self
            .door
            .app
            .conflict(tenant, sensor, why, &self.machine_facts)
            .await;
        self.logged("shut out an identity that was seen twice", noted);
    }

    async fn open_in_store(&mut self, hello: &Hello) -> Result<Event, StoreError> {
        let door = Arc::clone(&self.door);
        let (tenant, sensor) = (self.identity.tenant, self.identity.sensor);
        let now = door.app.clock.now();
        let continuity_token = door.app.continuity_token();
        let opening = SessionOpening {
            tenant,
            sensor,
            serial: self.identity.serial,
            host: hello.host.clone(),
            policy_hash: hello.policy_hash,
            policy_summary: hello.policy_summary.clone(),
            notify_url: hello.notify_url.clone(),
            looks_beside: self.machine.knows_events,
            clock_skew_ms: hello.wall_clock_ms.saturating_sub(now.as_millisecond()),
            machine: self.machine_facts.clone(),
            shown: hello.shown,
            sent: ContinuityHash::of(continuity_token.expose()),
            now,
        };
        let opened = match door.app.store.open_session(&opening).await? {
            SessionOutcome::Opened(opened) => opened,
            SessionOutcome::Stale => {
                self.doubt = "state older than last session";
                return Ok(Event::Stale { nonce: nonce(&door) });
            }
            SessionOutcome::Refused(reason) => {
                return Ok(Event::Refused {
                    reason,
                    retry_after: None,
                });
            }
        };
        let kept = door
            .app
            .store
            .adopt_leases(tenant, sensor, opened.epoch, &hello.running, now)
            .await?;
        // Leases that were not carried over are in the queue again, and probes that nobody reported on wait.
        door.app.signals.runs.notify_one();
        door.app.signals.probes.notify_one();
        let (session, commands) = LiveSession::new(
            tenant,
            sensor,
            opened.epoch,
            self.identity.serial,
            hello.instance_nonce,
            now,
        );
        if hello.capabilities.iter().any(|theirs| theirs == PROBE) {
            session.set_able_to_probe();
        }
        door.sessions.enter(&session);
        door.meters.sessions.inc();
        door.meters.sessions_opened.inc();
        self.live = Some(Live::new(session, commands));
        self.retire_old_certificates();
        // Shut out between the answer of the store and now: the list of denials has found no session to end.
        if let Some(reason) = door.denials.reason(sensor) {
            return Ok(Event::Refused {
                reason,
                retry_after: None,
            });
        }
        tracing::info!(
            %sensor,
            name = opened.name,
            epoch = opened.epoch,
            agent = hello.host.agent_version,
            kept = kept.len(),
            "session opened"
        );
        Ok(Event::Opened(Opened {
            epoch: opened.epoch,
            generation: opened.generation,
            kept,
            server_time_ms: now.as_millisecond(),
            spread: door.spread(),
            continuity_token,
        }))
    }

    /// The first use of a certificate voids the one before: connections that were made with it may finish what they do.
    fn retire_old_certificates(&self) {
        let old = self.door.connections.with_other_certificates(&self.identity);
        if !old.is_empty() {
            let shutdown = self.door.tasks.shutdown().clone();
            self.door.tasks.spawn("old certificate", async move {
                tokio::select! {
                    () = tokio::time::sleep(OLD_CERTIFICATE) => {}
                    () = shutdown.cutting() => {}
                }
                old.iter().for_each(|connection| connection.cut.cancel());
            });
        }
    }
}

pub(super) fn nonce(door: &Door) -> [u8; 16] {
    let mut nonce = [0; 16];
    door.app.rng.fill(&mut nonce);
    nonce
}
