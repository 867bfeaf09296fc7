//! What is to be done names what it is to be done with.

use portolan_shared::model::{Finding, FindingCode, RunState, SensorState};
use portolan_store::{EndedRun, RegistryPulse, SensorRecord};

use super::hindrance::revoked;
use super::registry::{paused, scheduled};
use super::scene::{ago, assigned, ended, held, new, now, pulse, run_id, sensor, waiting};
use super::webhook::troubled;
use crate::app::freshness::Concern;
use crate::app::freshness::registry::judge_registry;
use crate::app::freshness::sensor::{SensorDuties, sensor_concerns};
use crate::app::freshness::webhook::webhook_concerns;

/// Every concern that there is of registries.
fn of_registries() -> Vec<Concern> {
    let mut unable = assigned("a");
    unable.can_open = false;
    let mut pulses = vec![
        new(),
        RegistryPulse {
            schedule: scheduled("manual"),
            ..new()
        },
        RegistryPulse {
            last_attempt_at: Some(ago(9)),
            ..new()
        },
        RegistryPulse {
            sensors: vec![revoked()],
            ..pulse()
        },
        RegistryPulse {
            sensors: vec![unable],
            ..pulse()
        },
        RegistryPulse {
            waiting: waiting(9_000),
            ..pulse()
        },
        RegistryPulse {
            next_start_at: Some(ago(9_000)),
            ..pulse()
        },
        RegistryPulse {
            changed: true,
            schedule: paused(),
            ..pulse()
        },
        RegistryPulse {
            last_event_at: Some(ago(9)),
            ..pulse()
        },
        RegistryPulse {
            schedule: scheduled("on-push"),
            unannounced_at: Some(ago(9)),
            ..pulse()
        },
        RegistryPulse {
            last_whole: Some(ended(RunState::Partial, 9)),
            ..pulse()
        },
        RegistryPulse {
            last_whole: Some(ended(RunState::Partial, 9)),
            ..new()
        },
    ];
    // No run ends with what is said of webhooks.
    let of_runs = FindingCode::ALL
        .iter()
        .filter(|code| !code.as_str().starts_with("webhook."));
    for code in of_runs {
        let run = EndedRun {
            finding: Some(Finding::new(*code, "seen")),
            ..ended(RunState::Failed, 9)
        };
        let whole = RegistryPulse {
            last_whole: Some(run.clone()),
            ..pulse()
        };
        let part = RegistryPulse {
            last_run: Some(run),
            last_whole: None,
            ..pulse()
        };
        pulses.extend([whole, part]);
    }
    let judged = pulses.iter().map(|pulse| judge_registry(pulse, now()).1);
    judged.flatten().collect()
}

fn of_sensors() -> Vec<Concern> {
    let mut duties = SensorDuties::default();
    duties.add("gl", true, true);
    let states = [SensorState::Suspended, SensorState::Quarantined];
    let mut sensors = states.map(|state| SensorRecord { state, ..sensor() }).to_vec();
    sensors.push(SensorRecord {
        contested: true,
        ..sensor()
    });
    for last_seen_at in [None, Some(ago(9_000))] {
        sensors.push(SensorRecord {
            last_seen_at,
            ..sensor()
        });
    }
    let held = [held(sensor().id, 9_000)];
    let judged = sensors
        .iter()
        .map(|sensor| sensor_concerns(sensor, &duties, &held, now()));
    judged.flatten().collect()
}

#[test]
fn no_place_is_left_for_a_name_that_is_known() {
    let (registries, sensors) = (of_registries(), of_sensors());
    let webhooks = troubled().map(|record| webhook_concerns(&record, now())).concat();
    let told = |concerns: &[Concern], code| concerns.iter().any(|concern| concern.finding.code == code);
    for code in [
        FindingCode::RegistryNoSensor,
        FindingCode::RegistryChanged,
        FindingCode::RegistryPaused,
        FindingCode::RegistryNeverComplete,
        FindingCode::RegistryIncomplete,
        FindingCode::CredentialAwaitsSealing,
        FindingCode::ScheduleOverdue,
        FindingCode::EventsUnused,
        FindingCode::EventsStopped,
    ] {
        assert!(told(&registries, code), "{code} is not among them");
    }
    for code in [
        FindingCode::SensorAway,
        FindingCode::SensorSuspended,
        FindingCode::SensorQuarantined,
        FindingCode::SensorContested,
        FindingCode::SensorNotProgressing,
    ] {
        assert!(told(&sensors, code), "{code} is not among them");
    }
    assert!(webhooks.len() > 1);
    let is_place = |word: &str| ["NAME", "RUN", "WEBHOOK", "REPOSITORY"].contains(&word);
    for concern in registries.iter().chain(&sensors).chain(&webhooks) {
        for text in [&concern.cure, &concern.command] {
            let mut words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            assert!(!words.any(is_place), "{}: {text}", concern.finding.code);
        }
    }
    for concern in &sensors {
        assert!(!concern.cure.contains("SENSOR"), "{}", concern.cure);
    }
    let cure = |code| {
        let concern = sensors.iter().find(|concern| concern.finding.code == code);
        concern.unwrap().cure.clone()
    };
    let stuck = cure(FindingCode::SensorNotProgressing);
    assert!(stuck.contains("`portolan registry test gl`"), "{stuck}");
    assert!(
        stuck.contains(&format!("`portolan run cancel {}`", run_id())),
        "{stuck}"
    );
    let never = registries
        .iter()
        .find(|concern| concern.finding.code == FindingCode::RegistryNeverComplete);
    let never = &never.unwrap().cure;
    assert!(never.contains("`portolan run list --registry gl`"), "{never}");
}
