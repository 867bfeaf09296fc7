//! What is said of audit logs, on its way between messages and their meaning.

use portolan_proto::v1;
use portolan_shared::audit::{AuditHash, AuditHead, ChainOwner, Checkpoint, SignedCheckpoint};
use portolan_shared::model::limits;

use crate::audit::Witness;

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
