//! Things to be judged.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{
    AttemptRef, Finding, FindingCode, HostFacts, RegistryId, RepositoryPatterns, RunId, RunState, SensorId,
    SensorState, TenantId,
};
use portolan_shared::process::SeededRng;
use portolan_store::{
    AssignedSensor, Certificate, Continuity, EndedRun, HeldRun, KnownFacts, MachineFacts, RegistryPulse,
    SensorRecord, WaitingRun,
};

/// Now, in every test.
pub(super) const NOW: i64 = 1_800_000_000;

/// A time, in seconds before now; after it if negative.
pub(super) fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

pub(super) fn run_id() -> RunId {
    RunId::random(&SeededRng::new(1))
}

/// A registry that is read daily, was added a day ago and has been seen whole an hour ago, with one sensor that is connected.
pub(super) fn pulse() -> RegistryPulse {
    RegistryPulse {
        registry: RegistryId::random(&SeededRng::new(2)),
        name: "gl".parse().unwrap(),
        schedule: portolan_store::Schedule {
            when: "daily".parse().unwrap(),
            ..portolan_store::Schedule::default()
        },
        paused_at: None,
        repositories: RepositoryPatterns::all(),
        changed: false,
        created_at: ago(86_400),
        last_attempt_at: Some(ago(3_660)),
        last_success_at: Some(ago(3_600)),
        next_start_at: Some(ago(-3_600)),
        last_event_at: None,
        unannounced_at: None,
        facts: KnownFacts::default(),
        last_whole: Some(ended(RunState::Complete, 3_600)),
        last_run: Some(ended(RunState::Complete, 3_600)),
        being_read: false,
        queued: false,
        waiting: None,
        sensors: vec![assigned("berlin-1")],
    }
}

/// The same, as it was before anything had read it.
pub(super) fn new() -> RegistryPulse {
    RegistryPulse {
        last_attempt_at: None,
        last_success_at: None,
        last_whole: None,
        last_run: None,
        ..pulse()
    }
}

pub(super) fn ended(state: RunState, seconds: i64) -> EndedRun {
    let finding =
        (state == RunState::Failed).then(|| Finding::new(FindingCode::Unreachable, "no route to host"));
    EndedRun {
        run: run_id(),
        state,
        ended_at: ago(seconds),
        finding,
    }
}

/// A run that its schedule or an event has asked for so many seconds ago.
pub(super) fn waiting(seconds: i64) -> Option<WaitingRun> {
    Some(WaitingRun {
        run: run_id(),
        since: ago(seconds),
    })
}

pub(super) fn assigned(name: &str) -> AssignedSensor {
    AssignedSensor {
        sensor: SensorId::random(&SeededRng::new(3)),
        name: name.to_owned(),
        state: SensorState::Active,
        last_seen_at: Some(ago(5)),
        can_open: true,
    }
}

/// A sensor that was heard of five seconds ago.
pub(super) fn sensor() -> SensorRecord {
    SensorRecord {
        id: SensorId::random(&SeededRng::new(3)),
        tenant: TenantId::random(&SeededRng::new(4)),
        name: "berlin-1".to_owned(),
        state: SensorState::Active,
        contested: false,
        identity_public_key: [0; 32],
        current: Certificate {
            serial: [0; 16],
            not_after: ago(-86_400),
        },
        new: None,
        session_epoch: 1,
        host: HostFacts::default(),
        policy_hash: None,
        policy_summary: String::new(),
        notify_url: None,
        clock_skew_ms: 0,
        enrolled_at: ago(86_400),
        enrolled_from: String::new(),
        last_seen_at: Some(ago(5)),
        revoked_at: None,
        continuity: Continuity::default(),
        generation: 1,
        approved_until: None,
        approved_fingerprint: None,
        amnesty_until: None,
        machine: MachineFacts::default(),
        deleted_at: None,
    }
}

/// A run that this sensor works on, of which something last moved so many seconds ago.
pub(super) fn held(sensor: SensorId, seconds: i64) -> HeldRun {
    HeldRun {
        sensor,
        attempt: AttemptRef {
            run: run_id(),
            attempt: 1,
        },
        registry_name: "gl".parse().unwrap(),
        progress_at: Some(ago(seconds)),
        lease_until: ago(-45),
    }
}
