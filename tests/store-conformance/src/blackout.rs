//! Windows in which nothing starts that no person has asked for.

use portolan_shared::model::{FindingCode, RunId, RunState, RunTrigger};
use portolan_store::{NewRun, QueueOutcome, RunRecord, Schedule, Store};

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
