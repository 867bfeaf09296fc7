//! Push events of registries.

use portolan_shared::model::FindingCode as Code;
use portolan_store::RegistryPulse;

use super::registry::{judged, scheduled};
use super::scene::{ago, now, pulse};
use crate::app::freshness::registry::judge_registry;
use crate::app::freshness::{FreshnessState as State, Rank};

#[test]
fn events_that_stop_and_events_that_nobody_heeds_are_told() {
    let week = 7 * 86_400;
    let stopped = vec![(Rank::Risk, Code::EventsStopped)];
    let unused = vec![(Rank::Advice, Code::EventsUnused)];
    for (when, unannounced, event, concerns) in [
        ("on-push", None, Some(10), vec![]),
        ("on-push", None, None, vec![]),
        ("on-push", Some(10), Some(week), stopped.clone()),
        ("on-push", Some(10), None, stopped),
        ("daily", Some(10), None, vec![]),
        ("daily", None, Some(week), unused.clone()),
        ("daily", None, Some(week + 1), vec![]),
        ("manual", None, Some(-5), unused),
    ] {
        let pulse = RegistryPulse {
            schedule: scheduled(when),
            unannounced_at: unannounced.map(ago),
            last_event_at: event.map(ago),
            ..pulse()
        };
        assert_eq!(
            judged(&pulse),
            (State::Well, concerns),
            "{when} {unannounced:?} {event:?}"
        );
    }
    let daily = RegistryPulse {
        last_event_at: Some(ago(10)),
        ..pulse()
    };
    let concerns = judge_registry(&daily, now()).1;
    assert_eq!(
        (concerns[0].finding.seen.as_str(), concerns[0].command.as_str()),
        (
            "events arrive, the last at 2027-01-15T07:59:50Z, but the schedule is daily",
            "portolan registry set gl --schedule on-push"
        )
    );
}
