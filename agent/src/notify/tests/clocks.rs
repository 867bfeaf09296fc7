//! Time that passes while nobody is told of anything, and a time of day that jumps.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use portolan_shared::events::{WebhookSecret, sign_standard};
use portolan_shared::model::{EventAction, EventSubject, RelayedEvents};
use portolan_shared::process::Clock as _;

use super::super::queue::{AGAIN, APART, COUNTS_WAIT};
use super::scene::{Request, SECRET, Scene, push, scene};

const MINUTE: Duration = Duration::from_secs(60);

/// A push to a tag that was pushed to before: another event of the same subject.
fn moved(tag: &str, event: &str) -> Request<'static> {
    let again = push("acme/app", tag).replace(&format!("acme/app-{tag}"), event);
    Request::genuine().with_body(again)
}

fn tag_of(subject: &EventSubject) -> &str {
    match subject {
        EventSubject::Tag(_, tag) => tag.as_str(),
        other => panic!("{other:?}"),
    }
}

/// Opens the queue: its start is told and acknowledged.
fn begin(scene: &Scene) {
    let started = scene.desk.next(1, scene.clock.uptime()).unwrap();
    scene.desk.acknowledged(started.number, &[]);
}

/// The next message, as soon as it is due.
fn next(scene: &Scene, session: u64) -> Arc<RelayedEvents> {
    let due = scene.desk.due(session).unwrap();
    scene.desk.next(session, due.max(scene.clock.uptime())).unwrap()
}

#[tokio::test]
async fn what_comes_in_an_hour_without_a_session_is_told_in_full_by_the_next() {
    let scene = scene().await;
    let begun = scene.clock.now();
    // The session is lost with a message on its way.
    let lost = scene.desk.next(1, scene.clock.uptime()).unwrap();
    for minute in 0..60 {
        for request in [
            Request::genuine().with_body(push("acme/app", &format!("t{minute}"))),
            moved("edge", &format!("e{minute}")),
        ] {
            assert_eq!(scene.send(&request).await, 200, "{minute}");
        }
        let wrong = Request::to("/notify/distribution").with("Authorization", "wrong");
        assert_eq!(scene.send(&wrong).await, 401, "{minute}");
        scene.clock.advance(MINUTE);
    }
    assert_eq!(scene.notifier("distribution").waiting, 61);

    let again = next(&scene, 2);
    assert!(Arc::ptr_eq(&again, &lost), "the same, with the same number");
    assert!(
        again
            .events
            .iter()
            .all(|told| told.action == EventAction::Started)
    );
    let now = scene.clock.uptime();
    assert!(scene.desk.next(2, now).is_none(), "one is on its way at a time");
    scene.desk.acknowledged(again.number, &[]);
    assert_eq!(scene.desk.due(2).unwrap().since(now), APART);
    let told = next(&scene, 2);
    assert_eq!(told.events.len(), 61);
    for event in &told.events {
        let (first, count) = match tag_of(&event.subject) {
            "edge" => (0, 60),
            tag => (tag[1..].parse().unwrap(), 1),
        };
        let came = begun + SignedDuration::from_mins(first);
        assert_eq!((event.received_at, event.count), (came, count), "{event:?}");
    }
    let counts: Vec<_> = told.counts.iter().map(|count| count.refused).collect();
    assert_eq!(counts, [60]);
    scene.desk.acknowledged(told.number, &[]);
    assert_eq!(scene.desk.due(2), None, "and nothing twice");
    scene.end().await;
}

#[tokio::test]
async fn a_time_of_day_that_jumps_puts_nothing_off_and_loses_nothing() {
    for jump in [-48, 48].map(SignedDuration::from_hours) {
        let scene = scene().await;
        let desk = &scene.desk;
        begin(&scene);
        scene.clock.advance(MINUTE);
        let before = scene.clock.now();
        assert_eq!(scene.send(&moved("1", "first")).await, 200);
        let due = desk.due(1).unwrap();
        scene.clock.jump_to(before + jump);
        for request in [moved("2", "second"), moved("1", "third")] {
            assert_eq!(scene.send(&request).await, 200);
        }
        assert_eq!(desk.due(1), Some(due), "{jump}");
        let told = next(&scene, 1);
        let as_told = |told: &RelayedEvents| {
            let events = told.events.iter();
            let told = events.map(|told| (tag_of(&told.subject).to_owned(), told.count, told.received_at));
            told.collect::<Vec<_>>()
        };
        let expected = [("1".to_owned(), 2, before), ("2".to_owned(), 1, before + jump)];
        assert_eq!(
            as_told(&told),
            expected,
            "the first is the one that came first: {jump}"
        );

        // Nor is it told again sooner or later than it would have been, and counts do not wait for another time of day.
        scene.clock.jump_to(before);
        assert_eq!(desk.due(1).unwrap().since(due), AGAIN);
        desk.acknowledged(told.number, &[]);
        assert_eq!(scene.send(&Request::to("/notify/nowhere")).await, 401);
        scene.clock.jump_to(before + jump);
        let waits = desk.due(1).unwrap().since(scene.clock.uptime());
        assert_eq!(waits, COUNTS_WAIT);
        scene.end().await;
    }
}

#[tokio::test]
async fn a_signature_is_judged_by_the_time_of_day_that_is_now() {
    let scene = scene().await;
    let secret: WebhookSecret = SECRET.parse().unwrap();
    let begun = scene.clock.now();
    let signed = |hours: i64| {
        let at = begun + SignedDuration::from_hours(hours);
        let body = r#"{"object_kind":"push"}"#;
        Request::to("/notify/gitlab")
            .with("X-Gitlab-Event", "Push Hook")
            .with("webhook-id", "1")
            .with("webhook-timestamp", at.as_second().to_string())
            .with(
                "webhook-signature",
                sign_standard(&secret, "1", at, body.as_bytes()),
            )
            .with_body(body)
    };
    // Set to the wrong time by hand, and right again.
    for now in [0, 1, -1, 0] {
        scene.clock.jump_to(begun + SignedDuration::from_hours(now));
        for made in [-1, 0, 1] {
            let expected = if made == now { 200 } else { 401 };
            assert_eq!(
                scene.send(&signed(made)).await,
                expected,
                "made at {made}, now {now}"
            );
        }
    }
    let gitlab = scene.notifier("gitlab");
    assert_eq!((gitlab.ignored, gitlab.refused), (4, 8));
    assert_eq!(gitlab.last_refused.as_deref(), Some("stale"));
    scene.end().await;
}
