//! Entries of the audit log about machines, which are no callers of the API.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use portolan_store::{AuditEntry, AuditSeverity, Certificate};
use serde_json::Value;

/// Details that name the certificate that was issued, so that the log says of every certificate whose it is.
pub(super) fn issued(certificate: &Certificate, mut details: Value) -> Value {
    details["serial"] = HEXLOWER.encode(&certificate.serial).into();
    details["not_after"] = certificate.not_after.to_string().into();
    details
}

/// An entry.
pub(super) fn entry(
    at: Timestamp,
    actor: String,
    action: &str,
    object: String,
    severity: AuditSeverity,
    details: Value,
) -> AuditEntry {
    AuditEntry {
        at,
        actor,
        action: action.to_owned(),
        object,
        severity,
        details,
    }
}
