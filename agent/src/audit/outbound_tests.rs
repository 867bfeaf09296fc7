//! What left this machine, and that the account says so whatever happens to the process.

use std::sync::Arc;
use std::time::Duration;

use portolan_registry::{AnyHost, Gate as _, Hop, Purpose};
use portolan_shared::process::{Clock, ManualClock, ProxyExceptions, ProxyRules, Uptime};

use super::outgoing::Sent;
use super::tally::{EVERY, HOSTS, STEADY_EVERY};
use super::tests::Scene;
use super::*;

fn clock(scene: &Scene) -> Arc<dyn Clock> {
    Arc::<ManualClock>::clone(&scene.clock)
}

fn gate(scene: &Scene, log: &Arc<AuditLog>, proxies: ProxyRules) -> AuditedGate {
    let registry = "r.example.com:443".to_owned();
    AuditedGate::new(Arc::new(AnyHost), log, clock(scene), registry, proxies)
}

fn hop(host: &str, purpose: Purpose) -> Hop<'_> {
    Hop {
        https: true,
        host,
        port: 443,
        purpose,
    }
}

fn account(scene: &Scene) -> Outbound {
    outbound(&scene.path(), None).unwrap()
}

/// Purpose, host, proxy, requests, bytes received.
fn hosts(account: &Outbound) -> Vec<(&str, &str, Option<&str>, u64, u64)> {
    let each = account.hosts.iter();
    each.map(|host| {
        (
            &*host.purpose,
            &*host.host,
            host.by.as_deref(),
            host.requests,
            host.bytes_received,
        )
    })
    .collect()
}

fn kinds(account: &Outbound) -> Vec<(&str, &str, u64, u64)> {
    let each = account.data.iter();
    each.map(|sent| (&*sent.kind, &*sent.to, sent.count, sent.bytes))
        .collect()
}

#[test]
fn what_left_is_told_host_by_host_and_kind_by_kind_and_nothing_twice() {
    let scene = Scene::new();
    let log = scene.open();
    for _ in 0..2 {
        let gate = gate(&scene, &log, ProxyRules::default());
        for _ in 0..3 {
            gate.contacted(&hop("r.example.com", Purpose::Registry));
            gate.received(&hop("r.example.com", Purpose::Registry), 100)
                .unwrap();
        }
        gate.contacted(&hop("auth.example.com", Purpose::Realm));
        // A question is no contact.
        gate.check_host(&hop("asked.example.com", Purpose::Storage))
            .unwrap();
        scene.clock.advance(Duration::from_secs(60));
        log.record_due(scene.clock.uptime());
        gate.contacted(&hop("r.example.com", Purpose::Registry));
    }
    let outgoing = Outgoing::new(&log, clock(&scene));
    let line = outgoing.connecting("cp.example.com", 7443, None);
    line.asked();
    line.wrote(450);
    let sent = Sent::new(&log, clock(&scene), Arc::clone(&outgoing), "attempt:x".to_owned());
    for _ in 0..5 {
        sent.count(DataKind::Tags, 1, 10);
    }
    sent.count(DataKind::Manifests, 1, 400);
    // From now on by another of its hosts.
    outgoing.connecting("cp2.example.com", 7443, None);
    sent.count(DataKind::Tags, 2, 20);
    drop((sent, line, outgoing));
    let account = account(&scene);
    assert_eq!(
        hosts(&account),
        [
            ("control plane", "cp.example.com:7443", None, 1, 0),
            ("control plane", "cp2.example.com:7443", None, 0, 0),
            ("registry", "r.example.com:443", None, 8, 600),
            ("token service", "auth.example.com:443", None, 2, 0),
        ]
    );
    assert_eq!(account.hosts[0].bytes_sent, 450);
    assert!(account.hosts[2].last > account.hosts[2].first);
    assert_eq!(
        kinds(&account),
        [
            ("manifests", "cp.example.com:7443", 1, 400),
            ("tags", "cp.example.com:7443", 5, 50),
            ("tags", "cp2.example.com:7443", 2, 20),
        ]
    );
    let realm = Elsewhere {
        purpose: "token service".to_owned(),
        host: "auth.example.com:443".to_owned(),
    };
    let known = Known {
        registry: "r.example.com:443".to_owned(),
        others: vec![realm],
    };
    assert_eq!(account.registries, [known]);
    let text = account.to_string();
    for part in [
        "By the log of this machine, from 2027-01-15 08:00:00Z on.",
        "r.example.com:443: 8 requests, 600 bytes received",
        "Data sent to cp2.example.com:7443:\n  tags                  2 (20 bytes)",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    log.append(Entry::by_agent(
        "data.sent",
        "attempt:y",
        serde_json::json!({"kinds": {}}),
    ));
    assert_eq!(
        outbound(&scene.path(), None).unwrap().unreadable,
        1,
        "and says so"
    );
    scene.clock.advance(Duration::from_secs(1));
    let later = outbound(&scene.path(), Some(scene.clock.now())).unwrap();
    assert_eq!(
        (later.hosts.len(), later.from),
        (0, None),
        "only what was recorded since"
    );
}

#[test]
fn a_killed_agent_has_left_every_host_and_every_kind_and_all_but_the_last_minute() {
    let scene = Scene::new();
    let log = scene.open();
    let gate = gate(&scene, &log, ProxyRules::default());
    let sent = Sent::new(
        &log,
        clock(&scene),
        Outgoing::new(&log, clock(&scene)),
        "attempt:x".to_owned(),
    );
    let registry = hop("r.example.com", Purpose::Registry);
    gate.contacted(&registry);
    gate.contacted(&hop("s3.example.com", Purpose::Storage));
    sent.count(DataKind::Tags, 3, 30);
    let work = || {
        for _ in 0..10 {
            gate.contacted(&registry);
            sent.count(DataKind::Tags, 1, 10);
        }
    };
    // As the files are at any moment, without anything that a process does at its end.
    let killed = account(&scene);
    assert_eq!(hosts(&killed).len(), 2);
    assert_eq!(kinds(&killed), [("tags", "control plane", 3, 30)]);
    work();
    let just_before = Uptime(scene.clock.uptime().0 + EVERY - Duration::from_millis(1));
    log.record_due(just_before);
    assert_eq!(account(&scene), killed, "not with every count");
    scene.clock.advance(EVERY);
    log.record_due(scene.clock.uptime());
    let minute = account(&scene);
    assert_eq!(hosts(&minute)[0].3, 11);
    assert_eq!(kinds(&minute), [("tags", "control plane", 13, 130)]);
    let before = log.head();
    scene.clock.advance(EVERY);
    log.record_due(scene.clock.uptime());
    assert_eq!(log.head(), before, "nothing was added");
    work();
    assert_eq!(account(&scene), minute, "the last minute alone would be lost");
    drop((gate, sent));
    let ended = account(&scene);
    assert_eq!((hosts(&ended)[0].3, ended.data[0].count), (21, 23));
}

#[test]
fn what_goes_on_and_on_is_recorded_at_once_and_then_each_hour() {
    let scene = Scene::new();
    let log = scene.open();
    let outgoing = Outgoing::new(&log, clock(&scene));
    let line = outgoing.connecting("cp.example.com", 7443, None);
    line.sent(DataKind::Heartbeats, 1, 40);
    let before = log.head();
    for _ in 0..239 {
        scene.clock.advance(Duration::from_secs(15));
        line.sent(DataKind::Heartbeats, 1, 40);
        line.wrote(60);
        line.read(60);
        log.record_due(scene.clock.uptime());
    }
    assert_eq!(log.head(), before);
    scene.clock.advance(STEADY_EVERY - Duration::from_secs(15 * 239));
    log.record_due(scene.clock.uptime());
    assert_eq!(log.head().seq, before.seq + 2, "of the host, and of the kind");
    assert_eq!(
        kinds(&account(&scene)),
        [("heartbeats", "cp.example.com:7443", 240, 9_600)]
    );
    line.sent(DataKind::Heartbeats, 1, 40);
    // Something that is worth it takes along what is not.
    line.asked();
    scene.clock.advance(EVERY);
    log.record_due(scene.clock.uptime());
    assert_eq!(kinds(&account(&scene))[0].2, 241);
}

#[test]
fn proxies_on_the_way_are_contacted_too() {
    let scene = Scene::new();
    let log = scene.open();
    let proxies = ProxyRules {
        https: Some("http://proxy.example.com:3128".parse().unwrap()),
        http: None,
        except: ProxyExceptions::read("auth.example.com"),
    };
    let gate = gate(&scene, &log, proxies.clone());
    for _ in 0..2 {
        gate.contacted(&hop("r.example.com", Purpose::Registry));
        gate.contacted(&hop("s3.example.com", Purpose::Storage));
        gate.contacted(&hop("auth.example.com", Purpose::Realm));
    }
    gate.received(&hop("r.example.com", Purpose::Registry), 7)
        .unwrap();
    let outgoing = Outgoing::new(&log, clock(&scene));
    let line = outgoing.connecting("cp.example.com", 443, proxies.https.as_ref());
    line.asked();
    drop((gate, line, outgoing));
    let account = account(&scene);
    let by = Some("proxy.example.com:3128");
    assert_eq!(
        hosts(&account),
        [
            ("control plane", "cp.example.com:443", by, 1, 0),
            ("proxy", "proxy.example.com:3128", None, 5, 7),
            ("registry", "r.example.com:443", by, 2, 7),
            ("storage", "s3.example.com:443", by, 2, 0),
            ("token service", "auth.example.com:443", None, 2, 0),
        ]
    );
    assert!(
        account
            .to_string()
            .contains("r.example.com:443 by the proxy proxy.example.com:3128: 2 requests")
    );
}

#[test]
fn hosts_beyond_the_bound_are_named_and_counted_together() {
    let scene = Scene::new();
    let log = scene.open();
    let gate = gate(&scene, &log, ProxyRules::default());
    let name = |i: usize| format!("s{i}.example.com");
    for _ in 0..2 {
        for i in 0..HOSTS + 10 {
            gate.contacted(&hop(&name(i), Purpose::Storage));
        }
    }
    drop(gate);
    let account = account(&scene);
    assert_eq!(account.hosts.len(), HOSTS + 10 + 1);
    let others = account.hosts.iter().find(|host| host.host == "others").unwrap();
    assert_eq!((others.requests, &*others.purpose), (20, "storage"));
    let with = |requests| {
        account
            .hosts
            .iter()
            .filter(|host| host.requests == requests)
            .count()
    };
    assert_eq!((with(2), with(0)), (HOSTS, 10));
}

#[test]
fn an_enrolment_is_told_before_there_is_a_log_and_counted_once_in_it() {
    let scene = Scene::new();
    let data_dir = scene.path().parent().unwrap().to_owned();
    let enrolling = account_of_enrolment(&data_dir, clock(&scene)).unwrap();
    let proxy = "http://proxy.example.com:3128".parse().unwrap();
    let line = enrolling.connecting("cp.example.com", 7443, Some(&proxy));
    line.asked();
    line.sent(DataKind::EnrolmentRequests, 1, 0);
    line.sent(DataKind::EnrolmentRequests, 0, 700);
    let seen = account(&scene);
    assert_eq!(hosts(&seen)[0].1, "cp.example.com:7443", "also if it is killed");
    assert_eq!(kinds(&seen)[0].0, "enrolment requests");
    drop((line, enrolling));
    let told = account(&scene);
    let by = Some("proxy.example.com:3128");
    assert_eq!(
        hosts(&told),
        [
            ("control plane", "cp.example.com:7443", by, 1, 0),
            ("proxy", "proxy.example.com:3128", None, 1, 0),
        ]
    );
    assert_eq!(
        kinds(&told),
        [("enrolment requests", "cp.example.com:7443", 1, 700)]
    );
    let file = scene.path().join("before-enrolment.jsonl");
    let copy = std::fs::read(&file).unwrap();
    let log = scene.open();
    take_account_of_enrolment(&data_dir, &log);
    assert!(!file.exists());
    assert_eq!(account(&scene).data, told.data);
    // A crash between the two.
    std::fs::write(&file, copy).unwrap();
    assert_eq!(account(&scene).data, told.data);
    take_account_of_enrolment(&data_dir, &log);
    let twice = account(&scene);
    assert_eq!((twice.hosts, twice.data), (told.hosts, told.data));
    scene.verify().unwrap();
}

#[test]
fn enrolments_that_are_tried_for_ever_keep_a_bounded_account() {
    let scene = Scene::new();
    let data_dir = scene.path().parent().unwrap().to_owned();
    for _ in 0..before::KEPT + 20 {
        let enrolling = account_of_enrolment(&data_dir, clock(&scene)).unwrap();
        enrolling.connecting("cp.example.com", 7443, None);
        scene.clock.advance(Duration::from_secs(1));
    }
    let text = tests::read(&scene.path().join("before-enrolment.jsonl"));
    assert_eq!(text.lines().count(), before::KEPT);
    assert_eq!(account(&scene).hosts.len(), 1);
}
