//! What follows from what happened.

use std::sync::Arc;
use std::time::Duration;

use portolan_proto::v1;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_shared::model::{AttemptRef, Reason};
use portolan_shared::process::Uptime;
use portolan_shared::tls::ControlPlaneTrust;

use super::channel::Windows;
use super::failure::Failure;
use super::issued;
use super::reconnect::Ending;
use super::run::{GOODBYE_WITHIN, Happening, Opened, Uplink, UplinkEnd};
use super::session::{Event, Session, Welcome, refusal};
use super::upload_link::SessionRef;
use super::view::Phase;
use super::who_am_i::who_am_i;

/// A clock that is this far off is worth a warning.
const SKEW_WARNING: Duration = Duration::from_secs(120);

impl Uplink {
    pub(super) fn on(&mut self, happening: Happening) {
        match happening {
            Happening::Said(Ok(event)) => self.on_event(event),
            Happening::Said(Err(failure)) => self.lost(&failure),
            Happening::Opened(opened) => self.on_opened(opened),
            Happening::Renewed(renewed) => self.on_renewed(renewed),
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
        if let Err(failure) = self.speak(now) {
            self.lost(&failure);
        }
        self.start_renewal();
        let due = match &self.current {
            Some(_) => self.replace_at.is_some_and(|at| now >= at),
            None => now >= self.open_at && self.draining_since.is_none(),
        };
        if due && self.opening.is_none() && self.end.is_none() {
            self.start_opening();
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
                free_slots: u32::try_from(self.attempts.free_slots()).unwrap_or(u32::MAX),
                certificate_not_after_ms: self.parts.keyring.certificate().not_after.as_millisecond(),
                last_error: self.view.borrow().renewal_failure.clone().unwrap_or_default(),
            };
            session.send(Up::Heartbeat(heartbeat))?;
            session.liveness.sent_heartbeat(now, &*self.parts.rng);
        }
        Ok(())
    }

    /// Says something, if there is a session. What is asked again is not kept for the next one.
    fn reply(&mut self, body: Up) {
        if let Some(session) = &mut self.current
            && let Err(failure) = session.send(body)
        {
            self.lost(&failure);
        }
    }

    fn on_event(&mut self, event: Event) {
        let now = self.parts.clock.uptime();
        if let Some(session) = &mut self.current {
            session.liveness.heard(now);
        }
        match event {
            Event::HeartbeatAck { counter, renewed } => {
                if let Some(session) = &mut self.current {
                    let renewal = session.heartbeats.answered(counter, &renewed);
                    self.attempts.renewed(&renewal);
                }
            }
            Event::Offer(offer) => {
                let answer = self.attempts.offered(&offer, self.draining_since.is_some());
                self.reply(answer);
            }
            // Whoever stops takes nothing on; the control plane asks again after the reconnect.
            Event::Probe(_) if self.draining_since.is_some() => {}
            Event::Probe(offer) => {
                if let Some(report) = self.probes.offered(&offer) {
                    self.reply(report);
                }
            }
            Event::Cancel { attempt, reason } => self.attempts.cancel(attempt, reason),
            Event::Trust(bundle) => self.on_trust(&bundle),
            Event::Drain { after } => {
                let after = self.parts.rng.between(after.mul_f64(0.9), after.mul_f64(1.1));
                tracing::info!(?after, "the control plane asks this sensor to reconnect");
                self.replace_at = Some(Uptime(now.0 + after));
            }
            Event::Goodbye(told) => self.lost(&Failure::Refused(refusal(told, "goodbye"))),
            Event::Unknown => tracing::debug!("a message of a kind that this version does not know"),
        }
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

    /// The open session is over.
    fn lost(&mut self, failure: &Failure) {
        let Some(session) = self.current.take() else {
            return;
        };
        let now = self.parts.clock.uptime();
        self.replace_at = None;
        self.conclude(failure, Some(now.since(session.opened)), now);
    }

    /// Decides what a failure means, and when to try again.
    fn conclude(&mut self, failure: &Failure, session: Option<Duration>, now: Uptime) {
        let told = failure.told();
        if told.is_some_and(|told| told.reason == Reason::SensorRevoked) {
            self.revoked();
            return;
        }
        if failure.is_of_connection() {
            self.endpoints.advance();
        }
        let delay = self
            .reconnect
            .after(Ending { session, told }, now, &*self.parts.rng);
        let mut text = failure.with_causes();
        if let Some(advice) = told.and_then(|told| advice(told.reason)) {
            text.push_str("; ");
            text.push_str(advice);
        }
        tracing::warn!(failure = text, ?delay, "no session; trying again later");
        self.view.send_modify(|view| {
            view.last_failure = Some(text);
            view.failures += 1;
        });
        let at = Uptime(now.0 + delay);
        if self.current.is_some() {
            self.replace_at = Some(at);
        } else {
            self.open_at = at;
        }
    }

    /// The one authenticated word that ends everything.
    pub(super) fn revoked(&mut self) {
        tracing::error!("this sensor was revoked by its control plane; its keys are destroyed");
        self.attempts.cancel_all(Reason::SensorRevoked);
        self.probes.cancel_all();
        if let Err(error) = self.parts.keyring.revoke(self.parts.clock.now()) {
            tracing::error!(%error, "the keys could not be removed; remove the state directory by hand");
        }
        self.current = None;
        self.end = Some(UplinkEnd::Revoked);
    }

    fn start_opening(&mut self) {
        let listed = self.attempts.running();
        let hello = self.hello(&listed);
        let to = self.endpoints.current().clone();
        let keyring = Arc::clone(&self.parts.keyring);
        let (connector, clock, rng) = (
            self.parts.connector.clone(),
            Arc::clone(&self.parts.clock),
            Arc::clone(&self.parts.rng),
        );
        self.opening = Some(Box::pin(async move {
            let trust = ControlPlaneTrust::Roots(keyring.trust().roots.clone());
            let identity = keyring.certificate().client_identity();
            let opened = async {
                let channel = connector
                    .connect(&to, trust, Some(identity), Windows::SESSION)
                    .await?;
                Session::open(channel, hello, &*clock, &*rng).await.map(Box::new)
            };
            let result = match opened.await {
                // What the alert says is not to be relied on, so the control plane is asked, and only its answer counts.
                Err(alert @ Failure::Alert { .. }) => match who_am_i(&connector, &to, &keyring).await {
                    Ok(Some(told)) => Err(Failure::Refused(refusal(told, "asked after TLS was refused"))),
                    Ok(None) | Err(_) => Err(alert),
                },
                other => other,
            };
            Opened { result, listed }
        }));
    }

    fn on_opened(&mut self, opened: Opened) {
        let now = self.parts.clock.uptime();
        let (session, welcome) = match opened.result {
            Ok(open) => *open,
            Err(failure) => {
                self.conclude(&failure, None, now);
                return;
            }
        };
        self.reconnect.set_spread(welcome.spread);
        let endpoint = self.endpoints.current().clone();
        tracing::info!(epoch = session.epoch, %endpoint, "a session is open");
        self.session.send_replace(Some(SessionRef {
            epoch: session.epoch,
            endpoint,
        }));
        self.replace_at = None;
        self.show_welcome(&session, &welcome);
        if let Some(former) = self.current.replace(session) {
            let closing = former.close(Reason::StaleSession, GOODBYE_WITHIN);
            self.parts.tasks.spawn("former session", closing);
        }
        self.take_verdicts(&welcome, &opened.listed);
    }

    fn take_verdicts(&mut self, welcome: &Welcome, listed: &[AttemptRef]) {
        self.attempts
            .verdicts(&welcome.verdicts, listed, welcome.hello_sent);
    }

    fn show_welcome(&self, session: &Session, welcome: &Welcome) {
        let now = self.parts.clock.now();
        let skew = welcome.server_time.map(|server| server.duration_since(now));
        if let Some(skew) = skew
            && skew.unsigned_abs() > SKEW_WARNING
        {
            tracing::warn!(%skew, "this machine's clock and the control plane's differ");
        }
        self.view.send_modify(|view| {
            view.epoch = Some(session.epoch);
            view.since = Some(now);
            view.skew_ms = skew.map(|skew| i64::try_from(skew.as_millis()).unwrap_or(i64::MAX));
            view.last_failure = None;
            view.sessions += 1;
        });
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
        let running = self.attempts.view();
        self.view.send_if_modified(|view| {
            let since = view.since.filter(|_| epoch.is_some());
            let changed = (view.phase, &view.endpoint, view.epoch, view.since, &view.running)
                != (phase, &endpoint, epoch, since, &running);
            if changed {
                (view.phase, view.endpoint, view.epoch, view.since, view.running) =
                    (phase, endpoint, epoch, since, running);
            }
            changed
        });
    }
}

/// What somebody can do about a refusal that trying again does not mend.
fn advice(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::CertificateExpired | Reason::CertificateNotCurrent | Reason::IdentityUnknown => Some(
            "if it stays like this, revoke this sensor in the control plane and enrol again with another --data-dir",
        ),
        Reason::VersionUnsupported => Some("upgrade the agent, or the control plane"),
        _ => None,
    }
}
