//! What is done for one registry, when.

use jiff::{SignedDuration, ToSpan as _};
use portolan_shared::model::{RunTrigger, TenantId};
use portolan_store::DueRegistry;

use super::super::decide::{Decision, Start, decide};
use super::scene::*;

fn due(schedule: Schedule, next: Option<&str>) -> DueRegistry {
    DueRegistry {
        tenant: TenantId::random(&SeededRng::new(1)),
        registry: registry(1),
        name: "gl".parse().unwrap(),
        version: 1,
        schedule,
        planned: next.is_some(),
        next_start_at: next.map(at),
        last_attempt_at: Some(at("2026-11-01T00:00:00Z")),
        last_success_at: None,
        events_since: None,
        unannounced_at: None,
    }
}

fn nothing(next: &str) -> Decision {
    Decision {
        start: None,
        next_start_at: Some(at(next)),
    }
}

fn run(trigger: RunTrigger, since: Option<&str>, next: &str) -> Decision {
    Decision {
        start: Some(Start {
            trigger,
            since: since.map(at),
        }),
        next_start_at: Some(at(next)),
    }
}

fn daily(missed: MissedStart) -> Schedule {
    Schedule {
        missed,
        ..exact("daily 03:00", "UTC")
    }
}

#[test]
fn a_start_that_is_due_is_started_once() {
    let schedule = daily(MissedStart::Skip);
    let now = at("2026-11-21T03:00:00Z");
    let first = decide(&due(schedule.clone(), Some("2026-11-21T03:00:00Z")), now);
    assert_eq!(first, run(RunTrigger::Schedule, None, "2026-11-22T03:00:00Z"));
    assert_eq!(first.start.unwrap().requested_by(), "schedule");
    let mut after = due(schedule, None);
    (after.planned, after.next_start_at) = (true, first.next_start_at);
    assert_eq!(decide(&after, now), nothing("2026-11-22T03:00:00Z"));
}

#[test]
fn a_missed_start_is_made_up_for_once_or_skipped() {
    // Five minutes are not late yet.
    for (now, since) in [
        ("2026-11-21T03:05:00Z", None),
        ("2026-11-21T03:05:01Z", Some("2026-11-21T03:00:00Z")),
    ] {
        let decided = decide(
            &due(daily(MissedStart::RunOnce), Some("2026-11-21T03:00:00Z")),
            at(now),
        );
        assert_eq!(decided, run(RunTrigger::Schedule, since, "2026-11-22T03:00:00Z"));
    }
    // Ten starts were missed: one run, and its reason says since when.
    let decided = decide(
        &due(daily(MissedStart::RunOnce), Some("2026-11-11T03:00:00Z")),
        at("2026-11-21T02:00:00Z"),
    );
    assert_eq!(
        decided,
        run(
            RunTrigger::Schedule,
            Some("2026-11-11T03:00:00Z"),
            "2026-11-21T03:00:00Z"
        )
    );
    assert_eq!(
        decided.start.unwrap().requested_by(),
        "schedule: missed since 2026-11-11T03:00:00Z"
    );
    let decided = decide(
        &due(daily(MissedStart::Skip), Some("2026-11-11T03:00:00Z")),
        at("2026-11-21T02:00:00Z"),
    );
    assert_eq!(decided, nothing("2026-11-21T03:00:00Z"));
}

#[test]
fn a_late_start_does_not_begin_in_a_blackout() {
    let windows = ["04:00-06:00"];
    let late = |missed| {
        decide(
            &due(
                closed(daily(missed), &windows, missed),
                Some("2026-11-21T03:00:00Z"),
            ),
            at("2026-11-21T04:30:00Z"),
        )
    };
    assert_eq!(late(MissedStart::RunOnce), nothing("2026-11-21T06:00:00Z"));
    assert_eq!(late(MissedStart::Skip), nothing("2026-11-22T03:00:00Z"));
    // Not late enough to be missed, and yet a blackout has begun.
    let schedule = closed(exact("daily 03:59", "UTC"), &windows, MissedStart::Skip);
    let decided = decide(
        &due(schedule, Some("2026-11-21T03:59:00Z")),
        at("2026-11-21T04:00:10Z"),
    );
    assert_eq!(decided, nothing("2026-11-22T03:59:00Z"));
}

#[test]
fn a_change_counts_at_once_and_what_was_due_before_it_does_not() {
    let mut changed = due(daily(MissedStart::RunOnce), Some("2026-11-21T01:00:00Z"));
    changed.planned = false;
    assert_eq!(
        decide(&changed, at("2026-11-21T02:00:00Z")),
        nothing("2026-11-21T03:00:00Z")
    );
    for schedule in [
        exact("manual", "UTC"),
        Schedule {
            paused: true,
            ..daily(MissedStart::RunOnce)
        },
    ] {
        for planned in [true, false] {
            let mut held = due(schedule.clone(), Some("2026-11-21T01:00:00Z"));
            held.planned = planned;
            let decided = decide(&held, at("2026-11-21T02:00:00Z"));
            assert_eq!(
                decided,
                Decision {
                    start: None,
                    next_start_at: None
                }
            );
        }
    }
}

#[test]
fn a_clock_that_jumps_starts_nothing_twice() {
    let schedule = daily(MissedStart::RunOnce);
    // Ahead by a month: one start. Back again: the next start is planned for when it comes.
    let ahead = decide(
        &due(schedule.clone(), Some("2026-11-21T03:00:00Z")),
        at("2026-12-21T02:00:00Z"),
    );
    assert_eq!(ahead.next_start_at, Some(at("2026-12-21T03:00:00Z")));
    assert!(ahead.start.is_some());
    let mut back = due(schedule, Some("2026-12-21T03:00:00Z"));
    assert_eq!(
        decide(&back, at("2026-11-21T04:00:00Z")),
        nothing("2026-12-21T03:00:00Z"),
        "as it was planned"
    );
    back.planned = false;
    assert_eq!(
        decide(&back, at("2026-11-21T04:00:00Z")),
        nothing("2026-11-22T03:00:00Z"),
        "planned anew"
    );
}

#[test]
fn what_is_read_on_push_is_reconciled_daily_and_hourly_if_events_are_missing() {
    let schedule = exact("on-push", "UTC");
    let now = at("2026-11-21T12:00:00Z");
    let mut registry = due(schedule, Some("2026-11-21T12:00:00Z"));
    let calm = decide(&registry, now);
    assert_eq!(calm.start.unwrap().trigger, RunTrigger::Reconcile);
    assert!(calm.next_start_at.unwrap().duration_since(now) <= SignedDuration::from_hours(24));
    registry.unannounced_at = Some(now.checked_sub(23.hours()).unwrap());
    let hurried = decide(&registry, now);
    assert!(hurried.next_start_at.unwrap().duration_since(now) <= SignedDuration::from_hours(1));
    registry.unannounced_at = Some(now.checked_sub(24.hours()).unwrap());
    assert_eq!(decide(&registry, now), calm);
}

#[test]
fn what_is_read_on_push_is_read_whole_at_first() {
    let now = at("2026-11-21T12:00:00Z");
    let mut new = due(exact("on-push", "UTC"), None);
    new.last_attempt_at = None;
    new.events_since = Some(now);
    assert_eq!(decide(&new, now), nothing("2026-11-21T12:00:00Z"));
    // Long ago is not since: what changed in between no event has said.
    new.last_attempt_at = Some(at("2026-11-01T00:00:00Z"));
    new.last_success_at = new.last_attempt_at;
    assert_eq!(decide(&new, now), nothing("2026-11-21T12:00:00Z"));
    let mut known = new.clone();
    known.last_success_at = Some(now);
    assert!(decide(&known, now).next_start_at.unwrap() > now);
    // What is never complete is not read again and again.
    let mut partial = new.clone();
    partial.last_attempt_at = Some(now);
    assert_eq!(decide(&partial, now), nothing("2026-11-21T12:00:00Z"));
    partial.unannounced_at = Some(now);
    assert!(decide(&partial, now).next_start_at.unwrap() > now);
    new.schedule = closed(new.schedule, &["08:00-18:00"], MissedStart::Skip);
    assert_eq!(decide(&new, now), nothing("2026-11-21T18:00:00Z"));
}
