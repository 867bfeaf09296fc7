//! Signing, rotating and syncing on a disk that does not always let them, and what others are told meanwhile.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use super::entry::action;
use super::folder::{FILES, path_of};
use super::keeper::sync;
use super::recording_tests::Full;
use super::tests::{Scene, read};
use super::verify::UNSIGNED;
use super::*;

fn entry(i: u64) -> Entry {
    Entry::by_agent("test", format!("object:{i}"), json!({}))
}

impl Scene {
    fn add(&self, log: &AuditLog, records: u64) {
        (0..records).for_each(|i| log.append(entry(i)));
    }

    fn sign_now(&self, log: &AuditLog) {
        log.sign(|checkpoint| self.signed(checkpoint));
    }
}

#[test]
fn a_checkpoint_for_which_a_new_file_is_begun_is_of_the_record_before_it() {
    let scene = Scene::new();
    let log = scene.open_with(2_000);
    let mut rotated_by_checkpoint = false;
    for i in 0..40 {
        log.append(entry(i));
        let files = files_in(&scene.path()).len();
        scene.sign_now(&log);
        let first: Vec<String> = read(&path_of(&scene.path(), 0))
            .lines()
            .map(str::to_owned)
            .collect();
        rotated_by_checkpoint |= first.len() == 2 && first[1].contains(action::CHECKPOINT);
        assert!(files_in(&scene.path()).len() >= files);
        scene.verify().unwrap();
    }
    assert!(rotated_by_checkpoint, "the case that this is about");
}

#[test]
fn t56_nothing_is_signed_while_records_wait_and_the_keeper_is_left_alone() {
    let scene = Scene::new();
    let log = scene.open();
    let (full, _) = Full::under(&log);
    scene.add(&log, 150);
    let woken = || {
        let mut wake = Box::pin(log.wake.notified());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        wake.as_mut().poll(&mut context).is_ready()
    };
    assert!(woken(), "it is time to sign");
    full.store(true, Ordering::SeqCst);
    scene.add(&log, 3);
    scene.sign_now(&log);
    log.retry();
    assert!(
        !woken(),
        "a full disk is tried once a second, and not in a circle"
    );
    full.store(false, Ordering::SeqCst);
    log.retry();
    scene.sign_now(&log);
    let verified = scene.verify().unwrap();
    assert_eq!(verified.signed + 1, log.head().seq);
    assert_eq!(log.unsigned(), 0);
}

#[test]
fn a_checkpoint_that_finds_the_disk_full_is_made_later() {
    let scene = Scene::new();
    let log = scene.open();
    let (full, _) = Full::under(&log);
    scene.add(&log, 5);
    full.store(true, Ordering::SeqCst);
    scene.sign_now(&log);
    assert!(log.fault().is_some());
    full.store(false, Ordering::SeqCst);
    scene.add(&log, 5);
    assert!(log.fault().is_none());
    scene.sign_now(&log);
    assert_eq!(scene.verify().unwrap().checkpoints, 1);
}

#[tokio::test]
async fn only_what_is_on_the_disk_is_told() {
    let scene = Scene::new();
    let log = scene.open();
    let begun = log.synced_head();
    scene.add(&log, 3);
    assert_eq!(log.synced_head(), begun, "a power cut would take them back");
    sync(&log).await;
    assert_eq!(log.synced_head(), log.head());
    scene.add(&log, 1);
    assert!(log.synced_head().seq < log.head().seq);
    let head = log.head();
    drop(log);
    assert_eq!(scene.open().synced_head(), head, "opening brings it there");
}

#[tokio::test]
async fn t56_a_sync_that_failed_is_a_fault_until_one_has_worked() {
    let scene = Scene::new();
    let log = scene.open();
    sync(&log).await;
    let known = log.synced_head();
    let (_, unsyncable) = Full::under(&log);
    unsyncable.store(true, Ordering::SeqCst);
    scene.add(&log, 2);
    sync(&log).await;
    assert!(log.fault().unwrap().contains("brought to the disk"));
    scene.add(&log, 1);
    assert!(log.fault().is_some(), "writing does not make it good");
    assert_eq!(log.synced_head(), known);
    unsyncable.store(false, Ordering::SeqCst);
    sync(&log).await;
    assert!(log.fault().is_none(), "what had failed was synced again");
    assert_eq!(log.synced_head(), log.head());
}

#[test]
fn a_new_file_that_cannot_be_made_costs_no_old_one() {
    let scene = Scene::new();
    let log = scene.open_with(2_000);
    scene.add(&log, 60);
    scene.sign_now(&log);
    let before: Vec<String> = (0..FILES - 1)
        .map(|age| read(&path_of(&scene.path(), age)))
        .collect();
    let moved = || {
        (1..FILES)
            .map(|age| read(&path_of(&scene.path(), age)))
            .collect::<Vec<_>>()
    };
    // The current file was moved, and the new one could not be made.
    for age in (0..FILES - 1).rev() {
        fs::rename(path_of(&scene.path(), age), path_of(&scene.path(), age + 1)).unwrap();
    }
    let folder = folder::Folder::new(scene.path());
    for _ in 0..2 {
        let sink = folder.rotate().map(drop);
        sink.unwrap();
        assert_eq!(moved(), before);
        fs::remove_file(path_of(&scene.path(), 0)).unwrap();
    }
    drop(log);
    let log = scene.open_with(2_000);
    log.append(entry(0));
    assert!(read(&path_of(&scene.path(), 0)).starts_with("{\"seq\""));
    assert!(
        read(&path_of(&scene.path(), 0))
            .lines()
            .next()
            .unwrap()
            .contains("log.rotated")
    );
    scene.verify().unwrap();
}

#[test]
fn t47_files_that_are_missing_are_named_and_the_log_goes_on_behind_what_is_there() {
    let scene = Scene::new();
    let log = scene.open_with(2_000);
    scene.add(&log, 8);
    assert_eq!(files_in(&scene.path()).len(), 2);
    let head = log.head();
    drop(log);
    fs::remove_file(path_of(&scene.path(), 1)).unwrap();
    let log = scene.open_with(2_000);
    assert_eq!(log.head().seq, head.seq + 1, "it does not begin again");
    assert_eq!(scene.actions().last().unwrap(), action::OLDER_MISSING);
    assert!(matches!(scene.verify(), Err(VerifyError::OlderMissing { .. })));
    drop(log);
    assert_eq!(scene.open_with(2_000).head().seq, head.seq + 1, "said once");
    // Of a log that was rotated as often as it can be, the oldest file that is left may not be taken either.
    let scene = Scene::new();
    let log = scene.open_with(2_000);
    scene.add(&log, 60);
    scene.verify().unwrap();
    fs::remove_file(path_of(&scene.path(), FILES - 1)).unwrap();
    assert!(matches!(scene.verify(), Err(VerifyError::OlderMissing { .. })));
}

#[test]
fn t47_a_log_without_its_checkpoints_is_no_log_of_this_sensor() {
    let scene = Scene::new();
    let log = scene.open();
    scene.add(&log, UNSIGNED - 1);
    assert_eq!(scene.verify().unwrap().signed, 0, "it may not be due yet");
    scene.add(&log, 2);
    match scene.verify() {
        Err(VerifyError::Unsigned { seq, .. }) => assert_eq!(seq, UNSIGNED + 2),
        other => panic!("{other:?}"),
    }
    // Signed, it may grow by as many again.
    let scene = Scene::new();
    let log = scene.open();
    scene.add(&log, 1_000);
    scene.sign_now(&log);
    scene.add(&log, 1_000);
    assert_eq!(scene.verify().unwrap().signed, 1_001);
}

#[tokio::test]
async fn t47_whoever_knew_the_log_is_led_from_there_or_told_that_it_is_another() {
    let scene = Scene::new();
    let log = scene.open();
    scene.add(&log, 5);
    sync(&log).await;
    let known = log.head();
    scene.add(&log, 7);
    let answer = |log: &Arc<AuditLog>, known| {
        log.ask(known);
        log.leads()
    };
    let unsynced = answer(&log, known).unwrap();
    assert_eq!(unsynced.digests, Some(Vec::new()), "only what is on the disk");
    sync(&log).await;
    let leads = answer(&log, known).unwrap();
    assert_eq!(known.after(&leads.digests.unwrap()), log.head());
    assert!(log.leads().is_none(), "once");
    let other = portolan_shared::audit::AuditHead { seq: 3, ..known };
    assert_eq!(answer(&log, other).unwrap().digests, None);

    // Longer ago than is remembered: by the files.
    scene.add(&log, 1_500);
    sync(&log).await;
    assert!(answer(&log, known).is_none(), "they are being read");
    let read = log.reading().unwrap()();
    log.was_read(read);
    let leads = log.leads().unwrap().digests.unwrap();
    assert_eq!(leads.len(), portolan_shared::model::limits::AUDIT_LEADING);
    log.ask(known.after(&leads));
    let read = log.reading().unwrap()();
    log.was_read(read);
    assert!(log.leads().unwrap().digests.is_some(), "and so on from there");
    log.ask(other);
    let read = log.reading().unwrap()();
    log.was_read(read);
    assert_eq!(log.leads().unwrap().digests, None);

    // The last records were cut off, and others took their place.
    let known = log.head();
    drop(log);
    scene.tamper(|lines| lines.truncate(lines.len() - 3));
    scene.clock.advance(Duration::from_secs(1));
    let log = scene.open();
    scene.add(&log, 9);
    sync(&log).await;
    assert_eq!(answer(&log, known).unwrap().digests, None);
}
