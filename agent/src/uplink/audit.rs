//! What is said of audit logs, on its way between messages and their meaning; and what is recorded of messages that have none here.

use portolan_proto::v1;
use portolan_shared::audit::{AuditHash, AuditHead, ChainOwner, Checkpoint, SignedCheckpoint};
use portolan_shared::model::limits;
use serde_json::json;

use crate::audit::{Entry, Outcome, Rate, Witness};

/// What a heartbeat says.
pub(super) fn state(witness: &Witness) -> v1::AuditState {
    let head = witness.own_head();
    v1::AuditState {
        seq: head.seq,
        hash: head.hash.0.to_vec().into(),
        checkpoint_seq: witness.kept(),
        refused_checkpoint_seq: witness.refused().unwrap_or(0),
    }
}

/// The answer to what the control plane asked last, if there is one.
pub(super) fn leads(witness: &Witness) -> Option<v1::AuditLeads> {
    let leads = witness.own_log().leads()?;
    Some(v1::AuditLeads {
        after_seq: leads.after,
        nowhere: leads.digests.is_none(),
        digests: leads
            .digests
            .unwrap_or_default()
            .iter()
            .flat_map(|digest| digest.0)
            .collect::<Vec<u8>>()
            .into(),
    })
}

/// The control plane wants to be led from there. What is malformed is no question.
pub(super) fn asked(witness: &Witness, known: &v1::AuditKnown) {
    if let Ok(hash) = AuditHash::from_slice(&known.hash) {
        witness.own_log().ask(AuditHead { seq: known.seq, hash });
    }
}

/// Hands a checkpoint to the witness, or a part of what leads to it. What is malformed is no part of anything.
pub(super) fn hear(witness: &Witness, message: &v1::AuditCheckpoint) {
    let Some((digests, signed)) = read(witness, message) else {
        tracing::error!("a checkpoint of the control plane's audit log is malformed");
        return;
    };
    if witness.take(message.after_seq, &digests, signed).is_ok() {
        tracing::debug!(
            kept = witness.kept(),
            "a checkpoint of the control plane's audit log"
        );
    }
}

/// Records a message of a kind that this build does not know: a command of a later control plane, perhaps. Nothing follows from it, and nothing
/// answers it: an answer names an attempt or a probe, and what this one is about cannot be read.
pub(super) fn unknown(witness: &Witness, epoch: u64, seq: u64) {
    let details = json!({"message": seq, "why": "of a kind that this version does not know"});
    let entry = Entry::by_control_plane("message.unknown", format!("session:{epoch}"), details);
    let log = witness.own_log();
    log.append_paced(Rate::SAID, "", entry.with(Outcome::Refused));
}

/// Records a message that was larger than any may be. It was not read, and its session is over.
pub(super) fn oversized(witness: &Witness, epoch: u64) {
    let details = json!({"why": "larger than any message may be", "bytes": limits::SESSION_MESSAGE_BYTES});
    let entry = Entry::by_control_plane("message.oversized", format!("session:{epoch}"), details);
    let log = witness.own_log();
    log.append_paced(Rate::SAID, "", entry.with(Outcome::Refused));
}

fn read(
    witness: &Witness,
    message: &v1::AuditCheckpoint,
) -> Option<(Vec<AuditHash>, Option<SignedCheckpoint>)> {
    let (digests, rest) = message.digests.as_chunks::<32>();
    if !rest.is_empty() || digests.len() > limits::AUDIT_DIGESTS {
        return None;
    }
    let digests = digests.iter().copied().map(AuditHash).collect();
    let signed = match &message.head {
        None => None,
        Some(head) => Some(SignedCheckpoint {
            checkpoint: Checkpoint {
                owner: ChainOwner::Tenant(witness.tenant()),
                seq: head.seq,
                hash: AuditHash::from_slice(&head.hash).ok()?,
                at_ms: head.at_ms,
            },
            signature: head.signature.to_vec(),
            key: head.public_key.to_vec(),
        }),
    };
    Some((digests, signed))
}
