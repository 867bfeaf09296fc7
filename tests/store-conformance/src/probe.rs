//! Probes: asked for, carried out once, forgotten.

use std::num::NonZeroU32;

use portolan_shared::model::{
    Budget, Confidence, Detection, Diagnosis, Finding, FindingCode, Flavour, NamePatterns, ProbeId,
    RegistryTarget, Stage, StageReport, TagFilter,
};
use portolan_shared::process::SystemRng;
use portolan_store::{
    KEPT_PROBES, NewProbe, ProbeOutcome, ProbeRecord, ProbeReport, RegistryChange, Store, WAITING_PROBES,
    WaitingProbe,
};

use crate::site::{Site, at, entries, name, note, registry, sensor, session, tenant};

fn probe(site: &Site, seconds: i64) -> NewProbe {
    let definition = registry(site.tenant, "probed", &[site.sensor]);
    NewProbe {
        id: ProbeId::random(&SystemRng),
        tenant: site.tenant,
        registry: None,
        target: RegistryTarget {
            registry: definition.id,
            url: definition.url,
            ca: definition.ca,
            repositories: definition.repositories,
            credential: definition.credential,
            tags: TagFilter {
                names: NamePatterns::new(vec!["v*".to_owned(), "!re:.*-rc[0-9]+".to_owned()]).unwrap(),
                ..TagFilter::default()
            },
            budget: definition.budget,
            requests_left: None,
        },
        repository: Some(name("acme/shop")),
        sensors: vec![site.sensor],
        trial: None,
        asked_by: "operator".to_owned(),
        asked_at: at(seconds),
        expires_at: at(seconds + 120),
    }
}

fn report(site: &Site, seconds: i64) -> ProbeReport {
    let finding =
        Finding::new(FindingCode::TlsPrivateCa, "r:5050: unknown authority").with_detail("one\ntwo");
    ProbeReport {
        sensor: site.sensor,
        at: at(seconds),
        diagnosis: Diagnosis {
            stages: vec![StageReport::new(
                Stage::Tls,
                12,
                &["TLS 1.3".to_owned()],
                vec![finding],
            )],
            ..Diagnosis::default()
        },
    }
}

async fn add(store: &dyn Store, probe: &NewProbe) {
    assert_eq!(
        store.add_probe(probe, &note()).await.unwrap(),
        ProbeOutcome::Added
    );
}

/// As it was asked for, with its report; and the audit entry with it.
pub async fn a_probe_comes_back_with_its_report(store: &dyn Store) {
    let site = Site::new(store).await;
    let (probe, report) = (probe(&site, 10), report(&site, 20));
    let before = entries(store, site.tenant).await;
    add(store, &probe).await;
    assert_eq!(entries(store, site.tenant).await, before + 1);
    let waiting = ProbeRecord {
        probe: probe.clone(),
        report: None,
    };
    assert_eq!(store.probe(site.tenant, probe.id).await.unwrap(), Some(waiting));
    let reported = store.report_probe(site.tenant, probe.id, site.epoch, &report);
    assert!(reported.await.unwrap());
    let done = ProbeRecord {
        probe: probe.clone(),
        report: Some(report),
    };
    assert_eq!(store.probe(site.tenant, probe.id).await.unwrap(), Some(done));
    let other = tenant(store).await;
    assert_eq!(
        store.probe(other, probe.id).await.unwrap(),
        None,
        "of another tenant"
    );
}

/// What is known of a saved registry, as long as it is read in the same way.
pub async fn a_report_tells_of_its_registry_unless_that_was_changed(store: &dyn Store) {
    let site = Site::new(store).await;
    let saved = store
        .registry(site.tenant, site.registry)
        .await
        .unwrap()
        .unwrap()
        .registry;
    let signs = vec!["its realm".to_owned()];
    let detection = Detection::new(Flavour::GitLab, Confidence::High, &signs, None);
    let mut of_saved = probe(&site, 0);
    of_saved.registry = Some(site.registry);
    of_saved.target.url = saved.url.clone();
    of_saved.target.credential = saved.credential.clone();
    let elsewhere = NewProbe {
        id: ProbeId::random(&SystemRng),
        target: RegistryTarget {
            url: "https://elsewhere.example.com".parse().unwrap(),
            ..of_saved.target.clone()
        },
        ..of_saved.clone()
    };
    for (probe, known) in [(elsewhere, false), (of_saved, true)] {
        add(store, &probe).await;
        let mut report = report(&site, 5);
        report.diagnosis.facts.detection = Some(detection.clone());
        assert!(
            store
                .report_probe(site.tenant, probe.id, site.epoch, &report)
                .await
                .unwrap()
        );
        let registry = store.registry(site.tenant, site.registry).await.unwrap().unwrap();
        let seen = registry.facts.detection.map(|seen| (seen.fact, seen.at));
        assert_eq!(seen, known.then(|| (detection.clone(), at(5))));
    }
}

/// With what is left of a day for runs: of the report that counts, for a saved registry, at the address where that is.
pub async fn requests_of_probes_count_with_those_of_runs(store: &dyn Store) {
    let site = Site::new(store).await;
    let budget = Budget {
        per_day: NonZeroU32::new(100),
        ..Budget::default()
    };
    let change = RegistryChange {
        budget: Some(budget),
        ..RegistryChange::default()
    };
    site.set(store, change).await;
    let saved = store
        .registry(site.tenant, site.registry)
        .await
        .unwrap()
        .unwrap()
        .registry;
    let unsaved = probe(&site, 0);
    let mut of_saved = NewProbe {
        id: ProbeId::random(&SystemRng),
        registry: Some(site.registry),
        ..unsaved.clone()
    };
    of_saved.target.url = saved.url.clone();
    // As somebody who tries another credential would.
    of_saved.target.credential = None;
    let elsewhere = NewProbe {
        id: ProbeId::random(&SystemRng),
        target: RegistryTarget {
            url: "https://elsewhere.example.com".parse().unwrap(),
            ..of_saved.target.clone()
        },
        ..of_saved.clone()
    };
    for probe in [unsaved, elsewhere, of_saved] {
        add(store, &probe).await;
        let mut report = report(&site, 5);
        report.diagnosis.requests = 41;
        for stored in [true, false] {
            let done = store.report_probe(site.tenant, probe.id, site.epoch, &report);
            assert_eq!(done.await.unwrap(), stored, "counted once");
        }
    }
    let run = site.queue(store, 10).await;
    let lease = store.lease_run(site.tenant, run, site.sensor, site.epoch, at(10));
    assert_eq!(lease.await.unwrap().unwrap().target.requests_left, Some(59));
}

/// The first one in time counts, of a sensor that was asked, in its current session.
pub async fn only_the_first_report_of_a_current_session_in_time_counts(store: &dyn Store) {
    let mut site = Site::new(store).await;
    let probe = probe(&site, 0);
    add(store, &probe).await;
    let (stranger, serial) = sensor(store, site.tenant, "stranger").await;
    let epoch = session(store, site.tenant, stranger, serial).await;
    let of_stranger = ProbeReport {
        sensor: stranger,
        ..report(&site, 5)
    };
    let stored = |epoch, report| {
        let id = probe.id;
        async move { store.report_probe(site.tenant, id, epoch, &report).await.unwrap() }
    };
    assert!(!stored(epoch, of_stranger).await, "was not asked");
    assert!(!stored(site.epoch + 1, report(&site, 5)).await, "no such session");
    assert!(!stored(site.epoch, report(&site, 120)).await, "too late");
    let old = site.epoch;
    site.reconnect(store).await;
    let stored = |epoch, report| {
        let (tenant, id) = (site.tenant, probe.id);
        async move { store.report_probe(tenant, id, epoch, &report).await.unwrap() }
    };
    assert!(!stored(old, report(&site, 5)).await, "an older session");
    assert!(stored(site.epoch, report(&site, 119)).await);
    assert!(!stored(site.epoch, report(&site, 119)).await, "again");
}

/// For those who are connected, the preferred first; until there is a report or nobody waits any more.
pub async fn probes_wait_for_the_preferred_sensor_that_is_connected(store: &dyn Store) {
    let site = Site::new(store).await;
    let (second, _) = sensor(store, site.tenant, "second").await;
    let (first, later) = (probe(&site, 0), probe(&site, 1));
    let first = NewProbe {
        sensors: vec![site.sensor, second],
        ..first
    };
    add(store, &later).await;
    add(store, &first).await;
    let waiting = |now, sensors: Vec<_>| async move {
        let found = store.waiting_probes(now, &sensors, 10).await.unwrap();
        found
            .into_iter()
            .map(|WaitingProbe { probe, sensor }| (probe.id, sensor))
            .collect::<Vec<_>>()
    };
    let both = vec![second, site.sensor];
    assert_eq!(
        waiting(at(2), both.clone()).await,
        [(first.id, site.sensor), (later.id, site.sensor)]
    );
    assert_eq!(waiting(at(2), vec![second]).await, [(first.id, second)]);
    assert_eq!(waiting(at(2), Vec::new()).await, []);
    assert_eq!(
        waiting(at(120), both.clone()).await,
        [(later.id, site.sensor)],
        "the first has expired"
    );
    assert!(
        store
            .report_probe(site.tenant, later.id, site.epoch, &report(&site, 3))
            .await
            .unwrap()
    );
    assert_eq!(waiting(at(2), both).await, [(first.id, site.sensor)], "reported");
    assert_eq!(store.waiting_probes(at(2), &[site.sensor], 0).await.unwrap(), []);
}

/// A tenant that asks without end is told so; what has expired does not count.
pub async fn a_tenant_has_so_many_waiting_probes_and_no_more(store: &dyn Store) {
    let site = Site::new(store).await;
    for _ in 0..WAITING_PROBES {
        add(store, &probe(&site, 0)).await;
    }
    let before = entries(store, site.tenant).await;
    let refused = store.add_probe(&probe(&site, 1), &note()).await.unwrap();
    assert_eq!(refused, ProbeOutcome::TooMany);
    assert_eq!(entries(store, site.tenant).await, before, "nothing is noted");
    add(store, &probe(&site, 120)).await;
    let other = Site::new(store).await;
    add(store, &probe(&other, 1)).await;
}

/// However many probes a tenant has waiting, those of others get their turn.
pub async fn no_tenant_stands_in_the_way_of_another(store: &dyn Store) {
    let (many, one) = (Site::new(store).await, Site::new(store).await);
    for seconds in 0..20 {
        add(store, &probe(&many, seconds)).await;
    }
    let late = probe(&one, 30);
    add(store, &late).await;
    let waiting = store
        .waiting_probes(at(31), &[many.sensor, one.sensor], 2)
        .await
        .unwrap();
    assert!(
        waiting.iter().any(|waiting| waiting.probe.id == late.id),
        "{waiting:?}"
    );
}

/// What has ended does not pile up.
pub async fn of_probes_that_have_ended_so_many_are_kept(store: &dyn Store) {
    let site = Site::new(store).await;
    let oldest = probe(&site, 0);
    add(store, &oldest).await;
    for number in 0..KEPT_PROBES {
        let seconds = i64::from(number) * 200 + 200;
        assert!(
            store.probe(site.tenant, oldest.id).await.unwrap().is_some(),
            "{number}"
        );
        add(store, &probe(&site, seconds)).await;
    }
    add(store, &probe(&site, 1_000_000)).await;
    assert_eq!(store.probe(site.tenant, oldest.id).await.unwrap(), None);
}

/// By age, whatever became of them; and with their registry.
pub async fn probes_are_forgotten(store: &dyn Store) {
    let site = Site::new(store).await;
    let (old, new) = (probe(&site, -1_000_000), probe(&site, 0));
    let of_registry = NewProbe {
        registry: Some(site.registry),
        ..probe(&site, 0)
    };
    for probe in [&old, &new, &of_registry] {
        add(store, probe).await;
    }
    assert!(store.forget_probes(at(-999_999)).await.unwrap() >= 1);
    assert_eq!(store.probe(site.tenant, old.id).await.unwrap(), None);
    assert!(
        store
            .remove_registry(site.tenant, site.registry, &note(), &|_| None)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(store.probe(site.tenant, of_registry.id).await.unwrap(), None);
    assert!(store.probe(site.tenant, new.id).await.unwrap().is_some());
}
