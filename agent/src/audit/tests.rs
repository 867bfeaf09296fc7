//! The log on a disk: whatever is done to it is named, and what cannot be recorded is not done.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portolan_shared::audit::{ChainFaultKind, Checkpoint, SignedCheckpoint};
use portolan_shared::model::SensorId;
use portolan_shared::process::{ManualClock, SeededRng};
use serde_json::json;
use tempfile::TempDir;

use super::folder::{Folder, path_of};
use super::*;
use crate::keyring::IdentityKey;

pub(super) struct Scene {
    folder: TempDir,
    pub(super) clock: Arc<ManualClock>,
    pub(super) sensor: SensorId,
    key: IdentityKey,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::new(ManualClock::at_unix_seconds(1_800_000_000)),
            sensor: SensorId::random(&SeededRng::new(4)),
            key: IdentityKey::generate().unwrap(),
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join(FOLDER)
    }

    pub(super) fn open(&self) -> Arc<AuditLog> {
        self.open_with(u64::MAX)
    }

    pub(super) fn open_with(&self, file_bytes: u64) -> Arc<AuditLog> {
        let mut folder = Folder::new(self.path());
        folder.file_bytes = file_bytes;
        AuditLog::open_in(folder, self.sensor, Arc::<ManualClock>::clone(&self.clock)).unwrap()
    }

    /// A log of ten records, the fifth of which is a checkpoint.
    pub(super) fn ten(&self) -> Arc<AuditLog> {
        let log = self.open();
        for i in 2..=10 {
            if i == 5 {
                self.sign(&log);
            } else {
                log.append(Entry::by_agent("test", format!("object:{i}"), json!({"i": i})));
            }
        }
        assert_eq!(log.head().seq, 10);
        log
    }

    fn sign(&self, log: &AuditLog) {
        log.sign(|checkpoint| self.signed(checkpoint));
    }

    pub(super) fn signed(&self, checkpoint: Checkpoint) -> SignedCheckpoint {
        SignedCheckpoint {
            signature: self.key.sign(&checkpoint.signing_bytes()),
            key: self.key.public_key().to_vec(),
            checkpoint,
        }
    }

    pub(super) fn verify(&self) -> Result<Verified, VerifyError> {
        verify_files(
            &files_in(&self.path()),
            Some((self.sensor, self.key.public_key())),
        )
    }

    /// Changes the lines of the current file by hand.
    pub(super) fn tamper(&self, change: impl FnOnce(&mut Vec<String>)) {
        let path = path_of(&self.path(), 0);
        let mut lines: Vec<String> = read(&path).lines().map(str::to_owned).collect();
        change(&mut lines);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(path, text).unwrap();
    }

    pub(super) fn actions(&self) -> Vec<String> {
        let lines = files_in(&self.path())
            .into_iter()
            .flat_map(|file| file.lines().unwrap());
        lines
            .map(|line| match line.unwrap() {
                Read::Record(linked) => linked.record.action,
                Read::Rubbish { .. } => "?".to_owned(),
            })
            .collect()
    }
}

pub(super) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn t47_lines_deleted_altered_exchanged_or_forged_are_named() {
    type Change = fn(&mut Vec<String>);
    let cases: [(Change, u64, ChainFaultKind); 5] = [
        (|lines| drop(lines.remove(3)), 4, ChainFaultKind::Gap),
        (
            |lines| lines[6] = lines[6].replace("object:7", "object:8"),
            7,
            ChainFaultKind::Altered,
        ),
        (|lines| lines.swap(6, 7), 7, ChainFaultKind::Reordered),
        (
            |lines| lines[9] = lines[9].replace("\\\"i\\\":10", "\\\"i\\\":11"),
            10,
            ChainFaultKind::Altered,
        ),
        (|lines| drop(lines.drain(1..3)), 2, ChainFaultKind::Gap),
    ];
    for (change, seq, kind) in cases {
        let scene = Scene::new();
        scene.ten();
        let sound = scene.verify().unwrap();
        assert_eq!((sound.records, sound.first, sound.checkpoints), (10, 1, 1));
        scene.tamper(change);
        match scene.verify().unwrap_err() {
            VerifyError::Chain { fault, .. } => assert_eq!((fault.seq, fault.kind), (seq, kind)),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn t47_a_line_that_is_no_record_and_a_checkpoint_of_somebody_else_are_named() {
    let scene = Scene::new();
    scene.ten();
    let other = SeededRng::new(9);
    let stranger = verify_files(
        &files_in(&scene.path()),
        Some((SensorId::random(&other), scene.key.public_key())),
    );
    assert_eq!(stranger.unwrap_err().seq(), Some(1), "it is another sensor's log");
    let key = IdentityKey::generate().unwrap();
    let forged = verify_files(&files_in(&scene.path()), Some((scene.sensor, key.public_key())));
    assert!(matches!(forged, Err(VerifyError::Checkpoint { seq: 5, .. })));
    scene.tamper(|lines| lines[2].truncate(20));
    assert_eq!(scene.verify().unwrap_err().seq(), Some(3));
}

#[test]
fn t47_a_log_that_was_cut_goes_back_and_so_is_noticed_by_whoever_knows_its_head() {
    let scene = Scene::new();
    let known = scene.ten().head();
    scene.tamper(|lines| lines.truncate(8));
    let cut = scene.open().head();
    assert!(scene.verify().is_ok() && cut.seq < known.seq);
}

#[test]
fn a_torn_last_line_is_removed_and_told_of() {
    for cut in [1, 30] {
        let scene = Scene::new();
        scene.ten();
        let path = path_of(&scene.path(), 0);
        let text = read(&path);
        fs::write(&path, &text[..text.len() - cut]).unwrap();
        let log = scene.open();
        assert_eq!(
            log.head().seq,
            10,
            "nine whole ones, and what tells of the torn one"
        );
        assert_eq!(scene.actions().last().unwrap(), "log.torn");
        scene.verify().unwrap();
        assert!(log.fault().is_none());
    }
}

#[test]
fn a_file_that_is_damaged_within_is_kept_and_a_new_one_says_so() {
    let scene = Scene::new();
    scene.ten();
    scene.tamper(|lines| lines[6] = "rubbish".to_owned());
    let damaged = read(&path_of(&scene.path(), 0));
    let log = scene.open();
    assert_eq!(read(&path_of(&scene.path(), 1)), damaged, "nothing of it is lost");
    assert_eq!(log.head().seq, 7, "it goes on behind what is sound");
    assert_eq!(scene.actions().last().unwrap(), "log.damaged");
    assert_eq!(scene.verify().unwrap_err().seq(), Some(7));
    log.append(Entry::by_agent("test", "object", json!({})));
    drop(log);
    assert_eq!(
        scene.open().head().seq,
        8,
        "and is opened again without another word"
    );
}

#[test]
fn files_are_rotated_linked_and_bounded() {
    let scene = Scene::new();
    let log = scene.open_with(2_000);
    for i in 0..100 {
        log.append(Entry::by_agent("test", format!("object:{i}"), json!({})));
    }
    let files = files_in(&scene.path());
    assert_eq!(files.len(), folder::FILES);
    for file in &files {
        assert!(fs::metadata(&file.0).unwrap().len() <= 2_000);
    }
    let verified = scene.verify().unwrap();
    assert!(verified.first > 1 && verified.head == log.head());
    let linking = read(&path_of(&scene.path(), 0));
    assert!(linking.lines().next().unwrap().contains("log.rotated"));
    drop(log);
    let before = verified.head;
    assert_eq!(scene.open_with(2_000).head(), before, "opening adds nothing");
    // A crash between the two halves of a rotation.
    fs::rename(path_of(&scene.path(), 0), path_of(&scene.path(), 1)).unwrap();
    assert_eq!(scene.open_with(2_000).head(), before);
}

#[test]
fn what_lies_there_is_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new();
    scene.ten();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path_of(&scene.path(), 0)), 0o600);
    assert_eq!(mode(&scene.path()), 0o700);
}
