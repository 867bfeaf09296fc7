//! Telling others of changes.

use super::entry::Entry;
use crate::model::finding::code::{FindingCode, Severity};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: FindingCode::WebhookUndelivered,
        severity: Severity::Warning,
        product: None,
        symptom: "A webhook was not told of changes for more than an hour, although that was tried.",
        cause: "Its endpoint does not answer, refuses what it is sent, or is not where it was.",
        cure: "See with `portolan webhook deliveries WEBHOOK` what it answers, put that right, and try with `portolan webhook test WEBHOOK`. What it was not told of is sent then; after a day of trying it is disabled.",
    },
    Entry {
        code: FindingCode::WebhookDisabled,
        severity: Severity::Warning,
        product: None,
        symptom: "A webhook is not told of changes any more.",
        cause: "Its endpoint has said that it is gone, did not take a message for a day, or has fallen behind what is kept of history.",
        cure: "See with `portolan webhook deliveries WEBHOOK` what it answered. When it is well again, let it go on with `portolan webhook resume WEBHOOK`, and with `--skip` if what it was not told of is not kept any more (`forgotten`): it goes on from now then. If nobody needs it, take it away with `portolan webhook remove WEBHOOK`.",
    },
];
