//! What follows from what happened.

use portolan_proto::v1;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_shared::model::Reason;
use portolan_shared::process::Uptime;

use super::audit;
use super::failure::Failure;
use super::issued;
use super::run::{Happening, Uplink, UplinkEnd};
use super::session::{Event, Session, present};
use super::view::Phase;

impl Uplink {
    pub(super) fn on(&mut self, happening: Happening) {
        match happening {
            Happening::Said(Ok(event)) => self.on_event(event),
            Happening::Said(Err(failure)) => {
                if matches!(failure, Failure::Oversized) {
                    audit::oversized(&self.parts.witness, self.session_epoch());
                }
                self.lost(&failure);
            }
            Happening::Opened(opened) => self.on_opened(opened),
            Happening::Renewed(renewed) => self.on_renewed(renewed),
            Happening::Sealed(sealed) => self.sealing.done(&sealed),
            Happening::JobEnded(attempt, end) => {
                if let Some(work) = self.attempts.ended(attempt, end) {
                    self.view.send_modify(|view| {
                        view.last_work = Some(work);
                        view.jobs += 1;
                    });
                }
            }
            Happening::ProbeEnded(probe, diagnosis) => {
                if let Some(report) = self.probes.ended(probe, &diagnosis) {
                    self.reply(report);
                }
            }
            Happening::Drain => {
                tracing::info!("stopping: jobs are told to stop");
                self.probes.cancel_all();
                self.draining_since = Some(self.parts.clock.uptime());
                self.attempts.cancel_all(Reason::Draining);
            }
            Happening::Cut => self.end = Some(UplinkEnd::Stopped),
            Happening::Time => {}
        }
    }

    /// Looks at the clocks: leases, silence, heartbeats, renewal, and whether a session is to be opened.
    pub(super) fn on_time(&mut self, now: Uptime) {
        self.attempts.judge(now);
        self.settle(now);
        self.parts.vault.look(now);
        // Nothing is done over a session before its continuity token is stored.
        let over = self
            .current
            .as_ref()
            .filter(|_| self.continuity.due(false, now).is_none());
        self.sealing.look(over.map(Session::channel));
        if self
            .current
            .as_ref()
            .is_some_and(|session| session.liveness.is_dead(now))
        {
            self.lost(&Failure::Timeout {
                what: "any sign of the control plane",
                seconds: portolan_shared::model::limits::DEAD_AFTER_SECONDS,
            });
        }
        if let Err(failure) = self.speak(now).and_then(|()| self.tell_events(now)) {
            self.lost(&failure);
        }
        self.start_renewal();
        self.tell_policy(now);
        let due = match &self.current {
            Some(_) => self.replace_at.is_some_and(|at| now >= at),
            None => now >= self.open_at && self.draining_since.is_none(),
        };
        if due && self.opening.is_none() && self.end.is_none() {
            self.start_opening();
        }
    }

    /// A policy that was read again is told by a Hello, so by another session in the place of this one.
    fn tell_policy(&mut self, now: Uptime) {
        let in_force = self.parts.policy.current().hash();
        if self.current.is_some() && self.replace_at.is_none() && self.told_policy != Some(in_force) {
            self.replace_at = Some(now);
        }
    }

    /// Sends what is due.
    fn speak(&mut self, now: Uptime) -> Result<(), Failure> {
        let Some(session) = &mut self.current else {
            return Ok(());
        };
        for (attempt, done) in self.attempts.unreported() {
            session.send(Up::JobDone(done))?;
            self.attempts.reported(attempt);
        }
        if session.has_room() {
            for progress in self.attempts.progress(now) {
                session.send(Up::JobProgress(progress))?;
            }
        }
        if session.liveness.heartbeat_due(now) {
            let running = self.attempts.running();
            let heartbeat = v1::Heartbeat {
                counter: session.heartbeats.send(running.clone(), now),
                running: running
                    .into_iter()
                    .map(|attempt| v1::RunningAttempt {
                        attempt: Some(attempt.into()),
                    })
                    .collect(),
                free_slots: u32::try_from(self.attempts.free_slots(false)).unwrap_or(u32::MAX),
                certificate_not_after_ms: self
                    .parts
                    .keyring
                    .certificate()
                    .map_or(0, |held| held.not_after.as_millisecond()),
                last_error: self.view.borrow().renewal_failure.clone().unwrap_or_default(),
                audit: Some(audit::state(&self.parts.witness)),
                audit_leads: audit::leads(&self.parts.witness),
            };
            session.send(Up::Heartbeat(heartbeat))?;
            session.liveness.sent_heartbeat(now, &*self.parts.rng);
        }
        Ok(())
    }

    /// Says something, if there is a session. What is asked again is not kept for the next one.
    pub(super) fn reply(&mut self, body: Up) {
        if let Some(session) = &mut self.current
            && let Err(failure) = session.send(body)
        {
            self.lost(&failure);
        }
    }

    /// Why no work is taken on now, if that is so.
    fn unwilling(&self) -> Option<Reason> {
        match (self.draining_since, self.continuity.is_settled()) {
            (Some(_), _) => Some(Reason::Draining),
            (None, false) => Some(Reason::Overloaded),
            (None, true) => None,
        }
    }

    fn on_event(&mut self, event: Event) {
        let now = self.parts.clock.uptime();
        if let Some(session) = &mut self.current {
            session.liveness.heard(now);
        }
        match event {
            Event::HeartbeatAck {
                counter,
                renewed,
                audit_known,
            } => {
                if let Some(known) = &audit_known {
                    audit::asked(&self.parts.witness, known);
                }
                if let Some(session) = &mut self.current {
                    let renewal = session.heartbeats.answered(counter, &renewed);
                    self.attempts.renewed(&renewal);
                }
            }
            Event::Offer(offer) => {
                let answer = self.attempts.offered(&offer, self.unwilling());
                self.reply(answer);
            }
            // Whoever stops takes nothing on; the control plane asks again after the reconnect.
            Event::Probe(_) if self.unwilling().is_some() => {}
            Event::Probe(offer) => {
                if let Some(report) = self.probes.offered(&offer) {
                    self.reply(report);
                }
            }
            Event::Credential(offer) => self.attempts.credential_offered(&offer),
            Event::Withdrawal(credentials) => {
                tracing::info!(
                    count = credentials.len(),
                    "credentials were withdrawn by the control plane"
                );
                self.parts.vault.withdraw(&credentials);
            }
            Event::Cancel { attempt, reason } => self.attempts.cancel(attempt, reason),
            Event::Trust(bundle) => self.on_trust(&bundle),
            Event::Checkpoint(checkpoint) => audit::hear(&self.parts.witness, &checkpoint),
            Event::Drain { after } => {
                let after = self.parts.rng.between(after.mul_f64(0.9), after.mul_f64(1.1));
                tracing::info!(?after, "the control plane asks this sensor to reconnect");
                self.replace_at = Some(Uptime(now.0 + after));
            }
            Event::Presence(ask) => self.reply(present(ask)),
            Event::EventsTaken(ack) => self.on_events_taken(&ack),
            Event::Goodbye(told) => self.lost(&Failure::refused(told, "goodbye")),
            Event::Unknown(seq) => {
                tracing::debug!("a message of a kind that this version does not know");
                audit::unknown(&self.parts.witness, self.session_epoch(), seq);
            }
        }
    }

    /// Of which session the control plane speaks; 0 if of none.
    fn session_epoch(&self) -> u64 {
        self.current.as_ref().map_or(0, |session| session.epoch)
    }

    fn on_trust(&mut self, bundle: &v1::TrustBundle) {
        let keyring = &self.parts.keyring;
        let stored = issued::trust(bundle)
            .map_err(|failure| failure.with_causes())
            .and_then(|trust| keyring.store_trust(trust).map_err(|error| error.to_string()));
        match stored {
            Ok(version) => self.reply(Up::TrustBundleAck(v1::TrustBundleAck { version })),
            // Not acknowledged: the control plane must see that its new roots are not trusted here.
            Err(why) => tracing::error!(why, "a trust bundle was refused"),
        }
    }

    /// Shows where the uplink stands, if that has changed.
    pub(super) fn publish(&self) {
        let phase = match (&self.end, &self.current, &self.opening) {
            (Some(UplinkEnd::Revoked), ..) => Phase::Revoked,
            _ if self.draining_since.is_some() => Phase::Draining,
            (_, Some(_), _) => Phase::Connected,
            (_, None, Some(_)) => Phase::Connecting,
            (_, None, None) => Phase::Waiting,
        };
        let endpoint = self.endpoints.current().to_string();
        let epoch = self.current.as_ref().map(|session| session.epoch);
        let takes_events = self.current.as_ref().map(|session| session.takes_events);
        let running = self.attempts.view();
        let refused = self.refused();
        self.view.send_if_modified(|view| {
            let since = view.since.filter(|_| epoch.is_some());
            let changed = (view.phase, &view.endpoint, view.epoch, view.since, &view.running)
                != (phase, &endpoint, epoch, since, &running)
                || view.refused != refused
                || view.takes_events != takes_events;
            if changed {
                (view.phase, view.endpoint, view.epoch, view.since, view.running) =
                    (phase, endpoint, epoch, since, running);
                (view.refused, view.takes_events) = (refused, takes_events);
            }
            changed
        });
    }
}
