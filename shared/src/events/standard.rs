//! Standard Webhooks (specification of 2023, `standard-webhooks.md`): what is signed is the message's id, its time and its body.
//!
//! The symmetric form alone, `v1`: of the asymmetric one, `v1a`, nothing is known to send it here, and an entry of it verifies nothing.

use aws_lc_rs::{constant_time, hmac};
use data_encoding::BASE64;
use jiff::Timestamp;

use super::authenticate::NotAuthentic;
use super::{Headers, WebhookSecret};
use crate::model::limits;

pub(super) const ID: &str = "webhook-id";
pub(super) const TIMESTAMP: &str = "webhook-timestamp";
pub(super) const SIGNATURE: &str = "webhook-signature";

/// What an entry that we understand begins with.
const SCHEME: &str = "v1,";

/// The value of `webhook-signature` for a message with this `webhook-id`, this `webhook-timestamp` (`at`, in whole seconds) and this body.
#[must_use]
pub fn sign_standard(secret: &WebhookSecret, id: &str, at: Timestamp, body: &[u8]) -> String {
    let tag = tag(secret, id, &at.as_second().to_string(), body);
    format!("{SCHEME}{}", BASE64.encode(tag.as_ref()))
}

fn tag(secret: &WebhookSecret, id: &str, timestamp: &str, body: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&secret.standard_key());
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    context.sign()
}

/// The value of `webhook-signature`, unless there is nothing in it.
pub(super) fn entries(headers: &dyn Headers) -> Option<&str> {
    headers.get(SIGNATURE).filter(|text| !text.trim().is_empty())
}

/// The id of a message that is signed so: the same at each delivery.
pub(super) fn message(headers: &dyn Headers) -> Option<&str> {
    entries(headers).and_then(|_| headers.get(ID))
}

/// Whether one of the entries of `entries`, the value of `webhook-signature`, is ours, and made within the tolerance of `now`. That a signature
/// is right is found out first, so that only a genuine message is ever called stale.
pub(super) fn verify(
    secret: &WebhookSecret,
    entries: &str,
    headers: &dyn Headers,
    body: &[u8],
    now: Timestamp,
) -> Result<(), NotAuthentic> {
    let missing = |header| NotAuthentic::Incomplete { header };
    let id = headers.get(ID).ok_or(missing(ID))?;
    let timestamp = headers.get(TIMESTAMP).ok_or(missing(TIMESTAMP))?;
    let tag = tag(secret, id, timestamp, body);
    let is_ours = |entry: &str| {
        let claimed = entry
            .strip_prefix(SCHEME)
            .and_then(|text| BASE64.decode(text.as_bytes()).ok());
        claimed.is_some_and(|claimed| constant_time::verify_slices_are_equal(tag.as_ref(), &claimed).is_ok())
    };
    let mut entries = entries.split_ascii_whitespace().take(limits::WEBHOOK_SIGNATURES);
    if !entries.any(is_ours) {
        return Err(NotAuthentic::Signature { header: SIGNATURE });
    }
    let signed_at: i64 = timestamp.parse().map_err(|_| missing(TIMESTAMP))?;
    let off_by = now.as_second().saturating_sub(signed_at);
    if off_by.unsigned_abs() > limits::WEBHOOK_TOLERANCE_SECONDS.unsigned_abs() {
        return Err(NotAuthentic::Stale {
            off_by_seconds: off_by,
        });
    }
    Ok(())
}
