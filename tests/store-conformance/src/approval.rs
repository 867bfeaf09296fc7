//! What an approval lets through, whom, and for how long; what is noted and counted beside it; what is forgotten.

use std::sync::Mutex;

use portolan_shared::model::{Reason, SensorId, SensorState, TenantId};
use portolan_store::{
    Conflicts, ContinuityHash, JudgedRecovery, RecoveryClaim, RecoveryGrounds, RecoveryOutcome, SensorRecord,
    StandingChange, Store,
};

use crate::site::{at, bytes, certificate, note, revoke, sensor, session, tenant, token};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

async fn change(store: &dyn Store, tenant: TenantId, sensor: SensorId, change: StandingChange) -> bool {
    store
        .change_standing(tenant, sensor, change, at(20), &note())
        .await
        .unwrap()
}

async fn record(store: &dyn Store, tenant: TenantId, sensor: SensorId) -> SensorRecord {
    store.sensor(tenant, sensor).await.unwrap().unwrap()
}

fn claim(sensor: SensorId, seconds: i64) -> RecoveryClaim {
    RecoveryClaim {
        sensor,
        challenge: bytes(),
        challenged_at: at(seconds),
        shown: Some(ContinuityHash([1; 32])),
        fingerprint: Some([7; 16]),
        sent: token(),
        certificate: certificate(),
        now: at(seconds),
    }
}

async fn recover(store: &dyn Store, claim: &RecoveryClaim) -> RecoveryOutcome {
    store.recover_sensor(claim, &|_| Some(note())).await.unwrap()
}

async fn quarantined(store: &dyn Store, tenant: TenantId) -> SensorId {
    let (sensor, serial) = sensor(store, tenant, "edge").await;
    session(store, tenant, sensor, serial).await;
    assert!(change(store, tenant, sensor, StandingChange::Quarantine).await);
    sensor
}

fn approve(fingerprint: Option<[u8; 16]>) -> StandingChange {
    StandingChange::Approve {
        until: at(100),
        fingerprint,
    }
}

/// The quarantine ends with the recovery, and not with the approval: one that nobody uses changes nothing.
pub async fn t14_an_approval_that_is_not_used_leaves_the_quarantine(store: &dyn Store) {
    let tenant = tenant(store).await;
    let sensor = quarantined(store, tenant).await;
    let before = store.denial_epoch().await.unwrap();
    assert!(change(store, tenant, sensor, approve(None)).await);
    assert_eq!(
        record(store, tenant, sensor).await.state,
        SensorState::Quarantined
    );
    let lifted = async |position| {
        let denials = store.denials_after(position).await.unwrap();
        denials
            .iter()
            .any(|denial| denial.sensor == sensor && denial.reason.is_none())
    };
    assert!(!lifted(before).await, "its certificates let nobody in");
    let ended = recover(store, &claim(sensor, 100)).await;
    assert_eq!(ended, RecoveryOutcome::Refused(Reason::SensorQuarantined));
    assert_eq!(
        record(store, tenant, sensor).await.state,
        SensorState::Quarantined
    );
    let approved = RecoveryOutcome::Recovered {
        tenant,
        grounds: RecoveryGrounds::Approval,
    };
    assert_eq!(recover(store, &claim(sensor, 99)).await, approved);
    assert_eq!(record(store, tenant, sensor).await.state, SensorState::Active);
    assert!(lifted(before).await);
}

/// Another quarantine is not ended by an approval that was given before it.
pub async fn t14_an_approval_does_not_outlive_the_next_conflict(store: &dyn Store) {
    let tenant = tenant(store).await;
    let sensor = quarantined(store, tenant).await;
    assert!(change(store, tenant, sensor, approve(None)).await);
    assert!(matches!(
        recover(store, &claim(sensor, 30)).await,
        RecoveryOutcome::Recovered { .. }
    ));
    assert!(change(store, tenant, sensor, StandingChange::Quarantine).await);
    let refused = recover(store, &claim(sensor, 31)).await;
    assert_eq!(refused, RecoveryOutcome::Refused(Reason::SensorQuarantined));
}

/// An approval for one machine is of no use to another.
pub async fn t14_an_approval_for_one_machine_lets_in_that_one_alone(store: &dyn Store) {
    let tenant = tenant(store).await;
    let sensor = quarantined(store, tenant).await;
    assert!(change(store, tenant, sensor, approve(Some([8; 16]))).await);
    assert_eq!(
        record(store, tenant, sensor).await.approved_fingerprint,
        Some([8; 16])
    );
    for fingerprint in [Some([7; 16]), None] {
        let other = RecoveryClaim {
            fingerprint,
            ..claim(sensor, 30)
        };
        let refused = RecoveryOutcome::Refused(Reason::SensorQuarantined);
        assert_eq!(recover(store, &other).await, refused, "{fingerprint:?}");
    }
    let right = RecoveryClaim {
        fingerprint: Some([8; 16]),
        ..claim(sensor, 31)
    };
    let outcome = recover(store, &right).await;
    assert!(matches!(
        outcome,
        RecoveryOutcome::Recovered {
            grounds: RecoveryGrounds::Approval,
            ..
        }
    ));
}

/// Whoever asks for ever does not push out of sight what led to it.
pub async fn a_refused_recovery_is_noted_once_an_hour_with_a_count(store: &dyn Store) {
    let tenant = tenant(store).await;
    let sensor = quarantined(store, tenant).await;
    let noted = Mutex::new(Vec::new());
    let refuse = async |seconds| {
        let keep = |judged: &JudgedRecovery| {
            noted.lock().unwrap().push(judged.unnoted);
            Some(note())
        };
        store
            .recover_sensor(&claim(sensor, seconds), &keep)
            .await
            .unwrap()
    };
    for seconds in 0..10 {
        let outcome = refuse(30 + seconds).await;
        assert_eq!(outcome, RecoveryOutcome::Refused(Reason::SensorQuarantined));
    }
    refuse(29 + HOUR).await;
    assert_eq!(*noted.lock().unwrap(), [0]);
    refuse(30 + HOUR).await;
    assert_eq!(*noted.lock().unwrap(), [0, 10], "ten since");
    assert!(change(store, tenant, sensor, StandingChange::Revoke).await);
    refuse(31 + HOUR).await;
    refuse(89 + HOUR).await;
    assert_eq!(
        *noted.lock().unwrap(),
        [0, 10],
        "whoever alternates is not told of each time"
    );
    refuse(90 + HOUR).await;
    assert_eq!(
        *noted.lock().unwrap(),
        [0, 10, 2],
        "for another reason, a minute after the last"
    );
}

/// A conflict that is seen while a sensor is suspended is not lost by resuming it.
pub async fn t12_a_suspended_sensor_is_quarantined_and_not_resumed(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (sensor, serial) = sensor(store, tenant, "edge").await;
    session(store, tenant, sensor, serial).await;
    assert!(change(store, tenant, sensor, StandingChange::Suspend).await);
    assert!(change(store, tenant, sensor, StandingChange::Quarantine).await);
    assert!(!change(store, tenant, sensor, StandingChange::Resume).await);
    assert_eq!(
        record(store, tenant, sensor).await.state,
        SensorState::Quarantined
    );
}

/// An approval settles the contest and approves, in one.
pub async fn t08_an_approval_settles_a_contest_and_approves(store: &dyn Store) {
    let (tenant, sensor) = crate::enrolment::contested(store).await;
    assert!(record(store, tenant, sensor).await.contested);
    assert!(change(store, tenant, sensor, approve(None)).await);
    let record = record(store, tenant, sensor).await;
    assert!(!record.contested);
    assert_eq!(record.approved_until, Some(at(100)));
}

/// Each tenant's own are counted for it; of the others only how many they are.
pub async fn conflicts_are_counted_by_tenant(store: &dyn Store) {
    let (ours, theirs) = (tenant(store).await, tenant(store).await);
    let before = store.conflicts_since(ours, at(19)).await.unwrap();
    assert_eq!((before.of_tenant, before.active_of_tenant), (0, 0));
    quarantined(store, theirs).await;
    let beside = store.conflicts_since(ours, at(19)).await.unwrap();
    let expected = Conflicts {
        other_tenants: before.other_tenants + 1,
        ..before
    };
    assert_eq!(beside, expected);
    quarantined(store, ours).await;
    let own = store.conflicts_since(ours, at(19)).await.unwrap();
    let expected = Conflicts {
        of_tenant: 1,
        active_of_tenant: 1,
        ..beside
    };
    assert_eq!(own, expected);
    assert_eq!(store.conflicts_since(ours, at(20)).await.unwrap().of_tenant, 0);
}

/// All that is kept by the id of a sensor goes with it, and denials that were overruled go after a day.
pub async fn what_is_forgotten_leaves_nothing_behind(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (kept, _) = sensor(store, tenant, "kept").await;
    assert!(change(store, tenant, kept, StandingChange::Suspend).await);
    assert!(change(store, tenant, kept, StandingChange::Resume).await);
    let (gone, serial) = sensor(store, tenant, "gone").await;
    session(store, tenant, gone, serial).await;
    assert!(revoke(store, tenant, gone, 6).await);
    assert!(change(store, tenant, gone, StandingChange::Delete).await);
    let of = async |sensor| {
        let denials = store.denials_after(0).await.unwrap();
        denials.iter().filter(|denial| denial.sensor == sensor).count()
    };
    store.forget_deleted_sensors(at(19), at(19 + DAY)).await.unwrap();
    assert_eq!((of(kept).await, of(gone).await), (2, 1));
    store.forget_deleted_sensors(at(20), at(20 + DAY)).await.unwrap();
    assert_eq!((of(kept).await, of(gone).await), (1, 0));
    assert!(store.sensor_anywhere(gone).await.unwrap().is_none());
}
