//! Looks at what events named that came to nothing: what they did not read is looked at again.

use portolan_shared::model::{
    CoverageEntry, EventSubject, Finding, FindingCode, RepositoryOutcome, RunId, RunState,
};
use portolan_shared::process::SystemRng;
use portolan_store::{Fence, Lapse, LapsedRun, QueueOutcome, RepositoryCommit, Store};

use crate::heard::{is_due, note, of, site, tag, take};
use crate::site::{Site, at, commit_of, name, whole};

const ONE: &[(&str, &str)] = &[("1", "one")];

fn finding() -> Finding {
    Finding::new(FindingCode::Internal, "nothing answers")
}

/// Takes what is due over and leases it; gives what is looked at.
async fn start(store: &dyn Store, site: &Site, seconds: i64) -> (Fence, Vec<String>) {
    let run = take(store, site, at(seconds)).await.unwrap();
    (site.lease(store, run.id, seconds).await, run.scope.lines())
}

async fn fail(store: &dyn Store, fence: &Fence, seconds: i64) {
    let failed = store.fail_attempt(fence, &finding(), None, at(seconds)).await;
    assert_eq!(failed.unwrap(), RunState::Failed);
}

async fn report(store: &dyn Store, fence: &Fence, repository: &str, outcome: RepositoryOutcome) {
    let entry = CoverageEntry {
        repository: name(repository),
        outcome,
        finding: Some(finding()),
    };
    store.report_coverage(fence, &[entry], at(0)).await.unwrap();
}

/// The first moment, of these, at which something of the registry is due.
async fn due_from(store: &dyn Store, site: &Site, seconds: i64) -> bool {
    !is_due(store, site, at(seconds - 1)).await && is_due(store, site, at(seconds)).await
}

/// After a minute, five, half an hour; then the whole is looked at in its place.
pub async fn what_a_look_did_not_read_is_looked_at_again_and_at_last_with_the_whole(store: &dyn Store) {
    let site = site(store).await;
    site.sync(store, &[("a", ONE)], 6).await;
    note(store, &site, &[tag("a", "1"), tag("a", "2")], at(10)).await;
    let mut now = 20;
    for pause in [60, 300, 1_800] {
        let (fence, lines) = start(store, &site, now).await;
        assert_eq!(lines, ["a:1", "a:2"]);
        fail(store, &fence, now).await;
        assert!(due_from(store, &site, now + pause).await, "{pause}");
        now += pause;
    }
    let (fence, _) = start(store, &site, now).await;
    fail(store, &fence, now).await;
    assert!(
        due_from(store, &site, 6 + 3_600).await,
        "an hour after the last attempt"
    );
    let (whole_run, lines) = start(store, &site, 6 + 3_600).await;
    assert!(lines.is_empty());
    fail(store, &whole_run, 4_000).await;
    assert!(due_from(store, &site, 4_000 + 3_600).await, "once more");
    let (whole_run, _) = start(store, &site, 7_600).await;
    store.close_run(&whole_run, &whole(0), at(7_601)).await.unwrap();
    assert!(!is_due(store, &site, at(1_000_000)).await);
}

/// Together with what was heard meanwhile, which is looked at as soon as ever.
pub async fn other_events_ask_for_it_at_once(store: &dyn Store) {
    let site = site(store).await;
    note(store, &site, &[tag("a", "1"), tag("b", "1")], at(10)).await;
    let (fence, _) = start(store, &site, 20).await;
    let part = RepositoryCommit {
        only: Some(vec!["1".parse().unwrap()]),
        ..commit_of("b", ONE, RepositoryOutcome::Listed)
    };
    store.commit_repository(&fence, &part, at(21)).await.unwrap();
    report(store, &fence, "a", RepositoryOutcome::Failed).await;
    let closed = store.close_run(&fence, &whole(2), at(22)).await.unwrap();
    assert_eq!(closed.state, RunState::Partial);
    assert!(due_from(store, &site, 82).await);
    note(store, &site, &[tag("a", "2")], at(30)).await;
    let (fence, lines) = start(store, &site, 31).await;
    assert_eq!(lines, ["a:1", "a:2"], "what was read is not read again");
    let read = RepositoryCommit {
        only: Some(vec!["1".parse().unwrap(), "2".parse().unwrap()]),
        ..commit_of("a", ONE, RepositoryOutcome::Listed)
    };
    store.commit_repository(&fence, &read, at(32)).await.unwrap();
    store.close_run(&fence, &whole(1), at(33)).await.unwrap();
    assert!(!is_due(store, &site, at(1_000_000)).await);
    // It begins anew with a minute.
    note(store, &site, &[tag("a", "1")], at(100)).await;
    let (fence, _) = start(store, &site, 110).await;
    fail(store, &fence, 110).await;
    assert!(due_from(store, &site, 170).await);
}

/// However a run fails; but not if somebody wanted it to end, or has chosen another schedule.
pub async fn what_lapses_is_looked_at_again_and_what_is_cancelled_is_not(store: &dyn Store) {
    let site = site(store).await;
    note(store, &site, &[tag("a", "1")], at(10)).await;
    let run = take(store, &site, at(20)).await.unwrap();
    let lapsed = LapsedRun {
        tenant: site.tenant,
        run: run.id,
        registry: site.registry,
        lapse: Lapse::NotTaken,
        asked_at: None,
        held: None,
    };
    assert!(store.end_lapsed(&lapsed, &finding(), at(30)).await.unwrap());
    assert!(due_from(store, &site, 90).await);
    let run = take(store, &site, at(90)).await.unwrap();
    store
        .cancel_run(site.tenant, run.id, at(91), &crate::site::note())
        .await
        .unwrap();
    assert!(!is_due(store, &site, at(1_000_000)).await);
    note(store, &site, &[tag("a", "1")], at(100)).await;
    let (fence, _) = start(store, &site, 110).await;
    site.read(store, portolan_store::Schedule::default(), 111).await;
    fail(store, &fence, 112).await;
    site.read_on_push(store, 113).await;
    assert!(!is_due(store, &site, at(1_000_000)).await);
}

/// A registry that says so of one repository may be wrong: the complete listing follows soon, and once for all of them.
pub async fn only_a_listing_of_the_whole_says_that_a_repository_is_gone(store: &dyn Store) {
    let site = site(store).await;
    site.sync(store, &[("a", ONE), ("b", ONE)], 6).await;
    note(store, &site, &[tag("a", "1"), tag("never", "1")], at(10)).await;
    let (fence, _) = start(store, &site, 20).await;
    report(store, &fence, "never", RepositoryOutcome::Missing).await;
    report(store, &fence, "a", RepositoryOutcome::Missing).await;
    store.close_run(&fence, &whole(2), at(5_000)).await.unwrap();
    assert!(due_from(store, &site, 5_060).await);
    let id = RunId::random(&SystemRng);
    let queued = store.queue_event_run(&of(&site), id, at(5_060)).await.unwrap();
    assert_eq!(queued, Some(QueueOutcome::Queued));
    let fence = site.lease(store, id, 5_061).await;
    let there = commit_of("b", ONE, RepositoryOutcome::Listed);
    store.commit_repository(&fence, &there, at(5_062)).await.unwrap();
    let closed = store.close_run(&fence, &whole(1), at(5_063)).await.unwrap();
    assert_eq!(closed.repositories_vanished, 1);
    assert_eq!(site.record(store).await.unannounced_at, None, "it was announced");
    // Of one that was never known nobody has to know that it is gone.
    note(store, &site, &[tag("never", "1")], at(6_000)).await;
    let (fence, _) = start(store, &site, 6_010).await;
    report(store, &fence, "never", RepositoryOutcome::Missing).await;
    store.close_run(&fence, &whole(1), at(6_011)).await.unwrap();
    assert!(!is_due(store, &site, at(1_000_000)).await);
}

/// Who looks for a repository that is gone is in no hurry; whoever has lost events is.
pub async fn events_that_are_lost_do_not_wait_for_what_may_be_gone(store: &dyn Store) {
    let site = site(store).await;
    site.sync(store, &[("a", ONE)], 6).await;
    note(store, &site, &[tag("a", "1")], at(10)).await;
    let (fence, _) = start(store, &site, 20).await;
    report(store, &fence, "a", RepositoryOutcome::Missing).await;
    store.close_run(&fence, &whole(1), at(21)).await.unwrap();
    assert!(due_from(store, &site, 6 + 3_600).await);
    note(store, &site, &[EventSubject::Registry], at(30)).await;
    assert!(due_from(store, &site, 31).await);
    let run = take(store, &site, at(31)).await.unwrap();
    assert!(run.scope.is_whole());
    assert!(!is_due(store, &site, at(1_000_000)).await, "one look for both");
}

/// A look at the whole would be denied what this one was.
pub async fn what_is_denied_is_given_up_without_a_look_at_the_whole(store: &dyn Store) {
    let site = site(store).await;
    note(store, &site, &[EventSubject::Repository(name("a"))], at(10)).await;
    let mut now = 20;
    for pause in [60, 300, 1_800, 0] {
        let (fence, _) = start(store, &site, now).await;
        report(store, &fence, "a", RepositoryOutcome::Denied).await;
        store.close_run(&fence, &whole(1), at(now)).await.unwrap();
        now += pause;
    }
    assert!(!is_due(store, &site, at(1_000_000)).await);
}

/// Whatever waits of a registry in a blackout is put off at once; another schedule has it thought of anew.
pub async fn what_is_put_off_stands_in_nobodys_way(store: &dyn Store) {
    let site = site(store).await;
    note(store, &site, &[tag("a", "1"), tag("b", "1")], at(10)).await;
    note(store, &site, &[tag("c", "1")], at(20)).await;
    store.put_off_events(&of(&site), at(500)).await.unwrap();
    note(store, &site, &[tag("a", "2")], at(30)).await;
    assert!(due_from(store, &site, 500).await);
    site.read_on_push(store, 40).await;
    assert!(is_due(store, &site, at(40)).await);
    let run = take(store, &site, at(41)).await.unwrap();
    assert_eq!(run.scope.lines(), ["a:1", "a:2", "b:1", "c:1"]);
}
