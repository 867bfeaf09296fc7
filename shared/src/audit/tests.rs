use proptest::prelude::*;

use super::*;
use crate::model::{SensorId, TenantId};
use crate::process::SeededRng;

fn tenant() -> ChainOwner {
    ChainOwner::Tenant(TenantId::random(&SeededRng::new(1)))
}

fn record(seq: u64, text: &str) -> ChainRecord<String> {
    ChainRecord {
        seq,
        at_ms: 1_800_000_000_000 + i64::try_from(seq).unwrap(),
        actor: format!("token:{text}"),
        action: "registry.add".to_owned(),
        object: format!("registry:{seq}"),
        outcome: "info".to_owned(),
        details: format!("{{\"n\":{seq}}}"),
    }
}

fn log(length: u64) -> Vec<LinkedRecord<String>> {
    let mut head = tenant().genesis();
    (1..=length)
        .map(|seq| {
            let linked = record(seq, "t").linked(&head);
            head = linked.head();
            linked
        })
        .collect()
}

fn fault_of(records: Vec<LinkedRecord<String>>, known: AuditHead) -> ChainFault {
    let verifier = ChainVerifier::new(tenant()).through(known);
    verifier.verify(records).unwrap_err()
}

fn fault(seq: u64, kind: ChainFaultKind) -> ChainFault {
    ChainFault { seq, kind }
}

#[test]
fn t47_the_hash_of_a_record_never_changes_between_releases() {
    let owner = ChainOwner::Tenant(TenantId::from_slice(&[7; 16]).unwrap());
    let linked = record(1, "t").linked(&owner.genesis());
    // From an independent computation of what `canonical` and `genesis` document.
    let expected = independent_hash(&linked.record, 1, [7; 16]);
    assert_eq!(linked.hash.to_string(), expected);
}

/// The documented encoding, written out once more by hand.
fn independent_hash(record: &ChainRecord<String>, kind: u8, id: [u8; 16]) -> String {
    use crate::model::Digest;
    let sha = |bytes: &[u8]| match Digest::sha256_of(bytes) {
        Digest::Sha256(hash) => hash,
        other => panic!("{other}"),
    };
    let mut genesis = b"portolan audit genesis v1\0".to_vec();
    genesis.push(kind);
    genesis.extend(id);
    let mut canonical = Vec::new();
    canonical.extend(record.seq.to_be_bytes());
    canonical.extend(record.at_ms.to_be_bytes());
    for text in [&record.actor, &record.action, &record.object, &record.outcome] {
        canonical.extend((text.len() as u64).to_be_bytes());
        canonical.extend(text.as_bytes());
    }
    canonical.extend(sha(record.details.as_bytes()));
    let mut bytes = b"portolan audit record v1\0".to_vec();
    bytes.extend(sha(&canonical));
    bytes.extend(sha(&genesis));
    AuditHash(sha(&bytes)).to_string()
}

#[test]
fn logs_of_different_owners_never_pass_for_each_other() {
    let id = [7; 16];
    let tenant = ChainOwner::Tenant(TenantId::from_slice(&id).unwrap());
    let sensor = ChainOwner::Sensor(SensorId::from_slice(&id).unwrap());
    let first = record(1, "t").linked(&tenant.genesis());
    assert!(ChainVerifier::new(tenant).verify([first.clone()]).is_ok());
    let refused = ChainVerifier::new(sensor).verify([first]).unwrap_err();
    assert_eq!(refused, fault(1, ChainFaultKind::Unlinked));
}

#[test]
fn t47_a_log_that_was_rewritten_as_a_whole_contradicts_what_was_seen_before() {
    let seen = log(5)[3].head();
    let mut head = tenant().genesis();
    let forged: Vec<_> = (1..=5)
        .map(|seq| {
            let text = if seq == 2 { "somebody-else" } else { "t" };
            let linked = record(seq, text).linked(&head);
            head = linked.head();
            linked
        })
        .collect();
    assert!(ChainVerifier::new(tenant()).verify(forged.clone()).is_ok());
    assert_eq!(fault_of(forged, seen), fault(4, ChainFaultKind::Rewritten));
}

#[test]
fn an_alteration_with_its_own_hash_mended_breaks_the_link_behind_it() {
    let mut records = log(5);
    records[1].record.actor = "token:somebody-else".to_owned();
    records[1].hash = records[1].record.hash_after(&records[1].prev_hash);
    let end = log(5)[4].head();
    assert_eq!(fault_of(records, end), fault(3, ChainFaultKind::Unlinked));
}

#[test]
fn t47_digests_lead_from_one_head_to_another_and_no_others_do() {
    let records = log(5);
    let digests: Vec<AuditHash> = records[2..].iter().map(|linked| linked.record.digest()).collect();
    let (from, to) = (records[1].head(), records[4].head());
    assert_eq!(from.after(&digests), to);
    assert_eq!(from.after(&[]), from);
    assert_ne!(from.after(&digests[1..]), to, "one is missing");
    let mut swapped = digests.clone();
    swapped.swap(0, 1);
    assert_ne!(from.after(&swapped), to);
    let forged = AuditHead {
        hash: AuditHash([0; 32]),
        ..from
    };
    assert_ne!(forged.after(&digests), to, "nor from elsewhere");
}

#[test]
fn checkpoints_are_signed_for_one_owner_and_place() {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    let pair = Ed25519KeyPair::generate().unwrap();
    let at = jiff::Timestamp::UNIX_EPOCH;
    let checkpoint = Checkpoint::of(tenant(), &log(3)[2].head(), at);
    let signed = SignedCheckpoint {
        checkpoint,
        signature: pair.sign(&checkpoint.signing_bytes()).as_ref().to_vec(),
        key: pair.public_key().as_ref().to_vec(),
    };
    signed.verify().unwrap();
    let json = serde_json::to_string(&signed).unwrap();
    assert_eq!(serde_json::from_str::<SignedCheckpoint>(&json).unwrap(), signed);
    for changed in [
        Checkpoint { seq: 4, ..checkpoint },
        Checkpoint {
            at_ms: 1,
            ..checkpoint
        },
        Checkpoint {
            hash: AuditHash([0; 32]),
            ..checkpoint
        },
        Checkpoint {
            owner: ChainOwner::Sensor(SensorId::from_slice(&[1; 16]).unwrap()),
            ..checkpoint
        },
    ] {
        let forged = SignedCheckpoint {
            checkpoint: changed,
            ..signed.clone()
        };
        assert_eq!(forged.verify(), Err(CheckpointError { seq: changed.seq }));
    }
}

proptest! {
    #[test]
    fn t47_one_record_deleted_altered_swapped_or_cut_off_is_named(length in 2u64..40, pick in any::<prop::sample::Index>(), field in 0usize..7) {
        let records = log(length);
        let end = records.last().unwrap().head();
        let at = pick.index(records.len());
        let seq = at as u64 + 1;
        prop_assert_eq!(ChainVerifier::new(tenant()).through(end).verify(records.clone()), Ok(end));

        let mut deleted = records.clone();
        deleted.remove(at);
        let kind = if seq == length { ChainFaultKind::Truncated { known: length } } else { ChainFaultKind::Gap };
        prop_assert_eq!(fault_of(deleted, end), fault(seq, kind));

        let mut altered = records.clone();
        let record = &mut altered[at].record;
        match field {
            0 => record.at_ms += 1,
            1 => record.actor.push('x'),
            2 => record.action.push('x'),
            3 => record.object.push('x'),
            4 => record.outcome.push('x'),
            5 => record.details.push(' '),
            // The border between two texts.
            _ => { let moved = record.actor.pop().unwrap(); record.action.insert(0, moved); }
        }
        prop_assert_eq!(fault_of(altered, end), fault(seq, ChainFaultKind::Altered));

        let mut cut = records.clone();
        cut.truncate(at);
        prop_assert_eq!(fault_of(cut, end), fault(seq, ChainFaultKind::Truncated { known: length }));

        if at + 1 < records.len() {
            let mut swapped = records.clone();
            swapped.swap(at, at + 1);
            prop_assert_eq!(fault_of(swapped, end), fault(seq, ChainFaultKind::Reordered));
            // Their contents exchanged, their numbers left in order.
            let mut exchanged = records;
            exchanged.swap(at, at + 1);
            exchanged[at].record.seq = seq;
            exchanged[at + 1].record.seq = seq + 1;
            prop_assert_eq!(fault_of(exchanged, end), fault(seq, ChainFaultKind::Altered));
        }
    }
}
