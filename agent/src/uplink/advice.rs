//! What each reason means to whoever looks after this machine.

use portolan_shared::model::Reason;

/// In a word or two, where this leaves the sensor. None for what passes by itself.
pub(super) fn state(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::SensorSuspended => Some("suspended"),
        Reason::SensorQuarantined | Reason::IdentityConflict => Some("quarantined"),
        Reason::NeedsApproval => Some("waiting for approval"),
        Reason::SensorRevoked => Some("revoked"),
        _ => None,
    }
}

/// What to do about it.
pub(super) fn advice(reason: Reason, name: &str) -> String {
    let passes = || "nothing: this passes, and the agent tries again by itself".to_owned();
    let report = || "nothing here: report it, with the log of this agent and of the control plane".to_owned();
    match reason {
        Reason::TokenInvalid => "make a new token with `portolan sensor invite`".to_owned(),
        Reason::TokenAlreadyBound => {
            "another machine used this token first: look for it with `portolan sensor list`, revoke it if it is not yours, and make a new \
             token with `portolan sensor invite`"
                .to_owned()
        }
        Reason::CertificateExpired | Reason::CertificateNotCurrent => {
            "nothing: the agent asks for another certificate by itself".to_owned()
        }
        Reason::SensorSuspended => format!(
            "somebody suspended this sensor; ask an operator: portolan sensor resume {name}. Work goes on within 18 minutes, or at once when \
             the agent is started again"
        ),
        Reason::SensorQuarantined | Reason::IdentityConflict => format!(
            "this identity was seen twice: a copied disk, a restored snapshot, or a thief. Stop the other copy if there is one, then ask an \
             administrator: portolan sensor approve {name}; the registries' credentials that it held should be changed"
        ),
        Reason::NeedsApproval => format!(
            "this sensor was away for too long, or came back too often; ask an administrator: portolan sensor approve {name}"
        ),
        Reason::SensorRevoked => {
            "this is no sensor any more: make a token with `portolan sensor invite` and enrol again with another --data-dir".to_owned()
        }
        Reason::IdentityUnknown => {
            "if it stays like this, revoke this sensor in the control plane and enrol again with another --data-dir".to_owned()
        }
        Reason::VersionUnsupported => "upgrade the agent, or the control plane".to_owned(),
        Reason::Policy => "the policy of this machine says so: portolan-agent policy check".to_owned(),
        Reason::Unsupported => "upgrade the agent: it does not know what it was asked for".to_owned(),
        Reason::CredentialRefused => "enter the registry's credential again: portolan registry set".to_owned(),
        Reason::MessageTooLarge | Reason::ProtocolViolation | Reason::Internal => report(),
        Reason::Overloaded
        | Reason::Draining
        | Reason::SlowConsumer
        | Reason::StaleSession
        | Reason::StaleAttempt
        | Reason::StorageUnavailable
        | Reason::Cancelled => passes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_advice_and_who_can_let_the_sensor_in_is_named() {
        for reason in Reason::ALL {
            assert!(advice(*reason, "hamburg").len() > 20, "{reason}");
        }
        for (reason, command) in [
            (Reason::SensorSuspended, "portolan sensor resume hamburg"),
            (Reason::SensorQuarantined, "portolan sensor approve hamburg"),
            (Reason::IdentityConflict, "portolan sensor approve hamburg"),
            (Reason::NeedsApproval, "portolan sensor approve hamburg"),
        ] {
            assert!(state(reason).is_some() && advice(reason, "hamburg").contains(command));
        }
    }
}
