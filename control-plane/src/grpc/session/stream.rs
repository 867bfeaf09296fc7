//! The loop around the state machine: carries events in and actions out. Decides nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_shared::model::{AttemptRef, Reason};
use portolan_shared::tls::PeerIdentity;
use portolan_store::{SessionOpening, SessionOutcome, StoreError};
use prost::Message as _;
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming};

use super::commands::{ended, event, told};
use super::inbound::{self, Hello};
use super::machine::{Machine, PROBE};
use super::outbound::Outbound;
use super::step::{Action, Event};
use crate::app::{LiveSession, SessionCommand};
use crate::grpc::connection::Connection;
use crate::grpc::door::Door;
use crate::grpc::gate::Call;

/// How long a peer may leave the outbound queue full.
const STUCK: Duration = Duration::from_secs(10);
/// How long the end of a stream may take to reach the peer before the connection is cut.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long connections with a replaced certificate may go on.
const OLD_CERTIFICATE: Duration = Duration::from_secs(60);

/// One session stream.
pub(super) struct SessionStream {
    door: Arc<Door>,
    call: Call,
    connection: Arc<Connection>,
    identity: PeerIdentity,
    outbound: Outbound,
    machine: Machine,
    live: Option<Live>,
}

struct Live {
    session: Arc<LiveSession>,
    commands: mpsc::Receiver<SessionCommand>,
}

impl SessionStream {
    pub(super) fn new(
        door: Arc<Door>,
        call: Call,
        connection: Arc<Connection>,
        identity: PeerIdentity,
        outbound: Outbound,
    ) -> Self {
        let machine = Machine::new(door.app.clock.uptime(), door.certificate_ends(&identity));
        Self {
            door,
            call,
            connection,
            identity,
            outbound,
            machine,
            live: None,
        }
    }

    /// Runs the session to its end.
    pub(super) async fn run(mut self, mut inbound: Streaming<v1::SensorMessage>) {
        while !self.machine.is_over() {
            let event = self.next(&mut inbound).await;
            self.feed(event).await;
        }
        self.door.connections.release(&self.connection);
        if let Some(live) = self.live.take() {
            self.door.sessions.leave(&live.session);
            self.door.meters.sessions.dec();
            self.give_back(live).await;
            let (door, connection, outbound) = (self.door, self.connection, self.outbound);
            door.tasks.spawn("last words", async move {
                let _ = tokio::time::timeout(LAST_WORDS, outbound.drained()).await;
                let _ = tokio::time::timeout(LAST_WORDS, connection.cut.cancelled()).await;
                connection.cut.cancel();
            });
        }
    }

    /// Offers that came too late to be made.
    async fn give_back(&self, mut live: Live) {
        live.commands.close();
        while let Some(command) = live.commands.recv().await {
            if let SessionCommand::Offer(lease) = command {
                let fence = live.session.fence(lease.attempt);
                self.logged("return a lease", self.door.app.return_lease(&fence).await);
            }
        }
    }

    async fn next(&mut self, inbound: &mut Streaming<v1::SensorMessage>) -> Event {
        let due = self.machine.due().since(self.door.app.clock.uptime());
        let shutdown = self.door.tasks.shutdown();
        let (commands, session) = match &mut self.live {
            Some(live) => (Some(&mut live.commands), Some(&live.session)),
            None => (None, None),
        };
        tokio::select! {
            biased;
            () = self.connection.cut.cancelled() => Event::Closed,
            reason = ended(session) => Event::End(reason),
            () = shutdown.cutting() => Event::End(Reason::Draining),
            command = told(commands) => {
                if let (SessionCommand::Offer(_), Some(session)) = (&command, session) {
                    session.offer_taken();
                }
                event(command, self.door.app.clock.now())
            }
            message = inbound.message() => self.heard(message),
            () = tokio::time::sleep(due) => Event::Tick,
        }
    }

    fn heard(&self, message: Result<Option<v1::SensorMessage>, Status>) -> Event {
        if let Err(reason) = self.door.admits(&self.identity) {
            return Event::End(reason);
        }
        match message {
            Ok(Some(message)) => {
                if let Some(live) = &self.live {
                    live.session.heard(self.door.app.clock.now());
                }
                Event::Message {
                    seq: message.seq,
                    size: message.encoded_len(),
                    message: inbound::check(&message),
                }
            }
            Ok(None) => Event::Closed,
            Err(status) if status.code() == Code::OutOfRange => Event::End(Reason::MessageTooLarge),
            // What came was no message, or the connection broke: then nobody hears the answer.
            Err(_) => Event::End(Reason::ProtocolViolation),
        }
    }

    /// Feeds the machine, and again with whatever its actions lead to.
    async fn feed(&mut self, event: Event) {
        let now = self.door.app.clock.uptime();
        let mut actions: VecDeque<Action> = self.machine.on(event, now).into();
        while let Some(action) = actions.pop_front() {
            if let Some(event) = self.act(action).await {
                let now = self.door.app.clock.uptime();
                actions.extend(self.machine.on(event, now));
            }
        }
        if let Some(live) = &self.live {
            live.session.set_held(self.machine.held());
            let free = self.machine.free();
            let more = free > live.session.free();
            live.session.set_free(free);
            if more {
                self.door.app.signals.runs.notify_one();
            }
        }
    }

    async fn act(&mut self, action: Action) -> Option<Event> {
        let app = Arc::clone(&self.door.app);
        match action {
            Action::Send(body) => self.send(body).await,
            Action::Open(hello) => Some(self.open(*hello).await),
            Action::Renew { counter, attempts } => self.renew(counter, attempts).await,
            Action::Progress(attempt, progress) => {
                let fence = self.live.as_ref()?.session.fence(attempt);
                self.logged(
                    "record progress",
                    app.store
                        .record_progress(&fence, &progress, app.clock.now())
                        .await,
                );
                None
            }
            Action::Probed(probe, diagnosis) => {
                let live = self.live.as_ref()?;
                let stored = app.report_probe(&live.session, probe, *diagnosis).await;
                self.logged("store a probe's report", stored);
                None
            }
            Action::Return(attempt) => {
                let fence = self.live.as_ref()?.session.fence(attempt);
                self.logged("return a lease", app.return_lease(&fence).await);
                None
            }
            Action::Fail {
                attempt,
                finding,
                again,
            } => {
                let fence = self.live.as_ref()?.session.fence(attempt);
                self.logged("end an attempt", app.fail_attempt(&fence, &finding, again).await);
                None
            }
            Action::Close(reason) => {
                self.close(reason);
                None
            }
        }
    }

    async fn send(&mut self, mut body: Body) -> Option<Event> {
        let now = self.door.app.clock.now().as_millisecond();
        match &mut body {
            Body::Goodbye(goodbye) => goodbye.server_time_ms = now,
            Body::Refuse(refuse) => refuse.server_time_ms = now,
            _ => {}
        }
        match tokio::time::timeout(STUCK, self.outbound.send(body)).await {
            Ok(Ok(())) => None,
            Ok(Err(_gone)) => Some(Event::Closed),
            Err(_) => {
                // There is no room for a farewell either: the connection goes with the stream.
                tracing::warn!(sensor = %self.identity.sensor, "the sensor does not read what it is sent");
                self.close(Some(Reason::SlowConsumer));
                self.connection.cut.cancel();
                Some(Event::Closed)
            }
        }
    }

    fn close(&self, reason: Option<Reason>) {
        let label = reason.map_or("closed", Reason::as_str);
        if self.live.is_some() {
            self.door.meters.sessions_ended.with_label_values(&[label]).inc();
            tracing::info!(sensor = %self.identity.sensor, reason = label, "session ended");
        } else {
            tracing::info!(sensor = %self.identity.sensor, reason = label, "session refused");
        }
        let status = reason.map(|reason| {
            let text = format!("the session ended: {reason}");
            self.door.refuser(&self.call).with(reason, text).into_status()
        });
        self.outbound.end(status);
    }

    async fn open(&mut self, hello: Hello) -> Event {
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

    async fn open_in_store(&mut self, hello: &Hello) -> Result<Event, StoreError> {
        let door = Arc::clone(&self.door);
        let (tenant, sensor) = (self.identity.tenant, self.identity.sensor);
        let now = door.app.clock.now();
        let opening = SessionOpening {
            tenant,
            sensor,
            serial: self.identity.serial,
            host: hello.host.clone(),
            policy_hash: hello.policy_hash,
            policy_summary: hello.policy_summary.clone(),
            clock_skew_ms: hello.wall_clock_ms.saturating_sub(now.as_millisecond()),
            now,
        };
        let opened = match door.app.store.open_session(&opening).await? {
            SessionOutcome::Opened(opened) => opened,
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
        let (session, commands) = LiveSession::new(tenant, sensor, opened.epoch, self.identity.serial, now);
        if hello.capabilities.iter().any(|theirs| theirs == PROBE) {
            session.set_able_to_probe();
        }
        door.sessions.enter(&session);
        door.meters.sessions.inc();
        door.meters.sessions_opened.inc();
        self.live = Some(Live { session, commands });
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
        Ok(Event::Opened {
            epoch: opened.epoch,
            kept,
            server_time_ms: now.as_millisecond(),
            spread: door.spread(),
        })
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

    async fn renew(&mut self, counter: u64, asked: Vec<AttemptRef>) -> Option<Event> {
        let app = &self.door.app;
        let session = &self.live.as_ref()?.session;
        let held = if asked.is_empty() {
            Vec::new()
        } else {
            let fences: Vec<_> = asked.iter().map(|attempt| session.fence(*attempt)).collect();
            match app.store.renew_leases(&fences, app.clock.now()).await {
                Ok(held) => held.into_iter().map(|fence| fence.attempt).collect(),
                Err(error) => {
                    // Not answered: the sensor counts from the last heartbeat that was.
                    self.logged("renew leases", Err(error));
                    return None;
                }
            }
        };
        Some(Event::Renewed {
            counter,
            asked,
            held,
            server_time_ms: app.clock.now().as_millisecond(),
        })
    }

    fn logged(&self, what: &'static str, outcome: Result<(), StoreError>) {
        if let Err(error) = outcome {
            tracing::error!(
                sensor = %self.identity.sensor,
                what,
                error = &error as &dyn std::error::Error,
                "the database failed a session"
            );
        }
    }
}
