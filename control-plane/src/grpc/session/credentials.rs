//! What a session is told from inside, with the credentials that it takes: looked up when the message is about to leave, so that none waits
//! in a queue.

use std::time::Duration;

use portolan_proto::{convert, v1};
use portolan_shared::model::{AttemptRef, Reason, RegistryId};
use portolan_store::{DeliveredFor, Delivery, Lease, NewProbe};

use super::messages;
use super::opening::nonce;
use super::step::Event;
use super::stream::SessionStream;
use crate::app::SessionCommand;

/// Commands that wait until a session is settled: it ends above.
const HELD_BACK: usize = 64;

impl SessionStream {
    /// The event that a command makes, if it makes one. Probes and credentials wait until the session is settled.
    pub(super) async fn told(&mut self, command: SessionCommand) -> Option<Event> {
        match command {
            SessionCommand::Probe(_) | SessionCommand::Credential(..) | SessionCommand::Withdraw(_)
                if !self.machine.is_settled() =>
            {
                self.hold_back(command)
            }
            SessionCommand::Offer(lease) => self.offered(lease).await,
            SessionCommand::Probe(probe) => self.asked_to_probe(&probe).await,
            SessionCommand::Credential(attempt, registry) => self.changed(attempt, registry).await,
            SessionCommand::Cancel(attempt, reason) => Some(Event::Cancel(attempt, reason)),
            SessionCommand::Ended(attempt) => Some(Event::Ended(attempt)),
            SessionCommand::Withdraw(credential) => Some(Event::Withdraw(credential)),
            SessionCommand::Drain(after) => Some(Event::Drain(after)),
            SessionCommand::AskPresence(waiting) => {
                self.askers.wait(waiting, self.machine.asked.is_some());
                Some(Event::AskPresence {
                    nonce: nonce(&self.door),
                })
            }
        }
    }

    /// Keeps a command until the session is settled. One that is told more than it can be kept for begins anew.
    fn hold_back(&mut self, command: SessionCommand) -> Option<Event> {
        let live = self.live.as_mut()?;
        if live.held_back.len() >= HELD_BACK {
            return Some(Event::End(Reason::Overloaded));
        }
        live.held_back.push_back(command);
        None
    }

    /// The credential of a registry that an attempt reads has changed. If nothing may be granted now, the attempt goes on with what it has.
    async fn changed(&self, attempt: AttemptRef, registry: RegistryId) -> Option<Event> {
        let live = self.live.as_ref()?;
        let grant = self.door.denials.grant(&live.session)?;
        let what_for = DeliveredFor::Running(live.session.fence(attempt));
        match self.door.app.credential_for(grant, registry, what_for).await {
            Ok(Delivery::Sealed(sealed)) => Some(Event::Credential(
                attempt,
                Box::new(v1::CredentialOffer {
                    attempt: Some(attempt.into()),
                    credential: Some(convert::sealed_to_wire(&sealed)),
                }),
            )),
            Ok(Delivery::NoneNeeded | Delivery::NotForIt) => None,
            Err(error) => {
                self.logged("bring a newer credential", Err(error));
                None
            }
        }
    }

    /// A lease that cannot be carried out without a credential that is not to be had goes back, and waits for who can. So does one that the
    /// session cannot take: no credential is looked up for it.
    async fn offered(&self, mut lease: Box<Lease>) -> Option<Event> {
        let Some(live) = self.live.as_ref().filter(|_| self.machine.is_settled()) else {
            return Some(Event::Offer(lease, None));
        };
        let fence = live.session.fence(lease.attempt);
        let Some(grant) = self.door.denials.grant(&live.session) else {
            self.logged("return a lease", self.door.app.return_lease(&fence).await);
            return None;
        };
        let what_for = DeliveredFor::Attempt(fence);
        let registry = lease.target.registry;
        let delivery = self.door.app.credential_for(grant, registry, what_for).await;
        match delivery {
            Ok(Delivery::NoneNeeded) => Some(Event::Offer(lease, None)),
            Ok(Delivery::Sealed(sealed)) => {
                // Since the lease the registry may have got this in the place of a reference.
                lease.target.credential = None;
                Some(Event::Offer(
                    lease,
                    Some(Box::new(convert::sealed_to_wire(&sealed))),
                ))
            }
            Ok(Delivery::NotForIt) => {
                self.logged("return a lease", self.door.app.return_lease(&fence).await);
                None
            }
            Err(error) => {
                self.logged("find the credential for an offer", Err(error));
                self.logged("return a lease", self.door.app.return_lease(&fence).await);
                None
            }
        }
    }

    /// A probe whose credential is not to be had any more waits for its end. One that nothing may be granted for now is brought again.
    async fn asked_to_probe(&self, probe: &NewProbe) -> Option<Event> {
        let live = self.live.as_ref()?;
        let Some(grant) = self.door.denials.grant(&live.session) else {
            live.session.missed_probe(probe.id);
            return None;
        };
        let left = probe.expires_at.duration_since(self.door.app.clock.now());
        let left = Duration::try_from(left).unwrap_or_default();
        let credential = match self.door.app.credential_for_probe(grant, probe).await {
            Ok(Delivery::NoneNeeded) => None,
            Ok(Delivery::Sealed(sealed)) => Some(convert::sealed_to_wire(&sealed)),
            Ok(Delivery::NotForIt) => return None,
            Err(error) => {
                self.logged("find the credential for a probe", Err(error));
                live.session.missed_probe(probe.id);
                return None;
            }
        };
        let offer = v1::ProbeOffer {
            credential,
            ..messages::probe(probe, left)
        };
        Some(Event::Probe(Box::new(offer)))
    }
}
