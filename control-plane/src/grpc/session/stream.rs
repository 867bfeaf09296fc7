//! The loop around the state machine: carries events in and actions out. Decides nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_shared::model::{AttemptRef, Reason};
use portolan_shared::tls::PeerIdentity;
use portolan_store::{MachineFacts, StoreError};
use prost::Message as _;
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming};

use super::askers::Askers;
use super::audit::AuditTalk;
use super::commands::{ended, told};
use super::inbound;
use super::machine::Machine;
use super::messages;
use super::outbound::Outbound;
use super::step::{Action, Event};
use crate::app::{LiveSession, SessionCommand};
use crate::grpc::connection::Connection;
use crate::grpc::door::Door;
use crate::grpc::gate::Call;

/// How long a peer may leave the outbound queue full.
const STUCK: Duration = Duration::from_secs(10);
/// Between which times a sensor comes back whose session the control plane or its database could not go on with.
const RETURN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));
/// How long the end of a stream may take to reach the peer before the connection is cut.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// One session stream.
pub(super) struct SessionStream {
    pub(super) door: Arc<Door>,
    pub(super) call: Call,
    pub(super) connection: Arc<Connection>,
    pub(super) identity: PeerIdentity,
    outbound: Outbound,
    pub(super) machine: Machine,
    pub(super) live: Option<Live>,
    pub(super) askers: Askers,
    /// What the hello told of its machine.
    pub(super) machine_facts: MachineFacts,
    /// Why it is taken for a second one, if it is.
    pub(super) doubt: &'static str,
    /// Whether it comes from the same start of the agent as the session beside which it came.
    pub(super) same_start: bool,
    pub(super) audit: AuditTalk,
}

pub(super) struct Live {
    pub(super) session: Arc<LiveSession>,
    pub(super) commands: mpsc::Receiver<SessionCommand>,
    /// What it was told before its continuity token was stored.
    pub(super) held_back: VecDeque<SessionCommand>,
}

impl Live {
    pub(super) fn new(session: Arc<LiveSession>, commands: mpsc::Receiver<SessionCommand>) -> Self {
        Self {
            session,
            commands,
            held_back: VecDeque::new(),
        }
    }
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
            askers: Askers::default(),
            machine_facts: MachineFacts::default(),
            doubt: "",
            same_start: false,
            audit: AuditTalk::default(),
        }
    }

    /// Runs the session to its end.
    pub(super) async fn run(mut self, mut inbound: Streaming<v1::SensorMessage>) {
        while !self.machine.is_over() {
            if let Some(event) = self.next(&mut inbound).await {
                self.feed(event).await;
            }
            self.attend_to_audit().await;
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

    /// The next event; none if what happened makes none.
    async fn next(&mut self, inbound: &mut Streaming<v1::SensorMessage>) -> Option<Event> {
        if let Some(command) = self.no_longer_held_back() {
            return self.told(command).await;
        }
        let due = self.machine.due().since(self.door.app.clock.uptime());
        let shutdown = self.door.tasks.shutdown();
        let (commands, session) = match &mut self.live {
            Some(live) => (Some(&mut live.commands), Some(&live.session)),
            None => (None, None),
        };
        tokio::select! {
            biased;
            () = self.connection.cut.cancelled() => Some(Event::Closed),
            reason = ended(session) => Some(Event::End(reason)),
            () = shutdown.cutting() => Some(Event::End(Reason::Draining)),
            command = told(commands) => {
                if let (SessionCommand::Offer(_), Some(session)) = (&command, session) {
                    session.offer_taken();
                }
                self.told(command).await
            }
            message = inbound.message() => Some(self.heard(message)),
            () = tokio::time::sleep(due) => Some(Event::Tick),
        }
    }

    fn no_longer_held_back(&mut self) -> Option<SessionCommand> {
        let live = self.live.as_mut().filter(|_| self.machine.is_settled())?;
        live.held_back.pop_front()
    }

    fn heard(&mut self, message: Result<Option<v1::SensorMessage>, Status>) -> Event {
        if let Err(reason) = self.door.admits(&self.identity) {
            return Event::End(reason);
        }
        match message {
            Ok(Some(message)) => {
                if let Some(live) = &self.live {
                    live.session.heard(self.door.app.clock.now());
                }
                self.audit.hear(&message);
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
    pub(super) async fn feed(&mut self, event: Event) {
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
            let (free, for_looks) = (self.machine.free(false), self.machine.free(true));
            let more = free > live.session.free() || for_looks > live.session.free_for_looks();
            live.session.set_free(free, for_looks);
            if more {
                self.door.app.signals.runs.notify_one();
            }
        }
    }

    async fn act(&mut self, action: Action) -> Option<Event> {
        let app = Arc::clone(&self.door.app);
        match action {
            Action::Send(mut body) => {
                self.audit.ask(&mut body);
                self.send(body).await
            }
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
            Action::Events(events) => {
                let live = self.live.as_ref()?;
                let number = events.number;
                match app.take_relayed_events(&live.session, *events).await {
                    Ok(unknown) => Some(Event::EventsTaken { number, unknown }),
                    Err(error) => {
                        // Not acknowledged: the sensor sends them again, after a while or in its next session. What is wrong with one registry alone
                        // is no reason to end this one.
                        let unreachable = matches!(error, StoreError::Unavailable { .. });
                        self.logged("take push events", Err(error));
                        unreachable.then_some(Event::End(Reason::StorageUnavailable))
                    }
                }
            }
            Action::Stored(token) => {
                let live = self.live.as_ref()?;
                let (tenant, sensor, epoch) =
                    (self.identity.tenant, self.identity.sensor, live.session.epoch);
                match app.store.continuity_stored(tenant, sensor, epoch, token).await {
                    Ok(true) => None,
                    // There is a newer session, or the tokens of this one were made void.
                    Ok(false) => Some(Event::End(Reason::StaleSession)),
                    Err(error) => {
                        // The token that was shown is still the current one: no work goes out on that.
                        self.logged("note a stored continuity token", Err(error));
                        Some(Event::End(Reason::StorageUnavailable))
                    }
                }
            }
            Action::Present => {
                self.askers.answered();
                None
            }
            Action::Unanswered => {
                self.unanswered().await;
                None
            }
            Action::Conflict => {
                self.conflict(self.doubt).await;
                None
            }
            Action::Return(attempt) => {
                let fence = self.live.as_ref()?.session.fence(attempt);
                self.logged("return a lease", app.return_lease(&fence).await);
                None
            }
            Action::Fail {
                attempt,
                reason,
                finding,
                again,
            } => {
                let fence = self.live.as_ref()?.session.fence(attempt);
                let failed = app.fail_attempt(&fence, reason, &finding, again).await;
                self.logged("end an attempt", failed);
                None
            }
            Action::Close(reason) => {
                self.close(reason);
                None
            }
        }
    }

    pub(super) async fn send(&mut self, mut body: Body) -> Option<Event> {
        let now = self.door.app.clock.now().as_millisecond();
        match &mut body {
            Body::Goodbye(goodbye) => {
                goodbye.server_time_ms = now;
                if matches!(
                    goodbye.reason(),
                    v1::Reason::Overloaded | v1::Reason::StorageUnavailable
                ) {
                    // All that are told so come back at once otherwise.
                    let wait = self.door.app.rng.between(RETURN.0, RETURN.1);
                    goodbye.retry_after_ms = messages::millis(wait);
                }
            }
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

    pub(super) fn logged(&self, what: &'static str, outcome: Result<(), StoreError>) {
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
