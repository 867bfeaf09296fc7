//! Windows in which nothing starts that no person has asked for.

use std::num::NonZeroU32;

use portolan_shared::model::{FindingCode, RunId, RunState, RunTrigger};
use portolan_store::{Lapse, NewRun, QueueOutcome, RunRecord, Schedule, Store, WaitsSince};

use crate::site::{Site, at, note, requeue_expired};

/// A minute begins then: the window lasts for two hours from it.
const BEGIN: i64 = 100;
const END: i64 = BEGIN + 7_200;

fn closed() -> Schedule {
    let begin = at(BEGIN).strftime("%H:%M").to_string();
    let end = at(END).strftime("%H:%M").to_string();
    Schedule {
        blackouts: vec![format!("{begin}-{end}").parse().unwrap()],
        ..Schedule::default()
    }
}

/// A site whose registry has the window.
async fn site(store: &dyn Store) -> Site {
    let site = Site::new(store).await;
    site.read(store, closed(), 5).await;
    site
}

async fn queue(store: &dyn Store, site: &Site, trigger: RunTrigger, seconds: i64) -> RunId {
    let run = NewRun {
        trigger,
        ..site.new_run(&[], seconds)
    };
    assert_eq!(
        store.queue_run(&run, &note()).await.unwrap(),
        QueueOutcome::Queued
    );
    run.id
}

async fn leased(store: &dyn Store, site: &Site, run: RunId, seconds: i64) -> bool {
    let lease = store.lease_run(site.tenant, run, site.sensor, site.epoch, at(seconds));
    lease.await.unwrap().is_some()
}

async fn stored(store: &dyn Store, site: &Site, run: RunId) -> RunRecord {
    store.run(site.tenant, run).await.unwrap().unwrap()
}

fn code(run: &RunRecord) -> Option<FindingCode> {
    run.finding.as_ref().map(|finding| finding.code)
}

/// Whatever asked for it, and however long before; to the end of the window, and no longer.
pub async fn what_no_person_asked_for_waits_for_the_end_of_a_blackout(store: &dyn Store) {
    let here = site(store).await;
    for trigger in [RunTrigger::Schedule, RunTrigger::Reconcile, RunTrigger::Event] {
        let place = here.beside(store, trigger.as_str()).await;
        place.read(store, closed(), 5).await;
        let run = queue(store, &place, trigger, 10).await;
        assert!(!leased(store, &place, run, BEGIN).await, "{trigger}");
        let waits = stored(store, &place, run).await;
        assert_eq!((waits.state, waits.not_before), (RunState::Queued, at(END)));
        assert_eq!(code(&waits), Some(FindingCode::ScheduleBlackout));
        let offered = store
            .leasable_runs(at(END - 1), &[place.sensor], 100)
            .await
            .unwrap();
        assert!(!offered.iter().any(|offered| offered.run == run), "{trigger}");
        assert!(!leased(store, &place, run, END - 1).await, "{trigger}");
        assert!(leased(store, &place, run, END).await, "{trigger}");
        assert_eq!(
            code(&stored(store, &place, run).await),
            None,
            "it waits no longer"
        );
    }
    let look = here.queue_look(store, &["a:1"], 10).await;
    assert!(!leased(store, &here, look, BEGIN).await);
    // What people ask for is leased at any time, and what is asked for is leased before and after.
    let asked = here.queue(store, BEGIN).await;
    assert!(leased(store, &here, asked, BEGIN + 1).await);
    let early = here.beside(store, "early").await;
    early.read(store, closed(), 5).await;
    let run = queue(store, &early, RunTrigger::Schedule, 10).await;
    assert!(leased(store, &early, run, BEGIN - 1).await);
}

/// He need not know that it waits.
pub async fn whoever_asks_for_a_run_that_waits_has_it_at_once(store: &dyn Store) {
    let site = site(store).await;
    let run = queue(store, &site, RunTrigger::Schedule, 10).await;
    assert!(!leased(store, &site, run, BEGIN + 10).await);
    let join = async |trigger, seconds| {
        let wish = NewRun {
            trigger,
            ..site.new_run(&[], seconds)
        };
        let joined = store.queue_run(&wish, &note()).await.unwrap();
        assert_eq!(joined, QueueOutcome::Joined(run));
    };
    join(RunTrigger::Schedule, BEGIN + 20).await;
    assert!(!leased(store, &site, run, BEGIN + 20).await, "that was no person");
    join(RunTrigger::Manual, BEGIN + 30).await;
    let waits = stored(store, &site, run).await;
    assert_eq!((waits.not_before, code(&waits)), (at(BEGIN + 30), None));
    assert!(leased(store, &site, run, BEGIN + 30).await);
}

/// To go on is to start, too. A person's goes on.
pub async fn a_lost_run_waits_for_the_end_of_a_blackout_too(store: &dyn Store) {
    let site = site(store).await;
    let lost = queue(store, &site, RunTrigger::Schedule, 10).await;
    assert!(leased(store, &site, lost, 20).await);
    let asked = site.beside(store, "asked").await;
    asked.read(store, closed(), 5).await;
    let persons = asked.start(store, 20).await.attempt.run;
    let taken = requeue_expired(store, BEGIN + 20).await;
    assert_eq!(taken.iter().filter(|lost| lost.tenant == site.tenant).count(), 2);
    assert!(!leased(store, &site, lost, BEGIN + 21).await);
    let waits = stored(store, &site, lost).await;
    assert_eq!(
        (waits.not_before, code(&waits)),
        (at(END), Some(FindingCode::ScheduleBlackout))
    );
    assert!(leased(store, &asked, persons, BEGIN + 21).await);
    assert!(leased(store, &site, lost, END).await);
}

/// What is left of it when a weekend begins is left after it, however long that lasts; and what is said about how long it may take applies then, too.
pub async fn the_time_that_a_blackout_lasts_is_no_time_that_a_run_took(store: &dyn Store) {
    const HOUR: i64 = 3_600;
    /// On a Friday at 20:00.
    const FRIDAY: i64 = 126_400;
    const MONDAY: i64 = FRIDAY + 58 * HOUR;
    assert_eq!(at(FRIDAY).strftime("%a %H:%M").to_string(), "Fri 20:00");
    let windows = ["fri 22:00-24:00", "sat,sun 00:00-24:00", "mon 00:00-06:00"];
    let closed = |hours: u32| Schedule {
        blackouts: windows.map(|window| window.parse().unwrap()).to_vec(),
        max_run_seconds: NonZeroU32::new(hours * 3_600),
        ..Schedule::default()
    };
    let site = Site::new(store).await;
    site.read(store, closed(24), 5).await;
    let run = queue(store, &site, RunTrigger::Schedule, 10).await;
    assert!(leased(store, &site, run, FRIDAY).await);
    requeue_expired(store, FRIDAY + HOUR).await;
    let deadline = async || {
        let deadline = stored(store, &site, run).await.deadline_at.unwrap();
        deadline.as_second() - at(FRIDAY).as_second()
    };
    assert_eq!(deadline().await, 24 * HOUR);
    let lapsed = async |seconds| {
        let waits = WaitsSince {
            for_a_sensor: at(seconds - 48 * HOUR),
            for_anything: at(seconds - 31 * 24 * HOUR),
        };
        let found = store.lapsed_runs(at(seconds), waits, 1_000).await.unwrap();
        let found = found.into_iter().find(|lapsed| lapsed.run == run);
        found.map(|lapsed| lapsed.lapse)
    };
    // Two hours and a half are gone when it is put off, until Monday at 06:00.
    let put_off = FRIDAY + 2 * HOUR + HOUR / 2;
    assert!(!leased(store, &site, run, put_off).await);
    assert_eq!(stored(store, &site, run).await.not_before, at(MONDAY));
    let last = 58 * HOUR + (24 * HOUR - (2 * HOUR + HOUR / 2));
    assert_eq!(deadline().await, last, "it is known already");
    // A look meanwhile, and one after the schedule was written again, change nothing.
    assert!(!leased(store, &site, run, put_off + HOUR).await);
    site.read(store, closed(24), put_off + 2 * HOUR).await;
    assert!(!leased(store, &site, run, put_off + 2 * HOUR).await);
    assert_eq!(deadline().await, last);
    for hours in [20, 26, 40, 57] {
        assert_eq!(lapsed(FRIDAY + hours * HOUR).await, None, "after {hours} hours");
    }
    // It does not wait for ever, should the window never end.
    for (seconds, lapse) in [(put_off, None), (put_off + 1, Some(Lapse::WaitedTooLong))] {
        let waits = WaitsSince {
            for_a_sensor: at(MONDAY),
            for_anything: at(seconds),
        };
        let found = store.lapsed_runs(at(MONDAY), waits, 1_000).await.unwrap();
        let found = found.into_iter().find(|lapsed| lapsed.run == run);
        assert_eq!(found.map(|lapsed| lapsed.lapse), lapse);
    }
    // Somebody has to take it.
    assert_eq!(lapsed(MONDAY + 48 * HOUR).await, None);
    assert_eq!(lapsed(MONDAY + 48 * HOUR + 1).await, Some(Lapse::NotTaken));
    assert!(leased(store, &site, run, MONDAY).await);
    assert_eq!(deadline().await, last);
    assert_eq!(lapsed(FRIDAY + last - 1).await, None);
    assert_eq!(lapsed(FRIDAY + last).await, Some(Lapse::TooLong));
    site.read(store, closed(25), MONDAY + 10).await;
    assert_eq!(deadline().await, last + HOUR);
}

/// A window that is taken away keeps nothing waiting, and one that was moved keeps it waiting for its own end.
pub async fn what_waits_goes_by_the_blackouts_as_they_are_now(store: &dyn Store) {
    let site = site(store).await;
    let run = queue(store, &site, RunTrigger::Schedule, 10).await;
    assert!(!leased(store, &site, run, BEGIN).await);
    let longer = Schedule {
        blackouts: vec![
            closed().blackouts[0],
            format!("{}-{}", at(END).strftime("%H:%M"), at(END + 60).strftime("%H:%M"))
                .parse()
                .unwrap(),
        ],
        ..Schedule::default()
    };
    site.read(store, longer, BEGIN + 10).await;
    let waits = stored(store, &site, run).await;
    assert_eq!((waits.not_before, code(&waits)), (at(BEGIN + 10), None));
    assert!(!leased(store, &site, run, BEGIN + 10).await);
    assert_eq!(stored(store, &site, run).await.not_before, at(END + 60));
    site.read(store, Schedule::default(), BEGIN + 20).await;
    assert!(leased(store, &site, run, BEGIN + 20).await);
}
