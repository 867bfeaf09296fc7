//! The way to a session: by the certificate, or by a recovery first; and what its beginning brings.

use std::sync::Arc;
use std::time::Duration;

use portolan_proto::v1;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_shared::model::{AttemptRef, Reason};
use portolan_shared::process::{Clock, Rng, Uptime};
use portolan_shared::tls::ControlPlaneTrust;

use super::admission::Way;
use super::channel::{Connector, Windows};
use super::endpoint::Endpoint;
use super::failure::{Failure, no_certificate};
use super::reconnect::Told;
use super::recover::{Machine, Recovered, recover};
use super::renewal::RenewalSchedule;
use super::run::{GOODBYE_WITHIN, Opened, Reached, Uplink};
use super::session::{Session, Welcome};
use super::upload_link::SessionRef;
use super::who_am_i::who_am_i;
use crate::keyring::Keyring;

/// A clock that is this far off is worth a warning.
const SKEW_WARNING: Duration = Duration::from_secs(120);

/// What one try needs. Lives as long as it.
struct Attempt {
    to: Endpoint,
    keyring: Arc<Keyring>,
    connector: Connector,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    way: Way,
    asks_first: bool,
    hello: v1::Hello,
}

impl Attempt {
    async fn reach(self) -> Result<Reached, Failure> {
        if self.asks_first {
            let standing = who_am_i(&self.connector, &self.to, &self.keyring).await?;
            if let Some(told) = standing.told {
                return Err(Failure::refused(told, "asked whether that still holds"));
            }
        }
        match self.way {
            Way::Session => self.open().await,
            Way::Recovery => {
                let machine = Machine {
                    boot_id: self.hello.boot_id,
                    fingerprint: self.hello.machine_fingerprint.to_vec(),
                };
                let recovered =
                    recover(&self.connector, &self.to, &self.keyring, machine, &*self.clock).await?;
                Ok(Reached::Certificate(Box::new(recovered)))
            }
        }
    }

    async fn open(self) -> Result<Reached, Failure> {
        let trust = ControlPlaneTrust::Roots(self.keyring.trust().roots.clone());
        let certificate = self.keyring.certificate().ok_or_else(no_certificate)?;
        let opened = async {
            let identity = Some(certificate.client_identity());
            let channel = self
                .connector
                .connect(&self.to, trust, identity, Windows::SESSION)
                .await?;
            Session::open(channel, self.hello, &*self.clock, &*self.rng).await
        };
        let alert = match opened.await {
            Ok(session) => return Ok(Reached::Session(Box::new(session))),
            // An alert can be lost with the connection that it ended.
            Err(alert @ (Failure::Alert { .. } | Failure::Transport(_))) => alert,
            Err(other) => return Err(other),
        };
        // What the alert says is not to be relied on, so the control plane is asked, and only its answer counts.
        let Ok(standing) = who_am_i(&self.connector, &self.to, &self.keyring).await else {
            return Err(alert);
        };
        if let Some(told) = standing.told {
            return Err(Failure::refused(told, "asked after TLS was refused"));
        }
        let ended = |now| certificate.not_after <= now;
        if standing.server_time.is_some_and(ended) {
            let told = Told {
                reason: Reason::CertificateExpired,
                retry_after: None,
            };
            return Err(Failure::refused(
                told,
                "by its own clock, when asked after TLS was refused",
            ));
        }
        Err(match alert {
            Failure::Alert {
                to,
                alert,
                established: true,
            } => Failure::Rejected { to, alert },
            other => other,
        })
    }
}

impl Uplink {
    pub(super) fn start_opening(&mut self) {
        if let Some(recovered) = self.unstored.take() {
            self.on_recovered(recovered);
            return;
        }
        let listed = self.attempts.running();
        self.told_policy = Some(self.parts.policy.current().hash());
        let attempt = Attempt {
            to: self.endpoints.current().clone(),
            keyring: Arc::clone(&self.parts.keyring),
            connector: self.parts.connector.clone(),
            clock: Arc::clone(&self.parts.clock),
            rng: Arc::clone(&self.parts.rng),
            way: self.admission.way(),
            asks_first: self.admission.asks_first(),
            hello: self.hello(&listed),
        };
        self.opening = Some(Box::pin(async move {
            let result = attempt.reach().await;
            Opened { result, listed }
        }));
    }

    pub(super) fn on_opened(&mut self, opened: Opened) {
        let now = self.parts.clock.uptime();
        match opened.result {
            Ok(Reached::Session(open)) => {
                let (session, welcome) = *open;
                self.on_welcome(session, &welcome, &opened.listed, now);
            }
            Ok(Reached::Certificate(recovered)) => self.on_recovered(recovered),
            Err(failure) => self.conclude(&failure, None, now),
        }
    }

    fn on_welcome(&mut self, session: Session, welcome: &Welcome, listed: &[AttemptRef], now: Uptime) {
        let epoch = session.epoch;
        let former = self.current.replace(session);
        // Before anything else: whoever dies from here on comes back with this token.
        self.continuity.received(welcome.continuity.clone(), now);
        self.settle(now);
        self.sealing.opened(welcome.generation);
        self.admission.welcomed();
        self.reconnect.set_spread(welcome.spread);
        let endpoint = self.endpoints.current().clone();
        tracing::info!(epoch, %endpoint, "a session is open");
        self.session.send_replace(Some(SessionRef { epoch, endpoint }));
        self.replace_at = None;
        self.show_welcome(epoch, welcome);
        if let Some(former) = former {
            let closing = former.close(Reason::StaleSession, GOODBYE_WITHIN);
            self.parts.tasks.spawn("former session", closing);
        }
        self.attempts
            .verdicts(&welcome.verdicts, listed, welcome.hello_sent);
    }

    /// Stores the token that the session brought, if that is due, and acknowledges it once it is on disk. The control plane ends a session
    /// that acknowledges nothing; what was on disk before stays good.
    pub(super) fn settle(&mut self, now: Uptime) {
        let Some(token) = self.continuity.due(self.opening.is_some(), now) else {
            return;
        };
        if let Err(error) = self.parts.keyring.store_continuity(token) {
            let failure = Failure::of_state(&error);
            tracing::error!(
                failure = failure.with_causes(),
                "the continuity token is not stored"
            );
            self.continuity.failed(now);
        } else if let Some(token_sha256) = self.continuity.stored() {
            let token_sha256 = token_sha256.into();
            self.reply(Up::ContinuityAck(v1::ContinuityAck { token_sha256 }));
        }
    }

    /// On disk before it is used. What cannot be stored is kept: another recovery would count at the control plane.
    fn on_recovered(&mut self, recovered: Box<Recovered>) {
        let now = self.parts.clock.uptime();
        if let Err(error) = recovered.store(&self.parts.keyring) {
            self.unstored = Some(recovered);
            self.conclude(&Failure::of_state(&error), None, now);
            return;
        }
        // A token that the open session brought is older than the one on disk.
        self.continuity.ended();
        self.admission.recovered();
        self.use_certificate();
        self.view.send_modify(|view| view.recoveries += 1);
        tracing::info!("the certificate was recovered");
        if self.current.is_none() {
            self.open_at = now;
        }
    }

    /// From now on the stored certificate is shown.
    pub(super) fn use_certificate(&mut self) {
        let Some(certificate) = self.parts.keyring.certificate() else {
            return;
        };
        let (clock, rng) = (&*self.parts.clock, &*self.parts.rng);
        let renewal = RenewalSchedule::new(certificate.life(), clock, rng);
        let planned = renewal.planned();
        self.renewal = Some(renewal);
        self.replace_at = Some(clock.uptime());
        self.link.renew();
        self.view.send_modify(|view| {
            view.renewal_planned = Some(planned);
            view.renewal_failure = None;
        });
    }

    fn show_welcome(&self, epoch: u64, welcome: &Welcome) {
        let now = self.parts.clock.now();
        let skew = welcome.server_time.map(|server| server.duration_since(now));
        if let Some(skew) = skew
            && skew.unsigned_abs() > SKEW_WARNING
        {
            tracing::warn!(%skew, "this machine's clock and the control plane's differ");
        }
        self.view.send_modify(|view| {
            view.epoch = Some(epoch);
            view.since = Some(now);
            view.skew_ms = skew.map(|skew| i64::try_from(skew.as_millis()).unwrap_or(i64::MAX));
            view.last_failure = None;
            view.sessions += 1;
        });
    }
}
