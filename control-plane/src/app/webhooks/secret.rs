//! The secrets by which messages are signed.

use data_encoding::BASE64;
use jiff::{SignedDuration, Timestamp};
use portolan_shared::events::{WebhookSecret, sign_standard};
use portolan_shared::model::{TenantId, WebhookId};
use portolan_shared::secret::Secret;
use portolan_store::WebhookRecord;

use crate::app::Pepper;

/// How long the secret before the present one signs too.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// Keeps these secrets apart from all others that follow from the same key.
const PURPOSE: &str = "webhook out";

/// What messages to a webhook are signed with.
#[derive(Debug)]
pub struct SigningKeys {
    /// The present secret, `whsec_…`.
    pub current: WebhookSecret,
    /// When it was made.
    pub since: Timestamp,
    /// The one before it, which signs too until then.
    pub previous: Option<(WebhookSecret, Timestamp)>,
}

impl SigningKeys {
    /// The secrets of a webhook at this time.
    pub(super) fn of(pepper: &Pepper, record: &WebhookRecord, now: Timestamp) -> Self {
        let derived = |number| derived(pepper, record.tenant, record.id, number);
        let until = record
            .secret_since
            .saturating_add(OVERLAP)
            .unwrap_or(Timestamp::MAX);
        let previous = record.secret_no.checked_sub(1).filter(|number| *number > 0);
        Self {
            current: derived(record.secret_no),
            since: record.secret_since,
            previous: previous
                .filter(|_| now < until)
                .map(|number| (derived(number), until)),
        }
    }

    /// The value of `webhook-signature`: an entry of each secret that is good at present.
    pub(super) fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let mut entries = sign_standard(&self.current, id, at, body);
        if let Some((previous, _)) = &self.previous {
            entries.push(' ');
            entries.push_str(&sign_standard(previous, id, at, body));
        }
        entries
    }
}

/// A secret follows from the pepper, the webhook's id and its number: it is stored nowhere, and whoever has only the database does not have it.
fn derived(pepper: &Pepper, tenant: TenantId, webhook: WebhookId, number: u32) -> WebhookSecret {
    let mut named = [0; 36];
    named[..16].copy_from_slice(tenant.as_bytes());
    named[16..32].copy_from_slice(webhook.as_bytes());
    named[32..].copy_from_slice(&number.to_be_bytes());
    let text = format!("whsec_{}", BASE64.encode(&pepper.hash(PURPOSE, &named).0));
    WebhookSecret::new(Secret::new(text)).expect("32 bytes in base64 are a key within all bounds")
}
