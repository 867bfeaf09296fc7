//! What follows a restore of the control plane: refused until a person says so, and then witnessed again.

use std::sync::Arc;

use aws_lc_rs::signature::Ed25519KeyPair;
use portolan_shared::model::{SensorId, TenantId};
use portolan_shared::process::{ManualClock, SeededRng};

use super::witness_tests::Scene;
use super::*;

/// A sensor that keeps the checkpoint at record 10, after the control plane was set back to record 6 and has gone on to 8: refused.
fn restored() -> Scene {
    let (mut scene, witness) = Scene::new();
    scene.plane.digests.truncate(6);
    scene.plane.grow("b", 2);
    let refused = witness.take(8, &[], Some(scene.plane.signed()));
    assert_eq!(refused, Err(CheckpointRefused::Backwards));
    scene
}

impl Scene {
    fn log(&self) -> Arc<AuditLog> {
        let clock = Arc::new(ManualClock::at_unix_seconds(0));
        AuditLog::open(self.folder.path(), SensorId::random(&SeededRng::new(2)), clock).unwrap()
    }

    fn accept(&self, hash: &str) -> Result<Accepted, NotAccepted> {
        accept_checkpoint(self.folder.path(), self.plane.tenant, &self.log(), hash)
    }

    fn hash(&self) -> String {
        self.plane.head().hash.to_string()
    }

    fn records(&self, action: &str) -> usize {
        let files = files_in(&self.folder.path().join(FOLDER));
        let lines = files.iter().flat_map(|file| file.lines().unwrap());
        lines
            .filter(|line| matches!(line, Ok(Read::Record(linked)) if linked.record.action == action))
            .count()
    }
}

#[test]
fn t47_a_restored_control_plane_is_witnessed_again_once_the_administrator_says_so() {
    let mut scene = restored();
    let hash = scene.hash();
    let accepted = scene.accept(&hash[..12].to_uppercase()).unwrap();
    assert_eq!(accepted.head, scene.plane.head());
    assert_eq!(accepted.instead_of.unwrap().seq, 10);
    assert_eq!(scene.records("checkpoint.accepted"), 1);
    for file in &accepted.aside {
        assert!(
            !std::fs::read_to_string(file).unwrap().is_empty(),
            "nothing is lost: {}",
            file.display()
        );
    }
    let witness = scene.open();
    assert_eq!((witness.kept(), witness.refused()), (8, None));
    assert!(witness.warning().is_none());
    scene.plane.grow("b", 5);
    let digests = scene.plane.digests[8..].to_vec();
    assert_eq!(witness.take(8, &digests, Some(scene.plane.signed())), Ok(()));
    assert_eq!(witness.kept(), 13);
    // It is as strict as before.
    scene.plane.digests.truncate(9);
    assert_eq!(
        witness.take(9, &[], Some(scene.plane.signed())),
        Err(CheckpointRefused::Backwards)
    );
}

#[test]
fn a_control_plane_with_another_key_can_be_accepted_too() {
    let (mut scene, witness) = Scene::new();
    scene.plane.grow("a", 1);
    let other = Ed25519KeyPair::generate().unwrap();
    let last = scene.plane.digests[10..].to_vec();
    assert_eq!(
        witness.take(10, &last, Some(scene.plane.signed_by(&other))),
        Err(CheckpointRefused::Signature)
    );
    drop(witness);
    scene.accept(&scene.hash()).unwrap();
    let witness = scene.open();
    scene.plane.grow("a", 1);
    let last = scene.plane.digests[11..].to_vec();
    assert_eq!(
        witness.take(11, &last, Some(scene.plane.signed())),
        Err(CheckpointRefused::Signature),
        "from now on the other one alone"
    );
    assert_eq!(
        witness.take(11, &last, Some(scene.plane.signed_by(&other))),
        Ok(())
    );
}

#[test]
fn what_was_not_refused_is_not_accepted() {
    let (scene, _) = Scene::new();
    assert!(matches!(scene.accept(&scene.hash()), Err(NotAccepted::Nothing)));
    let scene = restored();
    let hash = scene.hash();
    for wrong in ["", &hash[..11], "000000000000", &format!("{hash}0")] {
        let Err(NotAccepted::NoSuch { refused }) = scene.accept(wrong) else {
            panic!("{wrong:?} was accepted");
        };
        assert_eq!(refused, [scene.plane.head()], "they are named");
    }
    assert_eq!(scene.open().kept(), 10);
    assert_eq!(scene.records("checkpoint.accepted"), 0);
}

#[test]
fn t47_what_nobody_signed_or_is_of_another_tenant_is_never_accepted() {
    let (mut scene, witness) = Scene::new();
    scene.plane.digests.truncate(8);
    let mut forged = scene.plane.signed();
    forged.signature[0] ^= 1;
    assert!(witness.take(8, &[], Some(forged)).is_err());
    drop(witness);
    assert!(matches!(
        scene.accept(&scene.hash()),
        Err(NotAccepted::Forged { seq: 8 })
    ));

    let (mut scene, witness) = Scene::new();
    let own = scene.plane.tenant;
    scene.plane.tenant = TenantId::random(&SeededRng::new(8));
    assert!(witness.take(10, &[], Some(scene.plane.signed())).is_err());
    let hash = scene.hash();
    scene.plane.tenant = own;
    drop(witness);
    assert!(matches!(scene.accept(&hash), Err(NotAccepted::Forged { .. })));
}

#[test]
fn an_acceptance_that_broke_off_is_ended_by_doing_it_again() {
    let scene = restored();
    let evidence = scene.folder.path().join(FOLDER).join("refused-checkpoints.jsonl");
    let refused = std::fs::read(&evidence).unwrap();
    scene.accept(&scene.hash()).unwrap();
    // Everything was done but the last step.
    std::fs::write(&evidence, refused).unwrap();
    assert!(scene.open().warning().is_some());
    scene.accept(&scene.hash()).unwrap();
    let witness = scene.open();
    assert_eq!((witness.kept(), witness.refused()), (8, None));
}
