use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use portolan_shared::audit::{AuditHash, AuditHead, ChainOwner, ChainRecord, Checkpoint, SignedCheckpoint};
use portolan_shared::model::{SensorId, TenantId, limits};
use portolan_shared::process::{ManualClock, SeededRng};

use super::{AuditLog, CheckpointRefused, FOLDER, Rate, Read, Witness, files_in};

/// A control plane's log, of which digests are known.
pub(super) struct Plane {
    pub(super) tenant: TenantId,
    pair: Ed25519KeyPair,
    pub(super) digests: Vec<AuditHash>,
}

impl Plane {
    fn new() -> Self {
        let mut plane = Self {
            tenant: TenantId::random(&SeededRng::new(1)),
            pair: Ed25519KeyPair::generate().unwrap(),
            digests: Vec::new(),
        };
        plane.grow("a", 10);
        plane
    }

    pub(super) fn grow(&mut self, actor: &str, records: usize) {
        for _ in 0..records {
            let record = ChainRecord {
                seq: self.digests.len() as u64 + 1,
                at_ms: 0,
                actor,
                action: "x",
                object: "y",
                outcome: "info",
                details: "{}",
            };
            self.digests.push(record.digest());
        }
    }

    pub(super) fn head(&self) -> AuditHead {
        ChainOwner::Tenant(self.tenant).genesis().after(&self.digests)
    }

    pub(super) fn signed(&self) -> SignedCheckpoint {
        self.signed_by(&self.pair)
    }

    pub(super) fn signed_by(&self, pair: &Ed25519KeyPair) -> SignedCheckpoint {
        let owner = ChainOwner::Tenant(self.tenant);
        let checkpoint = Checkpoint::of(owner, &self.head(), jiff::Timestamp::UNIX_EPOCH);
        SignedCheckpoint {
            signature: pair.sign(&checkpoint.signing_bytes()).as_ref().to_vec(),
            key: pair.public_key().as_ref().to_vec(),
            checkpoint,
        }
    }
}

pub(super) struct Scene {
    pub(super) folder: tempfile::TempDir,
    pub(super) plane: Plane,
}

impl Scene {
    /// A sensor that keeps the checkpoint at record 10.
    pub(super) fn new() -> (Self, Arc<Witness>) {
        let scene = Self {
            folder: tempfile::tempdir().unwrap(),
            plane: Plane::new(),
        };
        let witness = scene.open();
        assert_eq!(witness.take(10, &[], Some(scene.plane.signed())), Ok(()));
        assert_eq!(witness.kept(), 10);
        (scene, witness)
    }

    pub(super) fn open(&self) -> Arc<Witness> {
        let sensor = SensorId::random(&SeededRng::new(2));
        let clock = Arc::new(ManualClock::at_unix_seconds(0));
        let log = AuditLog::open(self.folder.path(), sensor, clock).unwrap();
        Witness::open(self.folder.path(), self.plane.tenant, log).unwrap()
    }

    fn refusals_recorded(&self) -> usize {
        let files = files_in(&self.folder.path().join(FOLDER));
        let lines = files.iter().flat_map(|file| file.lines().unwrap());
        lines
            .filter(|line| matches!(line, Ok(Read::Record(linked)) if linked.record.action == "checkpoint.refused"))
            .count()
    }
}

#[test]
fn checkpoints_beyond_what_is_kept_as_evidence_do_not_fill_the_log() {
    let (mut scene, witness) = Scene::new();
    let foreign = Ed25519KeyPair::generate().unwrap();
    for _ in 0..500 {
        scene.plane.grow("b", 1);
        let signed = scene.plane.signed_by(&foreign);
        assert_eq!(
            witness.take(10, &[], Some(signed)),
            Err(CheckpointRefused::Signature)
        );
    }
    let at_once = Rate::SAID.at_once as usize;
    assert!(at_once > limits::AUDIT_EVIDENCE);
    assert_eq!(scene.refusals_recorded(), at_once);
    assert_eq!(
        witness.take(10, &[], Some(scene.plane.signed())),
        Err(CheckpointRefused::Rewritten)
    );
    assert_eq!(scene.refusals_recorded(), at_once + 1, "another kind of refusal");
}

#[test]
fn a_checkpoint_that_extends_the_one_before_is_kept_also_over_several_messages_and_restarts() {
    let (mut scene, witness) = Scene::new();
    scene.plane.grow("a", 7);
    let digests = &scene.plane.digests;
    assert_eq!(witness.take(10, &digests[10..13], None), Ok(()));
    assert_eq!(
        witness.take(13, &digests[13..], Some(scene.plane.signed())),
        Ok(())
    );
    assert_eq!(witness.kept(), 17);
    drop(witness);
    let witness = scene.open();
    assert_eq!(witness.kept(), 17);
    assert_eq!(
        witness.take(17, &[], Some(scene.plane.signed())),
        Ok(()),
        "the same again is fine"
    );
    scene.plane.grow("b", 1);
    let last = [*scene.plane.digests.last().unwrap()];
    assert_eq!(witness.take(17, &last, Some(scene.plane.signed())), Ok(()));
    assert!(witness.refused().is_none() && witness.warning().is_none());
}

#[test]
fn t47_a_checkpoint_of_a_log_that_was_changed_is_refused_and_told_until_it_is_cleared_up() {
    type Change = fn(&mut Plane);
    let cases: [(Change, CheckpointRefused); 5] = [
        // A record that the sensor's checkpoint covers was altered, and everything behind it made to fit.
        (
            |plane| {
                plane.digests[4] = AuditHash([7; 32]);
                plane.grow("a", 3);
            },
            CheckpointRefused::Rewritten,
        ),
        // The same, and nothing was appended since.
        (
            |plane| plane.digests[4] = AuditHash([7; 32]),
            CheckpointRefused::Rewritten,
        ),
        // One was deleted, and the others moved up.
        (
            |plane| {
                plane.digests.remove(2);
                plane.grow("a", 5);
            },
            CheckpointRefused::Rewritten,
        ),
        (|plane| plane.digests.truncate(8), CheckpointRefused::Backwards),
        (
            |plane| plane.tenant = TenantId::random(&SeededRng::new(8)),
            CheckpointRefused::Owner,
        ),
    ];
    for (change, why) in cases {
        let (mut scene, witness) = Scene::new();
        change(&mut scene.plane);
        let digests = scene.plane.digests.get(10..).unwrap_or_default().to_vec();
        for _ in 0..2 {
            assert_eq!(witness.take(10, &digests, Some(scene.plane.signed())), Err(why));
        }
        assert_eq!(witness.kept(), 10, "what was seen stays");
        assert_eq!(witness.refused(), Some(scene.plane.head().seq));
        assert_eq!(scene.refusals_recorded(), 1, "once");
        drop(witness);
        let again = scene.open();
        let warning = again.warning().unwrap();
        assert!(warning.contains("not what it was"), "also after a restart");
        let way_out = format!("accept-checkpoint {}", scene.plane.head().hash);
        assert!(warning.contains(&way_out), "{warning}");
        std::fs::remove_file(scene.folder.path().join(FOLDER).join("refused-checkpoints.jsonl")).unwrap();
        drop(again);
        assert!(scene.open().warning().is_none());
    }
}

#[test]
fn t47_a_checkpoint_by_another_key_or_with_records_missing_is_refused() {
    let (mut scene, witness) = Scene::new();
    scene.plane.grow("a", 4);
    let digests = scene.plane.digests[10..].to_vec();
    let stranger = Ed25519KeyPair::generate().unwrap();
    let refused = witness.take(10, &digests, Some(scene.plane.signed_by(&stranger)));
    assert_eq!(refused, Err(CheckpointRefused::Signature));
    let mut unsigned = scene.plane.signed();
    unsigned.signature[0] ^= 1;
    assert_eq!(
        witness.take(10, &digests, Some(unsigned)),
        Err(CheckpointRefused::Signature)
    );
    for (after, digests) in [(10, &digests[1..]), (11, &digests[1..]), (10, &[])] {
        let refused = witness.take(after, digests, Some(scene.plane.signed()));
        assert_eq!(refused, Err(CheckpointRefused::Rewritten), "{after}");
    }
    assert_eq!(
        witness.take(10, &digests, Some(scene.plane.signed())),
        Ok(()),
        "and then the right one"
    );
}

#[test]
fn what_a_broken_session_had_brought_spoils_nothing_of_the_next_one() {
    let (mut scene, witness) = Scene::new();
    scene.plane.grow("a", 7);
    let digests = &scene.plane.digests;
    assert_eq!(witness.take(10, &digests[10..13], None), Ok(()));
    assert_eq!(
        witness.take(10, &digests[10..], Some(scene.plane.signed())),
        Ok(()),
        "the next one begins at what is kept"
    );
    assert!(witness.refused().is_none());
}

#[test]
fn a_control_plane_that_shows_no_checkpoint_for_a_day_is_told_of_while_it_is_connected() {
    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);
    let (scene, witness) = Scene::new();
    let signed_at = jiff::Timestamp::UNIX_EPOCH;
    let after = |age: Duration, connected| witness.silence(signed_at + age, connected, DAY * 9);
    assert!(after(DAY, MINUTE * 15).is_none());
    let told = after(DAY + Duration::from_millis(1), MINUTE * 15).unwrap();
    assert!(told.contains("1970-01-01T00:00:00Z"), "{told}");
    assert!(
        after(DAY * 3, MINUTE * 14).is_none(),
        "whoever was away gets one with the next round"
    );
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_unix_seconds(0));
    let log = AuditLog::open(folder.path(), SensorId::random(&SeededRng::new(2)), clock).unwrap();
    let none = Witness::open(folder.path(), scene.plane.tenant, log).unwrap();
    assert!(none.silence(signed_at, MINUTE * 15, DAY).is_none());
    assert!(none.silence(signed_at, MINUTE * 15, DAY + MINUTE).is_some());
}
