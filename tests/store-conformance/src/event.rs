//! Push events: noted, coalesced, taken over by runs that look.

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::limits::{
    EVENT_FLOOD, EVENT_FLOOD_MS, EVENT_REPOSITORIES, EVENT_SPACING_MS, EVENT_WHOLE_SPACING_MS,
    EVENT_WINDOW_MS, EVENTS_PER_NOTIFICATION,
};
use portolan_shared::model::{EventSubject, RunId, RunTrigger};
use portolan_shared::process::SystemRng;
use portolan_store::{QueueOutcome, RunRecord, Store, StoreError};

use crate::heard::{end, intake, is_due, note, of, site, tag, take};
use crate::site::{Site, at, commit_listed, digest, name, whole};

/// Milliseconds after a second.
fn ms(seconds: i64, millis: u64) -> Timestamp {
    at(seconds) + SignedDuration::from_millis(i64::try_from(millis).unwrap())
}

/// Due a moment after the first; what comes meanwhile comes along; and no more often than the spacing of looks at a repository allows.
pub async fn events_of_a_repository_are_looked_at_together(store: &dyn Store) {
    let site = site(store).await;
    assert!(note(store, &site, &[tag("a", "2"), tag("b", "1")], at(10)).await);
    let due_at = ms(10, EVENT_WINDOW_MS);
    let before = ms(10, EVENT_WINDOW_MS - 1);
    assert!(note(store, &site, &[tag("a", "1"), tag("a", "2")], before).await);
    assert!(!is_due(store, &site, before).await);
    assert_eq!(take(store, &site, before).await.map(|run| run.id), None);
    assert!(store.next_event_due().await.unwrap().unwrap() <= due_at);
    assert!(is_due(store, &site, due_at).await);
    let run = take(store, &site, due_at).await.unwrap();
    assert_eq!(run.scope.lines(), ["a:1", "a:2", "b:1"]);
    assert_eq!((run.trigger, run.reasons.len()), (RunTrigger::Event, 1));
    assert!(!is_due(store, &site, at(100)).await);
    assert!(take(store, &site, at(100)).await.is_none());

    // Of another repository sooner than of one that was just looked at; but not before the run that is open has ended.
    note(
        store,
        &site,
        &[tag("a", "3"), tag("c", "1")],
        ms(10, EVENT_WINDOW_MS + 10),
    )
    .await;
    assert!(!is_due(store, &site, at(20)).await && take(store, &site, at(20)).await.is_none());
    end(store, &site, &run, 11).await;
    let soon = ms(10, 2 * EVENT_WINDOW_MS + 10);
    let run = take(store, &site, soon).await.unwrap();
    assert_eq!(run.scope.lines(), ["c:1"]);
    end(store, &site, &run, 11).await;
    let later = ms(10, EVENT_WINDOW_MS + EVENT_SPACING_MS);
    assert!(
        take(store, &site, ms(10, EVENT_WINDOW_MS + EVENT_SPACING_MS - 1))
            .await
            .is_none()
    );
    assert_eq!(take(store, &site, later).await.unwrap().scope.lines(), ["a:3"]);
}

/// Ten thousand of them are one row and one run.
pub async fn a_flood_of_events_for_one_repository_is_one_run(store: &dyn Store) {
    let site = site(store).await;
    for batch in 0..10 {
        let many = vec![tag("a", "latest"); EVENTS_PER_NOTIFICATION];
        note(store, &site, &many, ms(10, batch)).await;
    }
    let counts = store.event_counts(site.tenant, site.registry).await.unwrap();
    assert_eq!(counts[0].accepted, 10_000);
    let run = take(store, &site, at(11)).await.unwrap();
    assert_eq!(run.scope.lines(), ["a:latest"]);
    end(store, &site, &run, 11).await;
    assert!(!is_due(store, &site, at(1_000)).await);
    let too_many = vec![tag("a", "latest"); EVENTS_PER_NOTIFICATION + 1];
    let refused = store.note_events(&intake(&site, &too_many, at(12))).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })));
}

/// As long as it goes on it is waited for, but for no more than a few seconds; what is no flood does not wait.
pub async fn a_flood_is_looked_at_when_it_is_over_and_within_seconds(store: &dyn Store) {
    let site = site(store).await;
    let flood = vec![tag("a", "latest"); usize::try_from(EVENT_FLOOD).unwrap()];
    let step = EVENT_WINDOW_MS / 2;
    note(store, &site, &flood, at(10)).await;
    note(store, &site, &[tag("b", "1")], at(10)).await;
    note(store, &site, &[tag("b", "2")], ms(10, step)).await;
    let window = ms(10, EVENT_WINDOW_MS);
    assert!(is_due(store, &site, window).await, "at the bound it is none");
    for more in 1..=3 {
        note(store, &site, &[tag("a", "latest")], ms(10, more * step)).await;
    }
    let run = take(store, &site, window).await.unwrap();
    assert_eq!(run.scope.lines(), ["b:1", "b:2"]);
    end(store, &site, &run, 11).await;
    let over = 3 * step + EVENT_WINDOW_MS;
    assert!(!is_due(store, &site, ms(10, over - 1)).await);
    let run = take(store, &site, ms(10, over)).await.unwrap();
    assert_eq!(run.scope.lines(), ["a:latest"]);
    end(store, &site, &run, 11).await;

    // One without end.
    for more in 0..EVENT_FLOOD_MS / step {
        note(store, &site, &flood, ms(20, more * step)).await;
    }
    assert!(!is_due(store, &site, ms(20, EVENT_FLOOD_MS - 1)).await);
    assert!(is_due(store, &site, ms(20, EVENT_FLOOD_MS)).await);
    // What was put off is not brought forward.
    store.put_off_events(&of(&site), at(500)).await.unwrap();
    note(store, &site, &flood, at(30)).await;
    assert!(!is_due(store, &site, ms(499, 999)).await && is_due(store, &site, at(500)).await);
}

/// Whatever has listed it and not said so yet; what has yet to begin will not list it.
pub async fn what_is_deleted_while_it_is_listed_is_looked_at(store: &dyn Store) {
    let site = site(store).await;
    let gone = |repository: &str| [EventSubject::Digest(name(repository), digest("unknown"))];
    let run = site.queue(store, 10).await;
    assert!(!note(store, &site, &gone("a"), at(11)).await, "it has not begun");
    let fence = site.lease(store, run, 12).await;
    assert!(note(store, &site, &gone("a"), at(13)).await);
    let look = take(store, &site, at(14)).await.unwrap();
    assert_eq!(look.scope.lines(), ["a"]);
    store.close_run(&fence, &whole(0), at(15)).await.unwrap();
    end(store, &site, &look, 16).await;
    assert!(
        !note(store, &site, &gone("a"), at(20)).await,
        "nothing is under way"
    );

    let narrow = site.queue_scope(store, &["b"], 21).await;
    let fence = site.lease(store, narrow, 22).await;
    assert!(!note(store, &site, &gone("a"), at(23)).await);
    assert!(note(store, &site, &gone("b"), at(23)).await);
    assert_eq!(take(store, &site, at(24)).await.unwrap().scope.lines(), ["b"]);
    store.close_run(&fence, &whole(0), at(25)).await.unwrap();
}

/// An agent that starts again and again, or loses events all the time, does not have its registry read all the time.
pub async fn a_whole_registry_is_not_looked_at_again_and_again(store: &dyn Store) {
    let site = site(store).await;
    note(store, &site, &[EventSubject::Registry], at(10)).await;
    let run = take(store, &site, at(11)).await.unwrap();
    end(store, &site, &run, 12).await;
    for start in 0..20 {
        note(store, &site, &[EventSubject::Registry], at(13 + start)).await;
    }
    note(store, &site, &[tag("a", "1")], at(40)).await;
    let look = take(store, &site, at(41)).await.unwrap();
    assert_eq!(look.scope.lines(), ["a:1"], "what is named does not wait with it");
    end(store, &site, &look, 42).await;
    let spaced = ms(11, EVENT_WHOLE_SPACING_MS);
    assert!(!is_due(store, &site, ms(11, EVENT_WHOLE_SPACING_MS - 1)).await);
    assert!(store.next_event_due().await.unwrap().unwrap() <= spaced);
    assert!(take(store, &site, spaced).await.unwrap().scope.is_whole());
}

/// What is deleted is looked at under the names that it was known by.
pub async fn deletions_are_looked_at_tag_by_tag(store: &dyn Store) {
    let site = site(store).await;
    let many: Vec<String> = (0..=100).map(|i| format!("t{i:03}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|tag| (tag.as_str(), "many")).collect();
    let few: &[(&str, &str)] = &[("1", "one"), ("2", "two"), ("latest", "two")];
    site.sync(
        store,
        &[("a", few), ("b", few), ("c", few), ("d", &many), ("e", &many)],
        6,
    )
    .await;
    let gone = |repository, content| EventSubject::Digest(name(repository), digest(content));
    assert!(
        !note(
            store,
            &site,
            &[gone("a", "unknown"), gone("unknown", "two")],
            at(10)
        )
        .await
    );
    let subjects = [
        gone("a", "two"),
        EventSubject::Repository(name("b")),
        EventSubject::Repository(name("d")),
        gone("e", "many"),
        EventSubject::Repository(name("new")),
    ];
    assert!(note(store, &site, &subjects, at(10)).await);
    let run = take(store, &site, at(11)).await.unwrap();
    let expected = ["d", "e", "new", "a:2", "a:latest", "b:1", "b:2", "b:latest"];
    assert_eq!(
        run.scope.lines(),
        expected,
        "more than a hundred are the whole repository"
    );

    // It is looked at just now, and may be found to point there.
    assert!(
        note(
            store,
            &site,
            &[gone("a", "unknown"), gone("c", "unknown")],
            at(12)
        )
        .await
    );
    end(store, &site, &run, 12).await;
    assert_eq!(
        take(store, &site, at(20)).await.unwrap().scope.lines(),
        ["a:2", "a:latest"]
    );
}

/// Not only the tags that are known of it: what was pushed are others.
pub async fn a_repository_in_which_much_was_pushed_is_looked_at_as_a_whole(store: &dyn Store) {
    let site = site(store).await;
    site.sync(store, &[("a", &[("1", "one")])], 6).await;
    note(store, &site, &[EventSubject::EveryTag(name("a"))], at(10)).await;
    assert_eq!(take(store, &site, at(11)).await.unwrap().scope.lines(), ["a"]);
}

/// Each run takes as much as it may, the most overdue first; too many tags are the repository, too many repositories the registry.
pub async fn events_have_bounds_above_which_more_is_looked_at(store: &dyn Store) {
    let site = site(store).await;
    let tags = |count: usize, of: &str| {
        (0..count)
            .map(|i| tag(of, &format!("t{i:03}")))
            .collect::<Vec<_>>()
    };
    note(store, &site, &tags(100, "full"), at(10)).await;
    note(store, &site, &tags(101, "over"), at(11)).await;
    note(store, &site, &tags(1, "late"), at(12)).await;
    let run = take(store, &site, at(20)).await.unwrap();
    assert_eq!(
        (run.scope.references.len(), run.scope.repositories),
        (100, vec![name("over")])
    );
    end(store, &site, &run_of(store, &site, run.id).await, 20).await;
    let run = take(store, &site, at(20)).await.unwrap();
    assert_eq!(run.scope.lines(), ["late:t000"], "it stayed due");
    end(store, &site, &run, 21).await;

    let names: Vec<_> = (0..EVENT_REPOSITORIES)
        .map(|i| tag(&format!("r{i}"), "1"))
        .collect();
    note(store, &site, &names, at(30)).await;
    note(store, &site, &names[..5], at(30)).await;
    let run = take(store, &site, at(31)).await.unwrap();
    assert_eq!(run.scope.references.len(), 100);
    let more: Vec<_> = (0..100).map(|i| tag(&format!("s{i}"), "1")).collect();
    note(store, &site, &more, at(31)).await;
    end(store, &site, &run, 31).await;
    let run = take(store, &site, at(40)).await.unwrap();
    assert_eq!(run.scope.references.len(), 100, "there is room for as many");
    note(store, &site, &more, at(41)).await;
    note(store, &site, &names, at(41)).await;
    end(store, &site, &run, 41).await;
    let run = take(store, &site, at(50)).await.unwrap();
    assert!(run.scope.is_whole(), "{:?}", run.scope);
    assert!(!is_due(store, &site, at(60)).await, "nothing else is left");
    note(store, &site, &[tag("later", "1")], at(60)).await;
    let beside = take(store, &site, at(61)).await.unwrap();
    assert_eq!(beside.scope.lines(), ["later:1"], "it does not wait for that");
}

async fn run_of(store: &dyn Store, site: &Site, run: RunId) -> RunRecord {
    store.run(site.tenant, run).await.unwrap().unwrap()
}

/// It joins a run that has not looked yet, and waits for the end of one that has.
pub async fn a_look_at_the_whole_joins_a_run_that_has_not_begun(store: &dyn Store) {
    let site = site(store).await;
    let run = site.queue(store, 10).await;
    assert!(note(store, &site, &[EventSubject::Registry], at(11)).await);
    let due = of(&site);
    let queue = |now| store.queue_event_run(&due, RunId::random(&SystemRng), at(now));
    assert_eq!(queue(12).await.unwrap(), Some(QueueOutcome::Joined(run)));
    let reasons = run_of(store, &site, run).await.reasons;
    assert_eq!(reasons.last().unwrap().trigger, RunTrigger::Event);
    let fence = site.lease(store, run, 13).await;
    note(store, &site, &[EventSubject::Registry], at(14)).await;
    assert!(!is_due(store, &site, at(20)).await && queue(20).await.unwrap().is_none());
    commit_listed(store, &fence, "a", 21).await;
    store.return_lease(&fence, at(22)).await.unwrap();
    assert!(
        !is_due(store, &site, at(22)).await && queue(22).await.unwrap().is_none(),
        "it has begun"
    );
    let fence = site.lease(store, run, 23).await;
    store.close_run(&fence, &whole(1), at(24)).await.unwrap();
    let spaced = ms(12, EVENT_WHOLE_SPACING_MS);
    assert!(is_due(store, &site, spaced).await);
    let id = RunId::random(&SystemRng);
    let queued = store.queue_event_run(&due, id, spaced).await.unwrap();
    assert_eq!(queued, Some(QueueOutcome::Queued));
}

/// Whoever is first takes all of it over.
pub async fn of_many_takers_one_queues_the_run(store: &dyn Store) {
    two_takers(store, store).await;
}

/// Two control planes on one database.
pub async fn two_takers(one: &dyn Store, other: &dyn Store) {
    let site = site(one).await;
    for round in 1..=5 {
        let (noted, taken) = (at(10 * round), at(10 * round + 5));
        let subjects = ["a", "b", "c"].map(|repository| tag(repository, &round.to_string()));
        let notes = subjects
            .iter()
            .map(|subject| note(other, &site, std::slice::from_ref(subject), noted));
        assert!(join_all(notes).await.into_iter().all(|pending| pending));
        let takers = [one, other, one, other].map(|store| take(store, &site, taken));
        let runs: Vec<_> = join_all(takers).await.into_iter().flatten().collect();
        let [run] = &runs[..] else {
            panic!("{} runs", runs.len())
        };
        assert_eq!(
            run.scope.lines(),
            ["a", "b", "c"].map(|repository| format!("{repository}:{round}"))
        );
        end(one, &site, run, 10 * round + 6).await;
    }
}

/// Whoever asks for the whole again and again, before each run has ended, has it looked at for the events, too.
pub async fn a_look_at_the_whole_joins_the_run_that_follows_one_that_has_begun(store: &dyn Store) {
    let site = site(store).await;
    let run = site.queue(store, 10).await;
    let fence = site.lease(store, run, 11).await;
    note(store, &site, &[EventSubject::Registry], at(12)).await;
    assert!(
        !is_due(store, &site, at(20)).await,
        "it may have looked too early"
    );
    let follower = site.queue(store, 21).await;
    assert!(is_due(store, &site, at(22)).await);
    assert!(store.next_event_due().await.unwrap().unwrap() <= at(22));
    let (due, id) = (of(&site), RunId::random(&SystemRng));
    let queued = store.queue_event_run(&due, id, at(22)).await.unwrap();
    assert_eq!(queued, Some(QueueOutcome::Joined(follower)));
    let reasons = run_of(store, &site, follower).await.reasons;
    assert_eq!(reasons.last().unwrap().trigger, RunTrigger::Event);
    assert!(!is_due(store, &site, at(10_000)).await, "nothing else is left");

    // When that has begun, and another one waits, and so on.
    store.close_run(&fence, &whole(0), at(30)).await.unwrap();
    let fence = site.lease(store, follower, 31).await;
    note(store, &site, &[EventSubject::Registry], at(10_000)).await;
    assert!(!is_due(store, &site, at(20_000)).await);
    let next = site.queue(store, 20_000).await;
    let id = RunId::random(&SystemRng);
    let queued = store.queue_event_run(&due, id, at(20_001)).await.unwrap();
    assert_eq!(queued, Some(QueueOutcome::Joined(next)));
    store.close_run(&fence, &whole(0), at(20_002)).await.unwrap();
}

/// However wrong the clock was before.
pub async fn a_clock_that_is_set_back_keeps_no_event_waiting(store: &dyn Store) {
    let site = site(store).await;
    note(store, &site, &[tag("a", "1")], at(10_000)).await;
    let run = take(store, &site, at(10_001)).await.unwrap();
    end(store, &site, &run, 10_002).await;
    note(store, &site, &[tag("b", "1")], at(10_003)).await;
    note(store, &site, &[tag("a", "2")], at(10)).await;
    assert_eq!(take(store, &site, at(11)).await.unwrap().scope.lines(), ["a:2"]);
    store.clock_is(at(10)).await.unwrap();
    assert!(!is_due(store, &site, at(11)).await, "a run is open");
    let run = store.leasable_runs(at(20_000), &[site.sensor], 1).await.unwrap()[0].run;
    end(store, &site, &run_of(store, &site, run).await, 20_000).await;
    assert_eq!(take(store, &site, at(12)).await.unwrap().scope.lines(), ["b:1"]);
}

/// After an hour in which nothing was heard; what waits is never forgotten.
pub async fn what_was_looked_at_is_forgotten_in_time(store: &dyn Store) {
    let site = site(store).await;
    note(store, &site, &[tag("a", "1")], at(10)).await;
    take(store, &site, at(20)).await.unwrap();
    note(store, &site, &[tag("b", "1")], at(30)).await;
    store.forget_idle_events(at(20 + 3_599)).await.unwrap();
    store.forget_idle_events(at(20 + 3_600)).await.unwrap();
    assert_eq!(store.forget_idle_events(at(20 + 3_600)).await.unwrap(), 0);
    let run = store.leasable_runs(at(4_000), &[site.sensor], 1).await.unwrap()[0].run;
    end(store, &site, &run_of(store, &site, run).await, 4_000).await;
    assert_eq!(
        take(store, &site, at(4_000)).await.unwrap().scope.lines(),
        ["b:1"]
    );
}
