//! What there is to judge how fresh registries are.

use portolan_shared::model::{Finding, FindingCode, RunProgress, RunState, RunTrigger, SensorState};
use portolan_store::{
    EndedRun, NewRun, PageRequest, PlannedStart, QueueOutcome, RegistryChange, RegistryPulse, RunClosing,
    Schedule, StandingChange, Store, WaitingRun,
};

use crate::site::{Site, at, note, sensor, whole};
use crate::vault;

pub(crate) const ONE: &[(&str, &str)] = &[("1", "one")];

pub(crate) async fn pulse(store: &dyn Store, site: &Site) -> RegistryPulse {
    let found = store
        .registry_pulses(site.tenant, &[site.registry])
        .await
        .unwrap();
    let [pulse] = found.try_into().unwrap();
    pulse
}

pub(crate) fn unreachable() -> Finding {
    Finding::new(FindingCode::Unreachable, "no route to host")
}

/// Complete, partial, failed: the last of them counts. One that was cancelled, and one of a part of it, does not.
pub async fn the_last_run_of_the_whole_is_told_beside_the_last_of_all(store: &dyn Store) {
    let site = Site::new(store).await;
    let before = pulse(store, &site).await;
    assert_eq!(
        (before.last_whole, before.last_run, before.waiting),
        (None, None, None)
    );
    assert_eq!((before.created_at, before.being_read), (at(2), false));
    let complete = site.sync(store, &[("a", ONE)], 10).await.attempt.run;
    let told = pulse(store, &site).await;
    let ended = |run, state, seconds, finding| {
        Some(EndedRun {
            run,
            state,
            ended_at: at(seconds),
            finding,
        })
    };
    assert_eq!(told.last_whole, ended(complete, RunState::Complete, 10, None));
    assert_eq!(
        (told.last_run, told.last_success_at),
        (told.last_whole, Some(at(10)))
    );
    let fence = site.start(store, 20).await;
    assert!(pulse(store, &site).await.being_read);
    let cut = RunClosing {
        discovery_complete: false,
        ..whole(0)
    };
    store.close_run(&fence, &cut, at(21)).await.unwrap();
    let partial = ended(fence.attempt.run, RunState::Partial, 21, None);
    let told = pulse(store, &site).await;
    assert_eq!((told.last_whole, told.being_read), (partial.clone(), false));
    // Of a part of it, and cancelled.
    let fence = site.start_event_run(store, &["a:1"], 30).await;
    store
        .fail_attempt(&fence, &unreachable(), None, at(31))
        .await
        .unwrap();
    let run = site.queue(store, 40).await;
    store.cancel_run(site.tenant, run, at(41), &note()).await.unwrap();
    let told = pulse(store, &site).await;
    assert_eq!(told.last_whole, partial);
    let failed = ended(fence.attempt.run, RunState::Failed, 31, Some(unreachable()));
    assert_eq!(told.last_run, failed);
    assert_eq!(
        (told.last_attempt_at, told.last_success_at),
        (Some(at(20)), Some(at(10)))
    );
}

/// The one that waits for longest; since when a sensor may have it.
pub async fn a_run_that_waits_is_told(store: &dyn Store) {
    let site = Site::new(store).await;
    let first = site.event_run(&["a:1"], 10);
    store.queue_run(&first, &note()).await.unwrap();
    site.queue(store, 20).await;
    let waiting = |seconds| {
        Some(WaitingRun {
            run: first.id,
            since: at(seconds),
        })
    };
    assert_eq!(pulse(store, &site).await.waiting, waiting(10));
    let fence = site.lease(store, first.id, 30).await;
    store
        .fail_attempt(&fence, &unreachable(), Some(at(90)), at(31))
        .await
        .unwrap();
    assert_eq!(pulse(store, &site).await.waiting, waiting(90));
}

/// What counts is who else than a person has asked, and when: not who was first, nor for what.
pub async fn a_start_is_not_hidden_behind_what_people_have_asked_for(store: &dyn Store) {
    let site = Site::new(store).await;
    let asked = |trigger, seconds| NewRun {
        trigger,
        ..site.new_run(&[], seconds)
    };
    let waits = async || {
        let told = pulse(store, &site).await;
        (
            told.queued,
            told.waiting.map(|waiting| (waiting.run, waiting.since)),
        )
    };
    assert_eq!(waits().await, (false, None));
    // Of a part of it, and all of it, by hand.
    site.queue_scope(store, &["a"], 10).await;
    let whole = site.queue(store, 20).await;
    assert_eq!(waits().await, (true, None));
    // A start and an event join what waits.
    for (trigger, seconds) in [
        (RunTrigger::Schedule, 30),
        (RunTrigger::Manual, 35),
        (RunTrigger::Event, 40),
    ] {
        let joined = store.queue_run(&asked(trigger, seconds), &note()).await.unwrap();
        assert_eq!(joined, QueueOutcome::Joined(whole));
    }
    assert_eq!(waits().await, (true, Some((whole, at(30)))));
    let run = store.run(site.tenant, whole).await.unwrap().unwrap();
    let reasons = run.reasons.iter().filter(|reason| !reason.is_a_persons());
    let since = reasons.map(|reason| reason.at).min();
    assert_eq!(
        (since, run.not_before),
        (Some(at(30)), at(20)),
        "as the run itself tells it"
    );
    // One that began to wait later does not hide it; one that began to wait before does.
    let later = site.queue_look(store, &["b:1"], 50).await;
    assert_eq!(waits().await, (true, Some((whole, at(30)))));
    store
        .cancel_run(site.tenant, whole, at(60), &note())
        .await
        .unwrap();
    assert_eq!(waits().await, (true, Some((later, at(50)))));
}

/// What looks beside others at what events have named is no run that a start could wait behind.
pub async fn a_look_beside_others_is_no_reading_of_the_registry(store: &dyn Store) {
    let site = Site::new(store).await;
    let look = site.start_event_run(store, &["a:1"], 10).await;
    assert!(!pulse(store, &site).await.being_read);
    let whole = site.start(store, 11).await;
    assert!(pulse(store, &site).await.being_read);
    for fence in [look, whole] {
        store
            .fail_attempt(&fence, &unreachable(), None, at(12))
            .await
            .unwrap();
    }
    assert!(!pulse(store, &site).await.being_read);
}

/// In their order, with where they are and who can open the credential.
pub async fn the_sensors_of_each_registry_are_told_in_their_order(store: &dyn Store) {
    let (site, ..) = vault::sealed(store).await;
    let told = pulse(store, &site).await.sensors;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (told[0].sensor, told[0].name.as_str(), told[0].can_open),
        (site.sensor, "edge", true)
    );
    assert_eq!(
        (told[0].state, told[0].last_seen_at.is_some()),
        (SensorState::Active, true)
    );
    let (other, _) = sensor(store, site.tenant, "other").await;
    let change = RegistryChange {
        sensors: Some(vec![other, site.sensor]),
        ..RegistryChange::default()
    };
    site.set(store, change).await;
    let suspended = store
        .change_standing(site.tenant, site.sensor, StandingChange::Suspend, at(50), &note())
        .await;
    assert!(suspended.unwrap());
    let told = pulse(store, &site).await.sensors;
    let told: Vec<_> = told
        .iter()
        .map(|sensor| (sensor.name.as_str(), sensor.state, sensor.can_open))
        .collect();
    assert_eq!(
        told,
        [
            ("other", SensorState::Provisional, false),
            ("edge", SensorState::Suspended, true)
        ]
    );
}

/// By name, page by page, and some of them by their ids; never those of another tenant.
pub async fn many_registries_are_told_at_once(store: &dyn Store) {
    let site = Site::new(store).await;
    let others = Site::new(store).await;
    let beside = [
        site.beside(store, "b").await,
        site.beside(store, "a").await,
        site.beside(store, "c").await,
    ];
    beside[0].sync(store, &[("x", ONE)], 10).await;
    let mut names = Vec::new();
    let mut page = PageRequest {
        after: None,
        limit: 3,
    };
    loop {
        let found = store.all_registry_pulses(site.tenant, &page).await.unwrap();
        for pulse in &found.items {
            assert_eq!(pulse.sensors[0].sensor, site.sensor);
            assert_eq!(pulse.last_whole.is_some(), pulse.name.as_str() == "b");
            names.push(pulse.name.to_string());
        }
        page.after = found.next;
        if page.after.is_none() {
            break;
        }
    }
    assert_eq!(names, ["a", "b", "c", "gl"]);
    let wanted = [beside[2].registry, others.registry, beside[0].registry];
    let found = store.registry_pulses(site.tenant, &wanted).await.unwrap();
    let mut names: Vec<_> = found.iter().map(|pulse| pulse.name.to_string()).collect();
    names.sort();
    assert_eq!(names, ["b", "c"]);
    assert!(found.iter().all(|pulse| pulse.sensors.len() == 1));
    assert!(store.registry_pulses(site.tenant, &[]).await.unwrap().is_empty());
}

/// Only what moves counts: a message that says the same again is none; a new attempt begins anew.
pub async fn when_a_run_last_moved_is_told_while_a_sensor_works_on_it(store: &dyn Store) {
    let site = Site::new(store).await;
    let moved = async |site: &Site| {
        let held = store.held_runs(site.tenant).await.unwrap();
        let moved = held
            .iter()
            .map(|run| run.progress_at.unwrap().as_second() - at(0).as_second());
        moved.collect::<Vec<_>>()
    };
    assert!(moved(&site).await.is_empty());
    let fence = site.start(store, 10).await;
    assert_eq!(moved(&site).await, [10]);
    for (requests, seconds, expected) in [(1, 20, 20), (1, 30, 20), (2, 40, 40)] {
        let progress = RunProgress {
            requests,
            ..RunProgress::default()
        };
        store
            .record_progress(&fence, &progress, at(seconds))
            .await
            .unwrap();
        store.renew_leases(&[fence], at(seconds)).await.unwrap();
        assert_eq!(moved(&site).await, [expected]);
    }
    let held = store.held_runs(site.tenant).await.unwrap();
    assert_eq!((held[0].sensor, held[0].attempt), (site.sensor, fence.attempt));
    assert_eq!(
        (held[0].registry_name.as_str(), held[0].lease_until),
        ("gl", at(100))
    );
    store
        .fail_attempt(&fence, &unreachable(), Some(at(41)), at(41))
        .await
        .unwrap();
    assert!(moved(&site).await.is_empty());
    site.lease(store, fence.attempt.run, 60).await;
    assert_eq!(moved(&site).await, [60]);
}

/// Those of all tenants, up to a bound; how many more there are is counted.
pub async fn figures_are_told_of_all_tenants_up_to_a_bound(store: &dyn Store) {
    let site = Site::new(store).await;
    let name = format!("figures-{}", site.registry);
    let beside = site.beside(store, &name).await;
    beside.sync(store, &[("a", ONE)], 10).await;
    let (all, left_out) = store.registry_figures(100_000).await.unwrap();
    assert_eq!(left_out, 0);
    let found = all.iter().find(|figures| figures.name.as_str() == name).unwrap();
    assert_eq!(
        (found.created_at, found.last_success_at, found.next_start_at),
        (at(2), Some(at(10)), None)
    );
    let tenants: Vec<_> = all.iter().map(|figures| figures.tenant.as_str()).collect();
    assert!(tenants.contains(&found.tenant.as_str()));
    Site::new(store).await;
    let (one, left_out) = store.registry_figures(1).await.unwrap();
    assert_eq!(one.len(), 1);
    assert!(left_out >= 2, "{left_out}");
    let start = async |seconds| {
        let all = store.registry_figures(100_000).await.unwrap().0;
        let found = all.into_iter().find(|figures| figures.name.as_str() == name);
        assert_eq!(found.unwrap().next_start_at, seconds);
    };
    let mut schedule = Schedule {
        when: "daily".parse().unwrap(),
        ..Schedule::default()
    };
    beside.read(store, schedule.clone(), 20).await;
    let planned = PlannedStart {
        tenant: site.tenant,
        registry: beside.registry,
        version: beside.record(store).await.version,
        planned: false,
        was: None,
        unannounced_at: None,
        next_start_at: Some(at(500)),
        run: None,
    };
    store.start_planned(&planned, at(21)).await.unwrap();
    start(Some(at(500))).await;
    // What is paused starts nothing.
    schedule.paused = true;
    beside.read(store, schedule, 22).await;
    start(None).await;
}
