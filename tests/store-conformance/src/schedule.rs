//! Starts by the clock: nothing starts twice, and nothing is lost.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use futures::future::join_all;
use portolan_shared::model::{RegistryId, RunId, RunTrigger};
use portolan_shared::process::SystemRng;
use portolan_store::{
    DueRegistry, MissedStart, NewRun, PageRequest, PlannedStart, RegistryChange, RunFilter, Schedule,
    StartOutcome, Store, StoreError, When,
};

use crate::site::{Site, at, commit_listed, entries, note, noted, registry, whole};

fn hourly() -> Schedule {
    Schedule {
        when: When::Hourly,
        ..Schedule::default()
    }
}

/// What is due of a site.
async fn due(store: &dyn Store, site: &Site, seconds: i64) -> Vec<DueRegistry> {
    let found = store.due_registries(at(seconds), 10_000).await.unwrap();
    found
        .into_iter()
        .filter(|due| due.tenant == site.tenant)
        .collect()
}

/// The scheduler's decision: the next start, and a run now if one was due.
fn decide(due: &DueRegistry, now: i64, next: i64) -> PlannedStart {
    let starts = due.next_start_at.is_some_and(|start| start <= at(now));
    PlannedStart {
        tenant: due.tenant,
        registry: due.registry,
        version: due.version,
        planned: due.planned,
        was: due.next_start_at,
        unannounced_at: due.unannounced_at,
        next_start_at: Some(at(next)),
        run: starts.then(|| scheduled(due, now)),
    }
}

fn scheduled(due: &DueRegistry, now: i64) -> NewRun {
    NewRun {
        id: RunId::random(&SystemRng),
        tenant: due.tenant,
        registry: due.registry,
        trigger: RunTrigger::Schedule,
        scope: portolan_shared::model::Scope::default(),
        requested_by: "schedule".to_owned(),
        now: at(now),
    }
}

async fn runs_of(store: &dyn Store, site: &Site, registry: RegistryId) -> usize {
    let filter = RunFilter {
        registry: Some(registry),
        state: None,
    };
    let found = store.runs(site.tenant, &filter, &PageRequest::first()).await;
    found.unwrap().items.len()
}

/// Whatever can be said in it.
pub async fn schedules_come_back_as_they_were_given(store: &dyn Store) {
    let site = Site::new(store).await;
    assert_eq!(site.record(store).await.registry.schedule, Schedule::default());
    let full = Schedule {
        when: "cron 0 3 * * 1-5".parse().unwrap(),
        zone: "Europe/Zurich".parse().unwrap(),
        jitter_seconds: Some(0),
        blackouts: vec![
            "mon-fri 08:00-18:00".parse().unwrap(),
            "22:00-02:00".parse().unwrap(),
        ],
        max_run_seconds: NonZeroU32::new(7_200),
        missed: MissedStart::Skip,
        paused: true,
    };
    let mut new = registry(site.tenant, "full", &[site.sensor]);
    new.schedule = full.clone();
    store.add_registry(&new, at(4), &note()).await.unwrap();
    let found = store.registry(site.tenant, new.id).await.unwrap().unwrap();
    assert_eq!(found.registry, new);
    assert_eq!(
        (found.next_start_at, found.last_event_at, found.unannounced_at),
        (None, None, None)
    );
    site.read(store, full.clone(), 5).await;
    assert_eq!(site.record(store).await.registry.schedule, full);
    let words = [
        "manual",
        "every 15m",
        "every 2d",
        "hourly",
        "daily",
        "daily 03:30",
        "weekly",
        "weekly sun 03:30",
        "on-push",
    ];
    for when in words {
        let schedule = Schedule {
            when: when.parse().unwrap(),
            ..Schedule::default()
        };
        site.read(store, schedule.clone(), 6).await;
        assert_eq!(site.record(store).await.registry.schedule, schedule, "{when}");
    }
}

/// After every change of the schedule, at the planned time, and not while it is paused.
pub async fn a_registry_is_due_when_its_schedule_or_the_clock_says_so(store: &dyn Store) {
    let site = Site::new(store).await;
    let [new] = &due(store, &site, 10).await[..] else {
        panic!("what is new is to be planned")
    };
    assert_eq!(
        (new.registry, new.planned, new.version),
        (site.registry, false, 1)
    );
    let never = PlannedStart {
        next_start_at: None,
        ..decide(new, 10, 0)
    };
    assert_eq!(
        store.start_planned(&never, at(10)).await.unwrap(),
        StartOutcome::Noted
    );
    assert!(
        due(store, &site, 1_000_000).await.is_empty(),
        "it is read by hand"
    );
    let other = RegistryChange {
        name: Some("renamed".parse().unwrap()),
        ..RegistryChange::default()
    };
    site.set(store, other).await;
    assert!(
        due(store, &site, 1_000_000).await.is_empty(),
        "no other change is to be thought about"
    );

    site.read(store, hourly(), 20).await;
    let changed = due(store, &site, 20).await.remove(0);
    assert_eq!((changed.planned, &changed.schedule), (false, &hourly()));
    store
        .start_planned(&decide(&changed, 20, 100), at(20))
        .await
        .unwrap();
    assert_eq!(site.record(store).await.next_start_at, Some(at(100)));
    assert!(due(store, &site, 99).await.is_empty());
    let first = due(store, &site, 100).await.remove(0);
    assert_eq!((first.planned, first.next_start_at), (true, Some(at(100))));
    let paused = Schedule {
        paused: true,
        ..hourly()
    };
    site.read(store, paused, 101).await;
    let superseded = store
        .start_planned(&decide(&first, 101, 200), at(101))
        .await
        .unwrap();
    assert_eq!(superseded, StartOutcome::Superseded, "it was changed meanwhile");
    let changed = due(store, &site, 101).await.remove(0);
    let held_back = PlannedStart {
        run: None,
        ..decide(&changed, 101, 200)
    };
    store.start_planned(&held_back, at(101)).await.unwrap();
    assert!(due(store, &site, 10_000).await.is_empty(), "it is paused");
    assert_eq!(runs_of(store, &site, site.registry).await, 0);

    store.clock_is(at(20)).await.unwrap();
    let again = due(store, &site, 102).await.remove(0);
    assert!(!again.planned && again.next_start_at == Some(at(200)));
    let unsound = PlannedStart {
        run: Some(scheduled(&again, 102)),
        next_start_at: again.next_start_at,
        ..decide(&again, 102, 0)
    };
    let refused = store.start_planned(&unsound, at(102)).await;
    assert!(
        matches!(refused, Err(StoreError::Refused { .. })),
        "a second one could not be told from it"
    );
}

/// Its reason is noted with the open run; only what is queued has an audit entry.
pub async fn a_start_joins_the_run_that_is_open(store: &dyn Store) {
    let site = Site::new(store).await;
    site.read(store, hourly(), 10).await;
    let start = async |now: i64, next: i64| {
        let due = due(store, &site, now).await.remove(0);
        let planned = decide(&due, now, next);
        let run = planned.run.as_ref().map(|run| run.id);
        (run, store.start_planned(&planned, at(now)).await.unwrap())
    };
    assert_eq!(start(10, 100).await, (None, StartOutcome::Noted));
    let before = entries(store, site.tenant).await;
    let (run, queued) = start(100, 200).await;
    let run = run.unwrap();
    assert_eq!(queued, StartOutcome::Queued);
    let log = store
        .audit(site.tenant, &PageRequest::first())
        .await
        .unwrap()
        .items;
    let newest = &log[0].entry;
    assert_eq!(
        (newest.action.as_str(), newest.object.clone()),
        ("run.queue", format!("run:{run}"))
    );
    assert_eq!(entries(store, site.tenant).await, before + 1);
    site.lease(store, run, 150).await;
    assert_eq!(start(200, 300).await.1, StartOutcome::Joined(run));
    assert_eq!(entries(store, site.tenant).await, before + 1);
    let stored = store.run(site.tenant, run).await.unwrap().unwrap();
    assert_eq!(
        stored.reasons.iter().map(|reason| reason.at).collect::<Vec<_>>(),
        [at(100), at(200)]
    );
}

/// Each looks and decides by itself; of each start one counts.
pub async fn of_two_schedulers_each_start_is_one_run(store: &dyn Store) {
    two_schedulers(store, store).await;
}

/// Two control planes on one database, round after round, while a person changes schedules.
pub async fn two_schedulers(one: &dyn Store, other: &dyn Store) {
    let site = Site::new(one).await;
    let mut registries = vec![site.registry];
    for number in 0..24 {
        let mut new = registry(site.tenant, &format!("r{number}"), &[site.sensor]);
        new.schedule = hourly();
        one.add_registry(&new, at(5), &note()).await.unwrap();
        registries.push(new.id);
    }
    let rounds = 4;
    for round in 0..=rounds {
        let (now, next) = (100 * round, 100 * (round + 1));
        let schedulers = [one, other, one, other].map(|store| {
            let site = &site;
            async move {
                let due = due(store, site, now).await;
                let decided: Vec<_> = due.iter().map(|due| decide(due, now, next)).collect();
                join_all(
                    decided
                        .iter()
                        .map(|planned| store.start_planned(planned, at(now))),
                )
                .await
            }
        });
        let person = async {
            // In the middle of it, of one registry.
            let change = RegistryChange {
                schedule: Some(hourly()),
                ..RegistryChange::default()
            };
            let id = registries[usize::try_from(round).unwrap()];
            other
                .change_registry(site.tenant, id, &change, None, at(now), &noted)
                .await
                .unwrap();
        };
        let (outcomes, ()) = futures::join!(join_all(schedulers), person);
        let outcomes: Vec<_> = outcomes.into_iter().flatten().map(Result::unwrap).collect();
        let queued = outcomes
            .iter()
            .filter(|outcome| **outcome == StartOutcome::Queued)
            .count();
        assert!(
            !outcomes
                .iter()
                .any(|outcome| matches!(outcome, StartOutcome::Joined(_)))
        );
        // The one that was changed may have to be looked at once more.
        let late: Vec<_> = due(one, &site, now).await;
        let late = join_all(late.iter().map(|due| {
            let planned = decide(due, now, next);
            async move { one.start_planned(&planned, at(now)).await.unwrap() }
        }));
        let made_up = late
            .await
            .into_iter()
            .filter(|outcome| *outcome == StartOutcome::Queued)
            .count();
        if round > 0 {
            assert_eq!(queued + made_up, registries.len(), "round {round}");
        }
        for id in &registries {
            let runs = usize::try_from(round).unwrap();
            assert_eq!(runs_of(one, &site, *id).await, runs, "round {round}");
        }
        end_all(one, &site, now + 1).await;
    }
}

/// So that the next start finds none to join.
async fn end_all(store: &dyn Store, site: &Site, seconds: i64) {
    loop {
        let waiting = store
            .leasable_runs(at(seconds), &[site.sensor], 100)
            .await
            .unwrap();
        let ours: BTreeSet<RunId> = waiting
            .iter()
            .filter(|run| run.tenant == site.tenant)
            .map(|run| run.run)
            .collect();
        if ours.is_empty() {
            return;
        }
        for run in ours {
            let fence = site.lease(store, run, seconds).await;
            store.close_run(&fence, &whole(0), at(seconds)).await.unwrap();
        }
    }
}

/// A new schedule is no other definition of what is read.
pub async fn a_run_goes_on_as_if_nothing_were_when_the_schedule_is_changed(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")]), ("b", &[("1", "one")])], 10)
        .await;
    let fence = site.start(store, 20).await;
    site.read(store, hourly(), 21).await;
    site.read_on_push(store, 22).await;
    commit_listed(store, &fence, "a", 23).await;
    let closed = store.close_run(&fence, &whole(1), at(24)).await.unwrap();
    assert_eq!(closed.repositories_vanished, 1);
}

/// It was worked out from what is not so any more.
pub async fn a_decision_does_not_outlive_what_it_followed_from(store: &dyn Store) {
    let site = Site::new(store).await;
    site.read_on_push(store, 4).await;
    site.sync(store, &[("a", &[("1", "one")])], 5).await;
    for planned_before in [true, false] {
        if planned_before {
            let new = due(store, &site, 10).await.remove(0);
            store.start_planned(&decide(&new, 10, 20), at(10)).await.unwrap();
        }
        let seen = due(store, &site, 100).await.remove(0);
        assert_eq!(seen.planned, planned_before);
        // Meanwhile a run finds what no event has announced: the next start is to be thought of anew.
        let content = if planned_before { "two" } else { "three" };
        let now = if planned_before { 100 } else { 200 };
        site.sync(store, &[("a", &[("1", content)])], now).await;
        store.judge_silence(at(now + 60)).await.unwrap();
        let late = PlannedStart {
            run: None,
            ..decide(&seen, 100, 100_000)
        };
        let outcome = store.start_planned(&late, at(100)).await.unwrap();
        assert_eq!(outcome, StartOutcome::Superseded);
        assert!(!due(store, &site, 100).await.remove(0).planned);
    }
}

/// What was planned in time stays as it is.
pub async fn what_a_clock_planned_that_was_ahead_is_planned_anew(store: &dyn Store) {
    let site = Site::new(store).await;
    site.read(store, hourly(), 5).await;
    for (planned_at, next, anew) in [(10, 100, false), (90_000, 93_600, true)] {
        let seen = due(store, &site, 100).await.remove(0);
        let planned = PlannedStart {
            run: None,
            ..decide(&seen, planned_at, next)
        };
        store.start_planned(&planned, at(planned_at)).await.unwrap();
        store.clock_is(at(20)).await.unwrap();
        assert_eq!(!due(store, &site, 20).await.is_empty(), anew);
    }
}
