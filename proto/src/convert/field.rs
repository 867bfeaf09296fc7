//! Ids, attempts, fences, reasons, findings.

use portolan_shared::model::{
    AttemptRef, Finding, FindingCode, HostFacts, IdError, Reason, RunId, printable,
};

use crate::v1;

/// A field of a message that is missing or not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field {field}: {why}")]
pub struct FieldError {
    /// Which field.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl FieldError {
    /// A field that is not acceptable.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over an error, or a text, that they have no more use for"
    )]
    pub fn new(field: &'static str, why: impl ToString) -> Self {
        Self {
            field,
            why: why.to_string(),
        }
    }

    /// A field that must not be missing.
    #[must_use]
    pub fn missing(field: &'static str) -> Self {
        Self {
            field,
            why: "is missing".to_owned(),
        }
    }
}

/// An id of any kind from its sixteen bytes: `id("sensor_id", &bytes, SensorId::from_slice)`.
pub fn id<T>(
    field: &'static str,
    bytes: &[u8],
    read: fn(&[u8]) -> Result<T, IdError>,
) -> Result<T, FieldError> {
    read(bytes).map_err(|error| FieldError::new(field, error))
}

impl From<AttemptRef> for v1::AttemptRef {
    fn from(attempt: AttemptRef) -> Self {
        Self {
            run_id: attempt.run.as_bytes().to_vec().into(),
            attempt: attempt.attempt,
        }
    }
}

impl TryFrom<&v1::AttemptRef> for AttemptRef {
    type Error = FieldError;

    fn try_from(wire: &v1::AttemptRef) -> Result<Self, FieldError> {
        if wire.attempt == 0 {
            return Err(FieldError::new("attempt.attempt", "must be at least 1"));
        }
        Ok(Self {
            run: id("attempt.run_id", &wire.run_id, RunId::from_slice)?,
            attempt: wire.attempt,
        })
    }
}

/// The attempt and session epoch of a fence.
pub fn fence(wire: Option<&v1::Fence>) -> Result<(AttemptRef, u64), FieldError> {
    let wire = wire.ok_or(FieldError::missing("fence"))?;
    let attempt = wire
        .attempt
        .as_ref()
        .ok_or(FieldError::missing("fence.attempt"))?;
    Ok((attempt.try_into()?, wire.session_epoch))
}

/// The protocol versions that a peer speaks, lowest and highest.
pub fn range(wire: Option<&v1::VersionRange>) -> Result<(u32, u32), FieldError> {
    let wire = wire.ok_or(FieldError::missing("protocol"))?;
    if wire.min == 0 || wire.min > wire.max {
        return Err(FieldError::new("protocol", "is not a range"));
    }
    Ok((wire.min, wire.max))
}

/// A finding for the wire.
#[must_use]
pub fn finding_to_wire(finding: &Finding) -> v1::Finding {
    v1::Finding {
        code: finding.code.as_str().to_owned(),
        seen: finding.seen.clone(),
        detail: finding.detail.clone().unwrap_or_default(),
    }
}

/// A finding from the wire. A code that this build does not know is kept readable as an internal one.
#[must_use]
pub fn finding(wire: &v1::Finding) -> Finding {
    let finding = match wire.code.parse::<FindingCode>() {
        Ok(code) => Finding::new(code, &wire.seen),
        Err(_) => Finding::new(FindingCode::Internal, &format!("{}: {}", wire.code, wire.seen)),
    };
    finding.with_detail(&wire.detail)
}

/// A finding that may be absent.
#[must_use]
pub fn optional_finding(wire: Option<&v1::Finding>) -> Option<Finding> {
    wire.map(finding)
}

impl From<HostFacts> for v1::HostFacts {
    fn from(host: HostFacts) -> Self {
        let HostFacts {
            hostname,
            os,
            architecture,
            agent_version,
        } = host;
        Self {
            hostname,
            os,
            architecture,
            agent_version,
        }
    }
}

impl From<&v1::HostFacts> for HostFacts {
    /// Texts are made printable and cut to 128 bytes: they are shown to people and decide nothing.
    fn from(wire: &v1::HostFacts) -> Self {
        let text = |text: &str| printable(text, 128);
        Self {
            hostname: text(&wire.hostname),
            os: text(&wire.os),
            architecture: text(&wire.architecture),
            agent_version: text(&wire.agent_version),
        }
    }
}

macro_rules! reasons {
    ($($name:ident,)*) => {
        impl From<Reason> for v1::Reason {
            fn from(reason: Reason) -> Self {
                match reason { $(Reason::$name => Self::$name,)* }
            }
        }

        impl TryFrom<v1::Reason> for Reason {
            type Error = FieldError;
            fn try_from(wire: v1::Reason) -> Result<Self, FieldError> {
                match wire {
                    v1::Reason::Unspecified => Err(FieldError::missing("reason")),
                    $(v1::Reason::$name => Ok(Self::$name),)*
                }
            }
        }
    };
}

reasons! {
    TokenInvalid, TokenAlreadyBound, CertificateExpired, CertificateNotCurrent, SensorRevoked, IdentityUnknown, Overloaded, Draining,
    SlowConsumer, StaleSession, StaleAttempt, MessageTooLarge, ProtocolViolation, VersionUnsupported, StorageUnavailable, Policy,
    Unsupported, Cancelled, Internal, SensorSuspended, SensorQuarantined, IdentityConflict, NeedsApproval, CredentialRefused,
}
