//! What holds of every schedule, at every moment.

use portolan_shared::model::{RunTrigger, TenantId};
use portolan_store::{Blackouts, DueRegistry};
use proptest::prelude::*;

use super::super::decide::decide;
use super::scene::*;

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let when = prop_oneof![
        (1_u32..3_000).prop_map(|minutes| format!("every {minutes}m")),
        Just("hourly".to_owned()),
        Just("daily".to_owned()),
        Just("weekly".to_owned()),
        Just("on-push".to_owned()),
        (0_u8..24, 0_u8..60).prop_map(|(hour, minute)| format!("daily {hour:02}:{minute:02}")),
        (0_u8..4, 0_u8..60).prop_map(|(hour, minute)| format!("weekly sun {hour:02}:{minute:02}")),
        (0_u8..60, 0_u8..24).prop_map(|(minute, hour)| format!("{minute} {hour} * * *")),
        (1_u8..30).prop_map(|step| format!("*/{step} * * * *")),
        (1_u8..30, 0_u8..24).prop_map(|(step, hour)| format!("*/{step} {hour} * * mon-fri")),
        (1_u8..12, 1_u8..32).prop_map(|(step, day)| format!("7 */{step} {day} * *")),
    ];
    let zone = prop_oneof![
        Just("UTC"),
        Just("Europe/Berlin"),
        Just("America/New_York"),
        Just("Australia/Lord_Howe"),
        Just("Asia/Kolkata"),
        Just("Africa/Casablanca"),
    ];
    // Half of them begin and end when starts do, too.
    let minutes = prop_oneof![
        (0_u16..1440, 1_u16..900),
        (0_u16..72, 1_u16..45).prop_map(|(from, long)| (from * 20, long * 20)),
    ];
    let window = (minutes, 1_u8..128).prop_map(|((from, long), days)| {
        let to = (from + long) % 1440;
        let to = if to == from { (to + 1) % 1440 } else { to };
        let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let days: Vec<_> = (0..7)
            .filter(|day| days & (1 << day) != 0)
            .map(|day| names[day])
            .collect();
        format!(
            "{} {:02}:{:02}-{:02}:{:02}",
            days.join(","),
            from / 60,
            from % 60,
            to / 60,
            to % 60
        )
    });
    let windows = proptest::collection::vec(window, 0..4);
    let jitter = proptest::option::of(0_u32..7_200);
    (when, zone, jitter, windows, any::<bool>()).prop_map(|(when, zone, jitter_seconds, windows, skip)| {
        Schedule {
            when: when.parse().unwrap(),
            zone: zone.parse().unwrap(),
            jitter_seconds,
            blackouts: windows.iter().map(|window| window.parse().unwrap()).collect(),
            missed: if skip {
                MissedStart::Skip
            } else {
                MissedStart::RunOnce
            },
            ..Schedule::default()
        }
    })
}

/// Moments of two years, close to when clocks are set in half of the cases.
fn any_moment() -> impl Strategy<Value = Timestamp> {
    let set = prop_oneof![
        Just("2026-03-29T01:00:00Z"),
        Just("2026-10-25T01:00:00Z"),
        Just("2026-03-08T07:00:00Z"),
        Just("2026-11-01T06:00:00Z"),
        Just("2026-04-04T15:00:00Z"),
        Just("2026-10-03T15:30:00Z"),
    ];
    prop_oneof![
        (0_i64..2 * 366 * 86_400).prop_map(|after| Timestamp::from_second(1_767_225_600 + after).unwrap()),
        (set, -10_000_i64..10_000)
            .prop_map(|(set, off)| Timestamp::from_second(at(set).as_second() + off).unwrap()),
    ]
}

fn due(schedule: &Schedule, number: u64) -> DueRegistry {
    DueRegistry {
        tenant: TenantId::random(&SeededRng::new(1)),
        registry: registry(number),
        name: "gl".parse().unwrap(),
        version: 1,
        schedule: schedule.clone(),
        planned: false,
        next_start_at: None,
        last_attempt_at: Some(Timestamp::UNIX_EPOCH),
        // It was read before: what is read on push is not to be read at once.
        last_success_at: Some(Timestamp::UNIX_EPOCH),
        events_since: None,
        unannounced_at: None,
    }
}

proptest! {
    #[test]
    fn starts_come_after_now_in_order_and_outside_blackouts(
        schedule in any_schedule(), now in any_moment(), number in 0_u64..20,
    ) {
        let blackouts = Blackouts::of(&schedule);
        let mut last = now;
        for start in Starts::of(&schedule, registry(number)).after(now).take(12) {
            prop_assert!(start > last, "{start} after {last}");
            prop_assert_eq!(start.subsec_nanosecond(), 0);
            prop_assert_eq!(blackouts.around(start), None);
            last = start;
        }
    }

    #[test]
    fn the_next_start_is_the_one_that_looking_at_every_slot_finds(
        schedule in any_schedule(), now in any_moment(), number in 0_u64..20,
    ) {
        let starts = Starts::of(&schedule, registry(number));
        let mut after = now;
        for _ in 0..4 {
            let next = starts.next(after);
            prop_assert_eq!(next, starts.next_plainly(after), "after {}", after);
            let Some(next) = next else { break };
            after = next;
        }
    }

    #[test]
    fn the_next_start_is_the_same_from_wherever_it_is_looked_for(
        schedule in any_schedule(), now in any_moment(), number in 0_u64..20, later in 0_i64..200_000,
    ) {
        let starts = Starts::of(&schedule, registry(number));
        let Some(next) = starts.next(now) else { return Ok(()) };
        let later = Timestamp::from_second(now.as_second() + later).unwrap();
        let from_later = starts.next(later);
        if later < next {
            prop_assert_eq!(from_later, Some(next));
        } else {
            prop_assert!(from_later.is_none_or(|start| start > next));
        }
        // And from the moment just before it.
        let before = Timestamp::from_second(next.as_second() - 1).unwrap();
        prop_assert_eq!(starts.next(before), Some(next));
    }

    #[test]
    fn a_decision_that_was_carried_out_leaves_nothing_to_do(
        schedule in any_schedule(), now in any_moment(), number in 0_u64..20, lateness in 0_i64..1_000_000,
    ) {
        let mut registry = due(&schedule, number);
        let Some(planned) = decide(&registry, now).next_start_at else { return Ok(()) };
        prop_assert!(planned > now);
        (registry.planned, registry.next_start_at) = (true, Some(planned));
        let late = Timestamp::from_second(planned.as_second() + lateness).unwrap();
        let decided = decide(&registry, late);
        prop_assert!(decided.next_start_at.is_none_or(|next| next > late));
        if let Some(start) = decided.start {
            let expected = if schedule.when == portolan_store::When::OnPush { RunTrigger::Reconcile } else { RunTrigger::Schedule };
            prop_assert_eq!(start.trigger, expected);
            prop_assert_eq!(Blackouts::of(&schedule).around(late), None);
        }
        registry.next_start_at = decided.next_start_at;
        let again = decide(&registry, late);
        prop_assert_eq!((again.start, again.next_start_at), (None, decided.next_start_at));
    }
}
