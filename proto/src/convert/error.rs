//! Errors with a reason: the one table between reasons and gRPC codes.

use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::model::{Reason, printable};
use prost::Message as _;
use tonic::metadata::{BinaryMetadataKey, BinaryMetadataValue};
use tonic::{Code, Status};

use crate::v1;

/// Name of the binary trailer that carries a [`v1::ErrorDetail`].
pub const ERROR_TRAILER: &str = "portolan-error-bin";

/// An error that the control plane gave on purpose. An error that is not one of these came from somewhere in between, or from a crash,
/// and must not change any state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// When to come back, if the control plane says so.
    pub retry_after: Option<Duration>,
    /// The control plane's clock.
    pub server_time: Timestamp,
    /// For finding the case in the control plane's log.
    pub request_id: String,
    /// For people.
    pub text: String,
}

/// Longest wait that a peer may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

impl Refusal {
    /// The gRPC code of a reason.
    #[must_use]
    pub fn code(reason: Reason) -> Code {
        match reason {
            Reason::TokenInvalid
            | Reason::TokenAlreadyBound
            | Reason::CertificateExpired
            | Reason::CertificateNotCurrent => Code::Unauthenticated,
            Reason::SensorRevoked
            | Reason::SensorSuspended
            | Reason::SensorQuarantined
            | Reason::IdentityConflict
            | Reason::NeedsApproval
            | Reason::IdentityUnknown
            | Reason::CredentialRefused
            | Reason::Policy => Code::PermissionDenied,
            Reason::Overloaded | Reason::Draining | Reason::SlowConsumer | Reason::StorageUnavailable => {
                Code::Unavailable
            }
            Reason::StaleSession | Reason::StaleAttempt => Code::Aborted,
            Reason::MessageTooLarge | Reason::ProtocolViolation => Code::InvalidArgument,
            Reason::VersionUnsupported => Code::FailedPrecondition,
            Reason::Unsupported => Code::Unimplemented,
            Reason::Cancelled => Code::Cancelled,
            Reason::Internal => Code::Internal,
        }
    }

    /// As a gRPC status with its detail.
    #[must_use]
    pub fn into_status(self) -> Status {
        let detail = v1::ErrorDetail {
            reason: v1::Reason::from(self.reason).into(),
            retry_after_ms: self
                .retry_after
                .map_or(0, |wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)),
            server_time_ms: self.server_time.as_millisecond(),
            request_id: self.request_id,
            text: self.text.clone(),
        };
        let mut status = Status::new(Self::code(self.reason), self.text);
        let key = BinaryMetadataKey::from_static(ERROR_TRAILER);
        status
            .metadata_mut()
            .insert_bin(key, BinaryMetadataValue::from_bytes(&detail.encode_to_vec()));
        status
    }

    /// The refusal in a gRPC status; none if the status did not come from the control plane itself.
    #[must_use]
    pub fn in_status(status: &Status) -> Option<Self> {
        let bytes = status.metadata().get_bin(ERROR_TRAILER)?.to_bytes().ok()?;
        let detail = v1::ErrorDetail::decode(bytes).ok()?;
        Some(Self {
            reason: Reason::try_from(detail.reason()).ok()?,
            retry_after: (detail.retry_after_ms > 0)
                .then(|| Duration::from_millis(detail.retry_after_ms.into()).min(LONGEST_WAIT)),
            server_time: Timestamp::from_millisecond(detail.server_time_ms).ok()?,
            request_id: printable(&detail.request_id, 64),
            text: printable(&detail.text, 256),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_survive_the_wire_and_strangers_have_none() {
        for reason in Reason::ALL {
            let refusal = Refusal {
                reason: *reason,
                retry_after: Some(Duration::from_secs(7)),
                server_time: Timestamp::from_second(1_800_000_000).unwrap(),
                request_id: "r".into(),
                text: "t".into(),
            };
            assert_eq!(Refusal::in_status(&refusal.clone().into_status()), Some(refusal));
        }
        assert_eq!(
            Refusal::in_status(&Status::permission_denied("a proxy says no")),
            None
        );
    }
}
