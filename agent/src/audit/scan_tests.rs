//! Finding the end of a file without reading all of it.

use std::fs;

use serde_json::json;

use super::entry::action;
use super::folder::{Found, path_of};
use super::scan::scan;
use super::tests::Scene;
use super::*;

/// A log of several hundred KiB, signed every hundred records; 30 stand behind the last checkpoint.
fn long(scene: &Scene) -> u64 {
    let log = scene.open();
    for i in 0..1_000 {
        if i % 100 == 69 {
            log.sign(|checkpoint| scene.signed(checkpoint));
        } else {
            let text = "x".repeat(300);
            log.append(Entry::by_agent(
                "test",
                format!("object:{i}"),
                json!({"text": text}),
            ));
        }
    }
    assert!(fs::metadata(path_of(&scene.path(), 0)).unwrap().len() > 300_000);
    log.head().seq
}

#[test]
fn opening_reads_from_the_last_checkpoint_on() {
    let scene = Scene::new();
    let head = long(&scene);
    // Whatever stands before it is not looked at: so it is not read.
    scene.tamper(|lines| {
        for line in &mut lines[1..900] {
            if !line.contains(action::CHECKPOINT) {
                *line = "#".repeat(line.len());
            }
        }
    });
    let file = path_of(&scene.path(), 0);
    let scanned = scan(&file, None).unwrap();
    assert_eq!((scanned.end, scanned.unsigned), (Found::Sound, 30));
    let log = scene.open();
    assert_eq!((log.head().seq, log.unsigned()), (head, 30), "nothing was added");
    assert!(scene.verify().is_err(), "whoever verifies reads all of it");
}

#[test]
fn damage_behind_the_last_checkpoint_is_named_by_its_line_in_the_file() {
    let scene = Scene::new();
    long(&scene);
    scene.tamper(|lines| lines[990] = "rubbish".to_owned());
    let scanned = scan(&path_of(&scene.path(), 0), None).unwrap();
    assert!(
        matches!(scanned.end, Found::Damaged { line: 991, .. }),
        "{:?}",
        scanned.end
    );
    assert_eq!(scanned.head.unwrap().seq, 990);
}

#[test]
fn a_file_without_a_checkpoint_is_gone_through_from_its_beginning() {
    let scene = Scene::new();
    let log = scene.open();
    for i in 0..50 {
        log.append(Entry::by_agent("test", format!("object:{i}"), json!({})));
    }
    let scanned = scan(&path_of(&scene.path(), 0), None).unwrap();
    assert_eq!(
        (scanned.unsigned, scanned.head),
        (51, Some(log.head())),
        "the first one too"
    );
    drop(log);
    scene.tamper(|lines| lines[3] = "rubbish".to_owned());
    let scanned = scan(&path_of(&scene.path(), 0), None).unwrap();
    assert!(matches!(scanned.end, Found::Damaged { line: 4, .. }));
}

#[test]
fn a_checkpoint_is_found_wherever_the_blocks_that_are_read_end() {
    for padding in 0..40 {
        let scene = Scene::new();
        let log = scene.open();
        log.append(Entry::by_agent("test", "object", json!({})));
        log.sign(|checkpoint| scene.signed(checkpoint));
        // The checkpoint ends somewhere around the first block from the end.
        let text = "y".repeat(64 * 1024 - 900 + padding * 37);
        log.append(Entry::by_agent("test", "object", json!({"text": text})));
        let scanned = scan(&path_of(&scene.path(), 0), None).unwrap();
        assert_eq!(
            (scanned.unsigned, scanned.head),
            (1, Some(log.head())),
            "{padding}"
        );
    }
}

#[test]
fn a_last_line_without_an_end_is_no_damage_to_whoever_verifies() {
    let scene = Scene::new();
    let head = scene.ten().head();
    let file = path_of(&scene.path(), 0);
    let whole = fs::read(&file).unwrap();
    let mut writing = whole.clone();
    writing.extend_from_slice(b"{\"seq\":11,\"at_ms\":18");
    fs::write(&file, &writing).unwrap();
    let verified = scene.verify().unwrap();
    assert_eq!((verified.head, verified.unended), (head, 20));
    let account = outbound(&scene.path(), None).unwrap();
    assert_eq!(account.unreadable, 0);
    // The same with an end is no record, and nothing that is being written.
    writing.push(b'\n');
    fs::write(&file, &writing).unwrap();
    assert!(matches!(
        scene.verify(),
        Err(VerifyError::Line {
            line: 11,
            seq: 11,
            ..
        })
    ));
    // Nor is it in a file behind which another one was begun.
    writing.pop();
    fs::write(path_of(&scene.path(), 1), &writing).unwrap();
    fs::write(&file, &whole).unwrap();
    assert!(matches!(scene.verify(), Err(VerifyError::Line { line: 11, .. })));
    fs::remove_file(path_of(&scene.path(), 1)).unwrap();
    assert_eq!(scene.verify().unwrap().unended, 0);
}
