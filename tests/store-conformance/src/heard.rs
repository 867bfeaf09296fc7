//! Push events of cases.

use jiff::Timestamp;
use portolan_shared::model::{EventSubject, RunId};
use portolan_shared::process::SystemRng;
use portolan_store::{DueEvents, EventDoor, EventIntake, QueueOutcome, RunRecord, Store};

use crate::site::{Site, name, whole};
use crate::values::at;

pub(crate) fn tag(repository: &str, tag: &str) -> EventSubject {
    EventSubject::Tag(name(repository), tag.parse().unwrap())
}

/// A registry that is read on push.
pub(crate) async fn site(store: &dyn Store) -> Site {
    let site = Site::new(store).await;
    site.read_on_push(store, 5).await;
    site
}

pub(crate) fn intake(site: &Site, subjects: &[EventSubject], now: Timestamp) -> EventIntake {
    EventIntake {
        tenant: site.tenant,
        registry: site.registry,
        door: EventDoor::Webhook,
        subjects: subjects.iter().map(|subject| (subject.clone(), 1)).collect(),
        named_at: std::collections::BTreeMap::new(),
        ignored: 0,
        refused: 0,
        last_refused: None,
        now,
    }
}

pub(crate) async fn note(store: &dyn Store, site: &Site, subjects: &[EventSubject], now: Timestamp) -> bool {
    store
        .note_events(&intake(site, subjects, now))
        .await
        .unwrap()
        .pending
}

pub(crate) async fn is_due(store: &dyn Store, site: &Site, now: Timestamp) -> bool {
    let due = store.due_events(now, 10_000).await.unwrap();
    due.contains(&of(site))
}

pub(crate) fn of(site: &Site) -> DueEvents {
    DueEvents {
        tenant: site.tenant,
        registry: site.registry,
    }
}

/// Takes over what is due, if anything is; gives the run.
pub(crate) async fn take(store: &dyn Store, site: &Site, now: Timestamp) -> Option<RunRecord> {
    let id = RunId::random(&SystemRng);
    match store.queue_event_run(&of(site), id, now).await.unwrap()? {
        QueueOutcome::Queued => Some(store.run(site.tenant, id).await.unwrap().unwrap()),
        other => panic!("{other:?}"),
    }
}

/// Ends a run, so that the next can be queued.
pub(crate) async fn end(store: &dyn Store, site: &Site, run: &RunRecord, seconds: i64) {
    let fence = site.lease(store, run.id, seconds).await;
    store.close_run(&fence, &whole(0), at(seconds)).await.unwrap();
}
