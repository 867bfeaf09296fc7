//! A control plane that wants to fill the log, and a sensor that works much: what was recorded before stays, and nothing is refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portolan_registry::{AnyHost, Gate as _, Hop, Purpose};
use portolan_shared::model::{
    AttemptRef, RegistryTarget, RegistryUrl, RepositoryName, RunId, RunState, Scope, limits,
};
use portolan_shared::process::{Clock, ManualClock, ProxyRules, SeededRng};
use serde_json::json;

use super::budget::SUMS_BYTES;
use super::caused::{Caused, Moment, NAMED_A_DAY};
use super::entry::RECORD_BYTES;
use super::folder::path_of;
use super::outgoing::Sent;
use super::recording_tests::{Ended, Refusing, control, probe, recorded, sync_job, target};
use super::tests::Scene;
use super::withheld::NAMED;
use super::*;
use crate::inventory::tests::ControlPlane;
use crate::jobs::{JobEnd, Jobs as _, SyncJob};

fn clock(scene: &Scene) -> Arc<dyn Clock> {
    Arc::<ManualClock>::clone(&scene.clock)
}

/// Everything that an offer may hold, as long as it may be.
fn largest(n: u64) -> SyncJob {
    let path = "%41".repeat((limits::REGISTRY_PATH_BYTES - 9) / 3);
    let url = format!("https://r.example.com/{n:08}{path}");
    let long = |n: u64| -> RepositoryName { format!("r{n}/{}", "a".repeat(200)).parse().unwrap() };
    SyncJob {
        attempt: AttemptRef {
            run: RunId::random(&SeededRng::new(n)),
            attempt: 1,
        },
        target: RegistryTarget {
            url: url.parse().unwrap(),
            ..target()
        },
        scope: Scope {
            repositories: (0..limits::RUN_SCOPE_REPOSITORIES as u64).map(long).collect(),
            references: Vec::new(),
        },
        ..sync_job()
    }
}

/// The longest line of the log, in bytes; and records by action.
fn lines(scene: &Scene) -> (usize, BTreeMap<String, u64>) {
    let mut actions = BTreeMap::new();
    let mut longest = 0;
    for AuditFile(path) in files_in(&scene.path()) {
        longest = tests::read(&path)
            .lines()
            .map(str::len)
            .max()
            .unwrap_or(0)
            .max(longest);
    }
    for action in scene.actions() {
        *actions.entry(action).or_insert(0) += 1;
    }
    (longest, actions)
}

/// Bytes of files in the test: what takes a day is as much faster.
const FILE: u64 = 2 * 1024 * 1024;

#[tokio::test]
async fn a_flood_of_the_largest_offers_leaves_what_was_before_and_is_told() {
    let scene = Scene::new();
    let log = scene.open_with(FILE);
    log.append(Entry::by_agent("test", "before the attack", json!({})));
    let taken = recorded(&scene, &log, Ended(JobEnd::Cancelled));
    let refused = recorded(&scene, &log, Refusing);
    let mut jobs = 0;
    for hour in 0..24_u64 {
        // The first hour brings what is more than all files together.
        let flood = if hour == 0 { 1_500 } else { 20 };
        for n in 0..flood {
            let job = largest(hour * 10_000 + n);
            assert!(refused.admit(&job.target).is_err());
            assert!(
                taken.admit(&job.target).is_ok(),
                "no honest sensor is refused either"
            );
            let upload = Arc::new(ControlPlane::default());
            taken.run(job, upload, control(clock(&scene))).await;
            taken.probe(probe()).await;
            jobs += 1;
        }
        scene.clock.advance(Duration::from_secs(3_600));
        log.record_due(scene.clock.uptime());
    }
    log.drain();
    let (longest, actions) = lines(&scene);
    assert!(longest < RECORD_BYTES, "{longest}");
    assert!(actions["job.begin"] > 100 && actions["job.begin"] < jobs);
    assert!(actions["records.withheld"] >= 24, "told each time: {actions:?}");
    let oldest = files_in(&scene.path()).remove(0);
    assert!(tests::read(&oldest.0).contains("before the attack"));
    assert!(
        tests::read(&oldest.0).contains("log.begin"),
        "nothing at all was pushed out"
    );
    // All are counted: written, or withheld.
    let mut begun = actions["job.begin"];
    for AuditFile(path) in files_in(&scene.path()) {
        for line in tests::read(&path).lines() {
            let linked: portolan_shared::audit::LinkedRecord<String> = serde_json::from_str(line).unwrap();
            if (&*linked.record.action, &*linked.record.object) == ("records.withheld", "job.begin") {
                let details: serde_json::Value = serde_json::from_str(&linked.record.details).unwrap();
                begun += details["withheld"]["records"].as_u64().unwrap();
                assert!(details["withheld"]["of"].as_array().unwrap().len() <= NAMED);
            }
        }
    }
    assert_eq!(begun, jobs);
    verify_files(&files_in(&scene.path()), None).unwrap();
}

fn hop(host: &str, purpose: Purpose) -> Hop<'_> {
    Hop {
        https: true,
        host,
        port: 443,
        purpose,
    }
}

#[test]
fn a_refused_host_of_a_job_is_named_whatever_offers_were_refused_before_and_the_other_way_round() {
    for offers_first in [true, false] {
        let scene = Scene::new();
        let log = scene.open();
        let jobs = recorded(&scene, &log, Refusing);
        let offers = || {
            for _ in 0..1_000 {
                assert!(jobs.admit(&target()).is_err());
            }
        };
        // By the rule that refuses the offers.
        let scan = || {
            for n in 0..200 {
                let registry = "r.example.com:443".to_owned();
                let contacts = contacts::Contacts::new(&log, clock(&scene), registry, ProxyRules::default());
                contacts.refused(
                    &hop(&format!("h{n}.example.com"), Purpose::Storage),
                    "policy:test",
                );
            }
        };
        if offers_first {
            offers();
            scan();
        } else {
            scan();
            offers();
        }
        let text = tests::read(&path_of(&scene.path(), 0));
        assert!((0..200).all(|n| text.contains(&format!("\"host:h{n}.example.com:443\""))));
        assert_eq!(
            text.matches(
                "\"policy.refused\",\"object\":\"registry:r.example.com:443\",\"outcome\":\"refused\""
            )
            .count(),
            64
        );
    }
}

#[test]
fn hosts_that_one_job_is_refused_are_named_however_many_and_however_full_the_log_is() {
    let scene = Scene::new();
    let log = scene.open_with(20_000);
    for _ in 0..1_000 {
        log.append_paced(Rate::DONE, "", Entry::by_agent("test", "o", json!({})));
    }
    let registry = "r.example.com:443".to_owned();
    let contacts = contacts::Contacts::new(&log, clock(&scene), registry, ProxyRules::default());
    let before = log.head().seq;
    for n in 0..300 {
        for _ in 0..2 {
            contacts.refused(
                &hop(&format!("h{n}.example.com"), Purpose::Storage),
                "policy:test",
            );
        }
    }
    assert!(log.head().seq >= before + 300);
    assert!(log.head().seq < before + 330, "once");
    let head = log.head().seq;
    contacts.refused(&hop("h299.example.com", Purpose::Storage), "policy:test");
    assert_eq!(log.head().seq, head);
    scene.clock.advance(Duration::from_secs(86_400));
    contacts.refused(&hop("h299.example.com", Purpose::Storage), "policy:test");
    assert!(log.head().seq > head, "on another day again");
}

#[tokio::test]
async fn a_busy_sensor_is_refused_nothing_and_its_account_is_exact() {
    // Two looks a second for two hours, with files in which there is no room for so many records.
    let scene = Scene::new();
    let log = scene.open_with(1024 * 1024);
    let jobs = recorded(&scene, &log, Ended(JobEnd::Closed(RunState::Complete)));
    let outgoing = Outgoing::new(&log, clock(&scene));
    outgoing.connecting("cp.example.com", 7443, None);
    let looks = 2 * 7_200_u64;
    for n in 0..looks {
        let mut job = sync_job();
        job.look = true;
        job.target.url = format!("https://r{}.example.com", n % 5)
            .parse::<RegistryUrl>()
            .unwrap();
        jobs.admit(&job.target).unwrap();
        let registry = job.target.url.authority();
        let (host, late) = (job.target.url.host().to_owned(), n > looks / 2);
        let gate = AuditedGate::new(
            Arc::new(AnyHost),
            &log,
            clock(&scene),
            registry,
            ProxyRules::default(),
        );
        gate.contacted(&hop(&host, Purpose::Registry));
        if late {
            // A host that is new when the log has long been full.
            gate.contacted(&hop("s3.example.com", Purpose::Storage));
        }
        let sent = Sent::new(
            &log,
            clock(&scene),
            Arc::clone(&outgoing),
            format!("attempt:{}", job.attempt),
        );
        sent.count(DataKind::Tags, 3, 30);
        let upload = Arc::new(ControlPlane::default());
        let end = jobs.run(job, upload, control(clock(&scene))).await;
        assert_eq!(end, JobEnd::Closed(RunState::Complete));
        scene.clock.advance(Duration::from_millis(500));
        log.record_due(scene.clock.uptime());
    }
    let (_, actions) = lines(&scene);
    assert!(actions["records.withheld"] > 60, "{actions:?}");
    let account = |log: &AuditLog| {
        log.drain();
        outbound(&scene.path(), None).unwrap()
    };
    let told = account(&log);
    let requests = |host: &str| {
        told.hosts
            .iter()
            .find(|known| known.host == host)
            .unwrap()
            .requests
    };
    for n in 0..5 {
        assert_eq!(requests(&format!("r{n}.example.com:443")), looks / 5);
    }
    assert_eq!(requests("s3.example.com:443"), looks / 2 - 1);
    let tags = told.data.iter().find(|sent| sent.kind == "tags").unwrap();
    assert_eq!((tags.count, tags.bytes), (3 * looks, 30 * looks));
    let known = told
        .registries
        .iter()
        .find(|known| known.registry == "r0.example.com:443");
    assert_eq!(
        known.unwrap().others.len(),
        1,
        "also what else was contacted for it"
    );
    assert_eq!(actions["log.begin"], 1, "nothing was pushed out");
}

#[test]
fn sums_keep_to_their_budget_and_lose_nothing() {
    let clock = ManualClock::at_unix_seconds(1_800_000_000);
    let mut caused = Caused::new(1);
    let said = |object: &str| Entry::by_agent("test", object, json!({}));
    let told_of = |entry: &Entry| {
        if entry.action == "records.withheld" {
            entry.details["withheld"]["records"].as_u64().unwrap()
        } else {
            1
        }
    };
    let (mut records, mut told) = (0, 0);
    for _ in 0..10 {
        for kind in 0..200 {
            for object in 0..10 {
                let entry = said(&format!("{object}:{}", "x".repeat(250)));
                let kind = (Rate::DONE, &*kind.to_string());
                let written = caused.admit(kind, entry, false, Moment::of(&clock));
                told += u64::from(written.is_some());
                records += 1;
            }
        }
        clock.advance(Duration::from_secs(60));
        let due = caused.due(clock.uptime());
        let bytes: u64 = due.iter().map(Entry::line_bytes).sum();
        assert!(!due.is_empty() && bytes < SUMS_BYTES + 10_000, "{bytes}");
        told += due.iter().map(told_of).sum::<u64>();
    }
    assert!(told < records);
    told += caused.drain().iter().map(told_of).sum::<u64>();
    assert_eq!(told, records);
    // What comes during the end is told as well.
    assert!(
        caused
            .admit((Rate::DONE, "0"), said("late"), false, Moment::of(&clock))
            .is_none()
    );
    assert_eq!(caused.drain().len(), 1);
}

#[test]
fn names_of_a_day_are_bounded_and_new_on_the_next() {
    let clock = ManualClock::at_unix_seconds(1_800_000_000);
    let mut caused = Caused::new(1);
    let mut named = |count: usize| {
        let each = (0..count).filter(|n| {
            let entry =
                Entry::by_control_plane("test", format!("host:{n}"), json!({"t": "x".repeat(20_000)}));
            let written = caused.admit((Rate::SAID, "a"), entry.bounded(), true, Moment::of(&clock));
            written.is_some_and(|entry| *n < 2 || entry.line_bytes() < 3 * 1_024)
        });
        each.count()
    };
    // One of them names the kind.
    assert_eq!(named(NAMED_A_DAY + 500), NAMED_A_DAY - 1);
    assert_eq!(named(NAMED_A_DAY), 0);
    clock.advance(Duration::from_secs(86_400));
    assert!(named(10) >= 9);
}

#[test]
fn what_is_charged_is_no_less_than_what_is_written() {
    let scene = Scene::new();
    let log = scene.open();
    for text in ["", "\"\\\u{1}ü", &"\"".repeat(100_000), &"\u{1}".repeat(100_000)] {
        let details = json!({"text": text, "many": vec![text; 50]});
        let entry = Entry::by_control_plane("message.oversized", text, details).with(Outcome::Refused);
        let charged = entry.clone().bounded().line_bytes();
        log.append(entry);
        let written = tests::read(&path_of(&scene.path(), 0));
        let line = written.lines().last().unwrap().len() + 1;
        assert!(line <= RECORD_BYTES, "{line}");
        // Beside characters in objects that no name has.
        assert!(line as u64 <= charged + 6 * 512, "{line} {charged}");
    }
    scene.verify().unwrap();
}
