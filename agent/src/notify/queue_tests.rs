use std::collections::BTreeMap;

use jiff::Timestamp;
use portolan_shared::events::{PushEvent, Sender, read};

use super::super::waiting::BELOW_REPOSITORY;
use super::*;

pub(super) fn moment(millis: u64) -> Moment {
    Moment {
        at: Timestamp::from_millisecond(1_800_000_000_000 + i64::try_from(millis).unwrap()).unwrap(),
        uptime: up(millis),
    }
}

pub(super) fn up(millis: u64) -> Uptime {
    Uptime(Duration::from_millis(millis))
}

pub(super) fn queue(registries: usize) -> Queue {
    let names: Vec<RegistryName> = (0..registries)
        .map(|n| format!("r{n}").parse().unwrap())
        .collect();
    Queue::new(&names, moment(0))
}

impl Queue {
    /// Takes what is said of repositories that have one name each.
    pub(super) fn take(&mut self, registry: usize, notification: Notification, now: Moment) {
        self.take_named(registry, notification, &|name| vec![name], now);
    }
}

/// A queue that has told of the start.
fn begun(registries: usize) -> Queue {
    let mut queue = queue(registries);
    let batch = queue.next(1, up(0)).unwrap();
    assert!(
        batch
            .events
            .iter()
            .all(|told| told.action == EventAction::Started)
    );
    assert_eq!(batch.events.len(), registries);
    queue.acknowledged(1, &[]);
    queue
}

pub(super) fn event(action: PushAction, repository: &str, tag: Option<&str>) -> PushEvent {
    PushEvent {
        id: None,
        action,
        repository: repository.parse().unwrap(),
        tag: tag.map(|tag| tag.parse().unwrap()),
        digest: None,
        happened_at: None,
    }
}

pub(super) fn pushed(repository: &str, tag: &str) -> PushEvent {
    event(PushAction::Pushed, repository, Some(tag))
}

pub(super) fn said(events: impl IntoIterator<Item = PushEvent>) -> Notification {
    Notification {
        events: events.into_iter().collect(),
        ..Notification::default()
    }
}

/// Subjects and counts of the next message.
fn next(queue: &mut Queue, millis: u64) -> Vec<(String, u32)> {
    let Some(batch) = queue.next(1, up(millis)) else {
        return Vec::new();
    };
    queue.acknowledged(batch.number, &[]);
    batch
        .events
        .iter()
        .map(|told| (name(&told.subject, told.action), told.count))
        .collect()
}

fn name(subject: &EventSubject, action: EventAction) -> String {
    match subject {
        EventSubject::Tag(repository, tag) => format!("{repository}:{tag} {action}"),
        EventSubject::Digest(repository, digest) => format!("{repository}@{digest} {action}"),
        EventSubject::Repository(repository) => format!("{repository} {action}"),
        EventSubject::EveryTag(repository) => format!("{repository}:* {action}"),
        EventSubject::Registry => action.to_string(),
    }
}

#[test]
fn each_start_is_told_once_of_every_registry() {
    let mut queue = queue(2);
    assert_eq!(queue.due(7), AT_ONCE);
    assert_eq!(
        next(&mut queue, 0),
        [("started".to_owned(), 1), ("started".to_owned(), 1)]
    );
    assert_eq!((queue.due(1), queue.due(2)), (None, None));
}

/// A control plane ends a session with more than 50 messages a second.
#[test]
fn however_much_comes_there_are_no_more_than_25_messages_a_second() {
    let mut queue = begun(1);
    let mut sent = Vec::new();
    for now in 100..2_100 {
        let events = (0..RELAYED_EVENTS).map(|n| pushed(&format!("a/r{}", n % 50), &format!("t{now}-{n}")));
        queue.take(0, said(events), moment(now));
        if let Some(batch) = queue.next(1, up(now)) {
            queue.acknowledged(batch.number, &[]);
            sent.push(now);
        }
    }
    assert_eq!(sent.len(), 50);
    assert!(sent.windows(2).all(|pair| pair[1] - pair[0] >= 40), "{sent:?}");
}

#[test]
fn what_is_said_of_one_subject_within_a_moment_is_told_as_one() {
    let mut queue = begun(1);
    let digest = Digest::sha256_of(b"x");
    let gone = PushEvent {
        digest: Some(digest.clone()),
        ..event(PushAction::Deleted, "a/b", None)
    };
    queue.take(
        0,
        said([
            pushed("a/b", "1"),
            pushed("a/c", "1"),
            event(PushAction::Deleted, "a/b", Some("1")),
        ]),
        moment(100),
    );
    queue.take(0, said([gone, pushed("a/b", "2")]), moment(110));
    queue.take(0, said([pushed("a/b", "1")]), moment(119));
    assert_eq!(queue.due(1), Some(up(120)));
    assert_eq!(next(&mut queue, 119), [], "it lingers");
    let told: Vec<(String, u32)> = [
        ("a/b:1 pushed".to_owned(), 3),
        ("a/c:1 pushed".to_owned(), 1),
        (format!("a/b@{digest} deleted"), 1),
        ("a/b:2 pushed".to_owned(), 1),
    ]
    .into();
    assert_eq!(next(&mut queue, 120), told);
}

#[test]
fn a_whole_repository_covers_what_waits_of_it_and_stands_where_that_stood() {
    let mut queue = begun(1);
    queue.take(
        0,
        said([pushed("a/b", "1"), pushed("a/bc", "1"), pushed("a/b", "2")]),
        moment(0),
    );
    queue.take(
        0,
        said([event(PushAction::RepositoryDeleted, "a/b", None)]),
        moment(5),
    );
    queue.take(0, said([pushed("a/b", "3")]), moment(6));
    let batch = queue.next(1, up(40)).unwrap();
    assert_eq!(batch.events[0].received_at, moment(0).at);
    let told: Vec<_> = batch
        .events
        .iter()
        .map(|told| (name(&told.subject, told.action), told.count))
        .collect();
    assert_eq!(
        told,
        [("a/b:* pushed".to_owned(), 4), ("a/bc:1 pushed".to_owned(), 1)]
    );
}

#[test]
fn a_flood_for_one_repository_is_one_look_at_it() {
    let mut queue = begun(1);
    let tags = |range: std::ops::Range<usize>| said(range.map(|n| pushed("a/b", &format!("t{n}"))));
    queue.take(0, tags(0..BELOW_REPOSITORY), moment(0));
    assert_eq!(queue.waiting.len(), BELOW_REPOSITORY, "at the bound");
    queue.take(0, tags(BELOW_REPOSITORY..10_000), moment(1));
    assert_eq!(next(&mut queue, 1_000), [("a/b:* pushed".to_owned(), 10_000)]);
}

/// Of a repository that was deleted what is known of it is looked at; not so once something was pushed there as well.
#[test]
fn a_push_is_not_looked_for_among_what_is_known_of_its_repository() {
    let deleted = || PushEvent {
        action: PushAction::RepositoryDeleted,
        tag: None,
        ..pushed("a/b", "1")
    };
    for (events, told) in [
        (vec![deleted(), deleted()], "a/b repository_deleted"),
        (vec![deleted(), pushed("a/b", "new")], "a/b:* pushed"),
        (vec![pushed("a/b", "new"), deleted()], "a/b:* pushed"),
    ] {
        let mut queue = begun(1);
        queue.take(0, said(events), moment(0));
        assert_eq!(next(&mut queue, 1_000), [(told.to_owned(), 2)]);
    }
}

#[test]
fn beyond_the_bound_the_fullest_registry_is_looked_at_as_a_whole() {
    let mut queue = begun(2);
    let repositories =
        |range: std::ops::Range<usize>| said(range.map(|n| pushed(&format!("a/r{n}"), "latest")));
    queue.take(0, repositories(0..10), moment(0));
    queue.take(1, repositories(0..SUBJECTS - 10), moment(1));
    assert_eq!(queue.waiting.len(), SUBJECTS, "at the bound");
    // The registry that says little is not the one that pays.
    queue.take(0, repositories(10..11), moment(2));
    assert_eq!(queue.waiting.len(), 11);
    queue.take(1, repositories(0..5), moment(3));
    assert_eq!(queue.waiting.len(), 11, "covered by the mark until that is told");
    let told = next(&mut queue, 1_000);
    let overflowed = u32::try_from(SUBJECTS - 10 + 5).unwrap();
    assert_eq!(told[0], ("overflowed".to_owned(), overflowed));
    assert_eq!(told.len(), 12);
    queue.take(1, repositories(0..5), moment(2_000));
    assert_eq!(next(&mut queue, 3_000).len(), 5, "afterwards one by one again");
}

#[test]
fn what_comes_while_a_message_is_on_its_way_waits_for_the_next() {
    let mut queue = begun(1);
    queue.take(0, said([pushed("a/b", "1")]), moment(0));
    let first = queue.next(1, up(40)).unwrap();
    queue.take(0, said([pushed("a/b", "1")]), moment(50));
    assert_eq!(queue.next(1, up(1_000)), None);
    assert_eq!(
        queue.next(2, up(1_000)),
        Some(Arc::clone(&first)),
        "over another session the same"
    );
    assert_eq!(queue.next(2, up(1_000)), None);
    let again = up(1_000 + 60_000);
    assert_eq!(queue.due(2), Some(again));
    assert_eq!(
        queue.next(2, again),
        Some(Arc::clone(&first)),
        "and over this one after a minute"
    );
    queue.acknowledged(first.number - 1, &[]);
    assert_eq!(
        queue.next(2, again),
        None,
        "the acknowledgement of an earlier one"
    );
    queue.acknowledged(first.number, &[]);
    let second = queue.next(2, Uptime(again.0 + APART)).unwrap();
    assert_eq!((second.number, second.events[0].count), (first.number + 1, 1));
}

#[test]
fn a_message_holds_so_many_events_and_bytes() {
    let mut queue = begun(1);
    let events = (0..600).map(|n| pushed(&format!("r{n}"), "t"));
    queue.take(0, said(events), moment(100));
    assert_eq!(queue.due(1), Some(up(40)), "enough for a message does not linger");
    assert_eq!(next(&mut queue, 100).len(), RELAYED_EVENTS);
    assert_eq!(next(&mut queue, 140).len(), 100);
    let long = "x".repeat(200);
    let events = (0..600).map(|n| pushed(&format!("{long}/r{n}"), &long[..128]));
    queue.take(0, said(events), moment(200));
    let batch = queue.next(1, up(200)).unwrap();
    let bytes: usize = batch.events.iter().map(size).sum();
    assert!(bytes <= BYTES && bytes > BYTES - 1_000, "{bytes}");
}

#[test]
fn repeated_events_are_counted_and_change_nothing() {
    let mut queue = begun(2);
    let with_id = |id: &str| PushEvent {
        id: Some(id.parse().unwrap()),
        ..pushed("a/b", "1")
    };
    queue.take(0, said([with_id("1"), with_id("2"), with_id("1")]), moment(0));
    queue.take(0, said([with_id("2")]), moment(1));
    queue.take(1, said([with_id("1")]), moment(1));
    let batch = queue.next(1, up(100)).unwrap();
    let counts: Vec<u32> = batch.events.iter().map(|told| told.count).collect();
    assert_eq!(counts, [2, 1], "ids are each registry's own");
    assert_eq!(batch.counts.len(), 1);
    assert_eq!((batch.counts[0].ignored, batch.counts[0].refused), (2, 0));
    assert_eq!(batch.counts[0].last_refused, None);
}

#[test]
fn what_two_sources_give_the_same_id_is_no_repetition() {
    let mut queue = begun(1);
    for source in ["/a", "/b", "/a"] {
        let headers = [
            ("ce-type", "zotregistry.image.updated"),
            ("ce-id", "1"),
            ("ce-source", source),
        ];
        let body = br#"{"name": "a/b", "reference": "1"}"#;
        queue.take(0, read(Sender::Zot, &headers, body).unwrap(), moment(0));
    }
    assert_eq!(queue.next(1, up(100)).unwrap().events[0].count, 2);
}

#[test]
fn counts_go_with_events_or_after_half_a_minute() {
    let mut queue = begun(1);
    queue.refuse(Some(0), Refused::Secret, moment(0));
    queue.refuse(None, Refused::Unknown, moment(10));
    let notification = Notification {
        ignored: 3,
        refused: 1,
        ..Notification::default()
    };
    queue.take(0, notification, moment(20));
    assert_eq!(queue.due(1), Some(up(30_000)));
    let batch = queue.next(1, up(30_000)).unwrap();
    assert!(batch.events.is_empty());
    let counts: Vec<_> = batch
        .counts
        .iter()
        .map(|count| {
            (
                count.registry.as_ref().map(ToString::to_string),
                count.ignored,
                count.refused,
                count.last_refused.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        counts,
        [
            (None, 0, 1, Some("unknown_registry")),
            (Some("r0".to_owned()), 3, 2, Some("malformed"))
        ]
    );
    queue.acknowledged(batch.number, &[]);
    assert_eq!(queue.due(1), None, "each is told once");
}

#[test]
fn every_registry_s_counts_come_in_turn() {
    let mut queue = begun(150);
    for registry in 0..150 {
        queue.refuse(Some(registry), Refused::Source, moment(0));
    }
    queue.refuse(None, Refused::Unknown, moment(0));
    let mut told = BTreeMap::new();
    for n in 0..2 {
        let batch = queue.next(1, up(30_000 + 40 * n as u64)).unwrap();
        assert_eq!(batch.counts.len(), [RELAYED_COUNTS, 51][n]);
        for count in &batch.counts {
            *told.entry(count.registry.clone()).or_insert(0) += count.refused;
        }
        queue.acknowledged(batch.number, &[]);
    }
    assert_eq!(queue.due(1), None);
    assert!(told.len() == 151 && told.values().all(|refused| *refused == 1));
}

#[test]
fn names_that_the_control_plane_does_not_know_are_said_once() {
    let mut queue = queue(2);
    let batch = queue.next(1, up(0)).unwrap();
    let unknown = ["r1".to_owned(), "never heard of".to_owned()];
    let names = |names: Vec<RegistryName>| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(queue.acknowledged(batch.number, &unknown)), ["r1"]);
    let mut now = 0;
    let mut tell = |queue: &mut Queue, registry, unknown: &[String]| {
        now += 40;
        queue.take(registry, said([pushed("a", "1")]), moment(now - 20));
        let batch = queue.next(1, up(now)).unwrap();
        let newly = names(queue.acknowledged(batch.number, unknown));
        let still: Vec<bool> = queue.lines().map(|(line, _)| line.is_unknown).collect();
        (newly.len(), still)
    };
    assert_eq!(tell(&mut queue, 1, &unknown), (0, vec![false, true]));
    assert_eq!(
        tell(&mut queue, 0, &[]),
        (0, vec![false, true]),
        "nothing was said of it"
    );
    assert_eq!(tell(&mut queue, 1, &[]), (0, vec![false, false]));
    assert_eq!(tell(&mut queue, 1, &unknown), (1, vec![false, true]));
}
