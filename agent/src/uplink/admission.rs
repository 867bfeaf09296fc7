//! What the control plane has said of this sensor, and what follows from it. Pure.
//!
//! Only what the control plane itself said leads from one state to another. Whoever could not be reached has said nothing.

use jiff::Timestamp;
use portolan_shared::model::Reason;

/// How the next session is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By the certificate.
    Session,
    /// By another certificate, for which the identity key is shown.
    Recovery,
}

/// What is to be done with the work, beside trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    /// It goes on as long as its leases.
    GoOn,
    /// It is stopped, and no opened credential stays in memory. Everything on disk is kept.
    Stop,
    /// This is no sensor any more.
    End,
}

/// Shut out, or waiting for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShutOut {
    /// What the control plane said.
    pub reason: Reason,
    /// When it said so first, by this machine's clock.
    pub since: Timestamp,
}

/// So often in a row TLS ends although the control plane says that the sensor is in good standing, until its certificate must be at fault.
const REJECTIONS: u32 = 3;

/// Where this sensor stands with its control plane.
#[derive(Debug)]
pub(super) struct Admission {
    way: Way,
    shut_out: Option<ShutOut>,
    rejections: u32,
}

impl Admission {
    /// Of a sensor that holds a certificate, or has lost it.
    #[must_use]
    pub(super) fn new(has_certificate: bool) -> Self {
        Self {
            way: if has_certificate {
                Way::Session
            } else {
                Way::Recovery
            },
            shut_out: None,
            rejections: 0,
        }
    }

    /// How the next session is reached.
    #[must_use]
    pub(super) fn way(&self) -> Way {
        self.way
    }

    /// Why there is none, if the control plane said so.
    #[must_use]
    pub(super) fn shut_out(&self) -> Option<ShutOut> {
        self.shut_out
    }

    /// Whether to ask first if that still holds: nothing is offered, shown or used up by asking.
    #[must_use]
    pub(super) fn asks_first(&self) -> bool {
        self.shut_out
            .is_some_and(|shut_out| shut_out.reason != Reason::NeedsApproval)
    }

    /// The control plane said no.
    pub(super) fn told(&mut self, reason: Reason, now: Timestamp) -> Reaction {
        self.rejections = 0;
        match reason {
            Reason::CertificateExpired | Reason::CertificateNotCurrent => {
                // It says something else than that the sensor is shut out: to ask first would only bring the same answer again.
                self.way = Way::Recovery;
                self.shut_out = None;
                Reaction::GoOn
            }
            Reason::SensorSuspended => {
                self.shut(reason, now);
                Reaction::Stop
            }
            // Where both copies hold the certificate it is void: once a person has approved, there is another one.
            Reason::NeedsApproval | Reason::SensorQuarantined | Reason::IdentityConflict => {
                self.way = Way::Recovery;
                self.shut(reason, now);
                Reaction::Stop
            }
            Reason::SensorRevoked => Reaction::End,
            Reason::TokenInvalid
            | Reason::TokenAlreadyBound
            | Reason::IdentityUnknown
            | Reason::Overloaded
            | Reason::Draining
            | Reason::SlowConsumer
            | Reason::StaleSession
            | Reason::StaleAttempt
            | Reason::MessageTooLarge
            | Reason::ProtocolViolation
            | Reason::VersionUnsupported
            | Reason::StorageUnavailable
            | Reason::Policy
            | Reason::Unsupported
            | Reason::Cancelled
            | Reason::Internal
            | Reason::CredentialRefused => Reaction::GoOn,
        }
    }

    fn shut(&mut self, reason: Reason, now: Timestamp) {
        let since = match self.shut_out {
            Some(known) if known.reason == reason => known.since,
            Some(_) | None => now,
        };
        self.shut_out = Some(ShutOut { reason, since });
    }

    /// TLS was ended by the control plane, which says, asked on another connection, that this sensor is in good standing. Once may be an
    /// accident; again and again it is the certificate, of which nothing is lost by asking for another.
    pub(super) fn rejected(&mut self) {
        self.rejections += 1;
        if self.rejections >= REJECTIONS {
            self.rejections = 0;
            self.way = Way::Recovery;
        }
    }

    /// A new certificate is stored.
    pub(super) fn recovered(&mut self) {
        self.way = Way::Session;
        self.shut_out = None;
        self.rejections = 0;
    }

    /// A session is open.
    pub(super) fn welcomed(&mut self) {
        self.recovered();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn an_ended_or_replaced_certificate_is_recovered_and_a_lost_one_too() {
        assert_eq!(Admission::new(false).way(), Way::Recovery);
        for reason in [Reason::CertificateExpired, Reason::CertificateNotCurrent] {
            let mut admission = Admission::new(true);
            assert_eq!(
                admission.told(reason, at(1)),
                Reaction::GoOn,
                "leases count for themselves"
            );
            assert_eq!((admission.way(), admission.asks_first()), (Way::Recovery, false));
            admission.recovered();
            assert_eq!(admission.way(), Way::Session);
        }
    }

    #[test]
    fn whoever_is_shut_out_asks_first_and_remembers_since_when() {
        for (reason, way) in [
            (Reason::SensorSuspended, Way::Session),
            (Reason::SensorQuarantined, Way::Recovery),
            (Reason::IdentityConflict, Way::Recovery),
        ] {
            let mut admission = Admission::new(true);
            assert_eq!(admission.told(reason, at(5)), Reaction::Stop);
            assert_eq!(admission.told(Reason::Overloaded, at(6)), Reaction::GoOn);
            assert_eq!(admission.told(reason, at(900)), Reaction::Stop);
            assert_eq!(admission.shut_out(), Some(ShutOut { reason, since: at(5) }));
            assert!(admission.asks_first());
            assert_eq!(admission.way(), way);
            admission.welcomed();
            assert_eq!((admission.shut_out(), admission.way()), (None, Way::Session));
        }
        let mut admission = Admission::new(true);
        assert_eq!(admission.told(Reason::NeedsApproval, at(5)), Reaction::Stop);
        assert_eq!((admission.way(), admission.asks_first()), (Way::Recovery, false));
        assert_eq!(admission.told(Reason::SensorRevoked, at(6)), Reaction::End);
    }

    #[test]
    fn whoever_is_let_in_again_after_its_certificate_ended_recovers_and_does_not_ask_for_ever() {
        for reason in [Reason::CertificateExpired, Reason::CertificateNotCurrent] {
            let mut admission = Admission::new(true);
            admission.told(Reason::SensorSuspended, at(5));
            assert!(admission.asks_first());
            assert_eq!(admission.told(reason, at(100_000)), Reaction::GoOn);
            assert_eq!((admission.way(), admission.asks_first()), (Way::Recovery, false));
            assert_eq!(admission.shut_out(), None);
        }
    }

    #[test]
    fn a_certificate_that_tls_refuses_three_times_in_good_standing_is_replaced() {
        let mut admission = Admission::new(true);
        admission.rejected();
        admission.rejected();
        assert_eq!(admission.told(Reason::Overloaded, at(1)), Reaction::GoOn);
        admission.rejected();
        admission.rejected();
        assert_eq!(admission.way(), Way::Session, "not in a row");
        admission.rejected();
        assert_eq!(admission.way(), Way::Recovery);
    }

    proptest! {
        #[test]
        fn t51_only_the_reasons_that_say_so_lead_to_recovery_or_shut_out(which in 0..Reason::ALL.len()) {
            let reason = Reason::ALL[which];
            let mut admission = Admission::new(true);
            let reaction = admission.told(reason, at(1));
            let shut = [Reason::SensorSuspended, Reason::SensorQuarantined, Reason::IdentityConflict, Reason::NeedsApproval];
            prop_assert_eq!(admission.shut_out().is_some(), shut.contains(&reason));
            prop_assert_eq!(reaction == Reaction::Stop, shut.contains(&reason));
            prop_assert_eq!(reaction == Reaction::End, reason == Reason::SensorRevoked);
            let recovers = matches!(
                reason,
                Reason::CertificateExpired | Reason::CertificateNotCurrent | Reason::SensorQuarantined
                    | Reason::IdentityConflict | Reason::NeedsApproval
            );
            prop_assert_eq!(admission.way() == Way::Recovery, recovers);
        }
    }
}
