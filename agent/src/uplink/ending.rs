//! What follows from a session that ended, or never began.

use std::time::Duration;

use portolan_shared::model::Reason;
use portolan_shared::process::Uptime;

use super::admission::Reaction;
use super::advice::{advice, state};
use super::failure::Failure;
use super::reconnect::{Ending, Told};
use super::run::{Uplink, UplinkEnd};
use super::view::RefusedView;

impl Uplink {
    /// The open session is over.
    pub(super) fn lost(&mut self, failure: &Failure) {
        let Some(session) = self.current.take() else {
            return;
        };
        let now = self.parts.clock.uptime();
        self.replace_at = None;
        self.continuity.ended();
        self.conclude(failure, Some(now.since(session.opened)), now);
    }

    /// Decides what a failure means, and when to try again.
    pub(super) fn conclude(&mut self, failure: &Failure, session: Option<Duration>, now: Uptime) {
        let told = failure.told();
        if let Some(told) = told {
            self.react(told);
            if self.end.is_some() {
                return;
            }
        } else if matches!(failure, Failure::Rejected { .. }) {
            self.admission.rejected();
        }
        if failure.is_of_connection() {
            self.endpoints.advance();
        }
        let delay = self
            .reconnect
            .after(Ending { session, told }, now, &*self.parts.rng);
        let mut text = failure.with_causes();
        if let Some(told) = told {
            text.push_str("; to do: ");
            text.push_str(&advice(told.reason, &self.parts.keyring.enrolled().name));
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

    /// What the control plane said is acted on, whatever was asked of it.
    fn react(&mut self, told: Told) {
        let reaction = self.admission.told(told.reason, self.parts.clock.now());
        if reaction == Reaction::Stop {
            tracing::error!(reason = %told.reason, "the control plane lets this sensor in no more: its work stops");
            self.attempts.cancel_all(told.reason);
            self.probes.cancel_all();
            // One that was to be replaced just now: the control plane is about to end it.
            self.current = None;
            self.replace_at = None;
            self.continuity.ended();
            self.parts.vault.withdraw(&[]);
        }
        if reaction == Reaction::End {
            self.revoked();
        }
    }

    /// The one authenticated word that ends everything.
    pub(super) fn revoked(&mut self) {
        tracing::error!("this sensor was revoked by its control plane; its keys are destroyed");
        self.attempts.cancel_all(Reason::SensorRevoked);
        self.probes.cancel_all();
        self.parts.vault.withdraw(&[]);
        if let Err(error) = self.parts.keyring.revoke(self.parts.clock.now()) {
            tracing::error!(%error, "the keys could not be removed; remove the state directory by hand");
        }
        self.current = None;
        self.end = Some(UplinkEnd::Revoked);
    }

    /// Why the control plane lets this sensor in no more, for people.
    pub(super) fn refused(&self) -> Option<RefusedView> {
        let shut_out = self.admission.shut_out()?;
        let reason = shut_out.reason;
        Some(RefusedView {
            reason,
            state: state(reason).unwrap_or("shut out").to_owned(),
            since: shut_out.since,
            advice: advice(reason, &self.parts.keyring.enrolled().name),
        })
    }
}
