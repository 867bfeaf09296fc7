//! Suspension, quarantine, approval, deletion; continuity and recovery.

use portolan_shared::model::{Reason, SensorId, SensorState, TenantId};
use portolan_store::{
    Certificate, ContinuityHash, RECOVERIES_A_DAY, RECOVERIES_A_MONTH, RecoveryClaim, RecoveryGrounds,
    RecoveryOutcome, SessionOpening, SessionOutcome, StandingChange, Store,
};

use crate::site::{at, bytes, certificate, note, opening, revoke, sensor, session, tenant, token};

const DAY: i64 = 86_400;

async fn change(store: &dyn Store, tenant: TenantId, sensor: SensorId, change: StandingChange) -> bool {
    store
        .change_standing(tenant, sensor, change, at(20), &note())
        .await
        .unwrap()
}

async fn state(store: &dyn Store, tenant: TenantId, sensor: SensorId) -> SensorState {
    store.sensor(tenant, sensor).await.unwrap().unwrap().state
}

fn recovery(sensor: SensorId, seconds: i64) -> RecoveryClaim {
    RecoveryClaim {
        sensor,
        challenge: bytes(),
        challenged_at: at(seconds),
        shown: Some(token()),
        fingerprint: None,
        sent: token(),
        certificate: certificate(),
        now: at(seconds),
    }
}

async fn recover(store: &dyn Store, claim: &RecoveryClaim) -> RecoveryOutcome {
    store.recover_sensor(claim, &|_| Some(note())).await.unwrap()
}

/// What each state lets through, and what leads out of it.
pub async fn a_suspended_sensor_gets_nothing_until_it_is_resumed(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (sensor, serial) = sensor(store, tenant, "edge").await;
    session(store, tenant, sensor, serial).await;
    let before = store.denial_epoch().await.unwrap();
    assert!(!change(store, tenant, sensor, StandingChange::Resume).await);
    assert!(change(store, tenant, sensor, StandingChange::Suspend).await);
    assert!(!change(store, tenant, sensor, StandingChange::Suspend).await);
    assert!(
        !change(
            store,
            tenant,
            sensor,
            StandingChange::Approve {
                until: at(99),
                fingerprint: None
            }
        )
        .await
    );
    let refused = Reason::SensorSuspended;
    assert_eq!(
        store
            .open_session(&opening(tenant, sensor, serial))
            .await
            .unwrap(),
        SessionOutcome::Refused(refused)
    );
    assert_eq!(
        recover(store, &recovery(sensor, 21)).await,
        RecoveryOutcome::Refused(refused)
    );
    assert!(change(store, tenant, sensor, StandingChange::Resume).await);
    assert_eq!(state(store, tenant, sensor).await, SensorState::Active);
    session(store, tenant, sensor, serial).await;
    let denials = store.denials_after(before).await.unwrap();
    let reasons: Vec<_> = denials
        .iter()
        .filter(|denial| denial.sensor == sensor)
        .map(|denial| denial.reason)
        .collect();
    assert_eq!(reasons, [Some(refused), None]);
}

/// One that never was in session is provisional again after a suspension.
pub async fn a_provisional_sensor_stays_provisional(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (sensor, _) = sensor(store, tenant, "edge").await;
    assert!(change(store, tenant, sensor, StandingChange::Suspend).await);
    assert!(change(store, tenant, sensor, StandingChange::Resume).await);
    assert_eq!(state(store, tenant, sensor).await, SensorState::Provisional);
}

/// A token that was sent and stored voids those before it; an old one is stale, and changes nothing.
pub async fn t13_a_token_from_before_the_last_session_is_stale(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (sensor, serial) = sensor(store, tenant, "edge").await;
    let fresh = ContinuityHash(bytes());
    let first = SessionOpening {
        sent: fresh,
        ..opening(tenant, sensor, serial)
    };
    let SessionOutcome::Opened(opened) = store.open_session(&first).await.unwrap() else {
        panic!("the first token is good");
    };
    let stored = |epoch| store.continuity_stored(tenant, sensor, epoch, fresh);
    assert!(!stored(opened.epoch + 1).await.unwrap(), "another session");
    assert!(stored(opened.epoch).await.unwrap());
    assert!(
        !stored(opened.epoch).await.unwrap(),
        "it is the current one already"
    );
    let old = opening(tenant, sensor, serial);
    assert_eq!(store.open_session(&old).await.unwrap(), SessionOutcome::Stale);
    let none = SessionOpening {
        shown: None,
        ..opening(tenant, sensor, serial)
    };
    assert_eq!(store.open_session(&none).await.unwrap(), SessionOutcome::Stale);
    let record = store.sensor(tenant, sensor).await.unwrap().unwrap();
    assert_eq!(record.session_epoch, opened.epoch);
    let good = SessionOpening {
        shown: Some(fresh),
        ..opening(tenant, sensor, serial)
    };
    assert!(matches!(
        store.open_session(&good).await.unwrap(),
        SessionOutcome::Opened(_)
    ));
}

/// Certificates are void, the sensor is out, and after the approval it may recover until it has opened a session, whatever token it shows.
pub async fn t14_after_an_approval_exactly_one_recovery_goes_without_questions(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (sensor, serial) = sensor(store, tenant, "edge").await;
    session(store, tenant, sensor, serial).await;
    assert!(change(store, tenant, sensor, StandingChange::Quarantine).await);
    assert!(!change(store, tenant, sensor, StandingChange::Quarantine).await);
    let out = RecoveryOutcome::Refused(Reason::SensorQuarantined);
    assert_eq!(recover(store, &recovery(sensor, 21)).await, out);
    let conflicts = store.conflicts_since(tenant, at(19)).await.unwrap();
    assert_eq!((conflicts.of_tenant, conflicts.active_of_tenant), (1, 1));

    assert!(
        change(
            store,
            tenant,
            sensor,
            StandingChange::Approve {
                until: at(100),
                fingerprint: None
            }
        )
        .await
    );
    let record = store.sensor(tenant, sensor).await.unwrap().unwrap();
    assert_eq!((record.state, record.generation), (SensorState::Quarantined, 2));
    assert_eq!(
        store
            .open_session(&opening(tenant, sensor, serial))
            .await
            .unwrap(),
        SessionOutcome::Refused(Reason::SensorQuarantined),
        "both copies hold it"
    );
    let stale = |seconds| RecoveryClaim {
        shown: Some(ContinuityHash([1; 32])),
        sent: ContinuityHash([2; 32]),
        ..recovery(sensor, seconds)
    };
    assert_eq!(recover(store, &stale(100)).await, out, "the approval has ended");
    let approved = RecoveryOutcome::Recovered {
        tenant,
        grounds: RecoveryGrounds::Approval,
    };
    let lost = RecoveryClaim {
        sent: ContinuityHash([3; 32]),
        ..stale(99)
    };
    assert_eq!(recover(store, &lost).await, approved);
    assert_eq!(
        store
            .open_session(&opening(tenant, sensor, serial))
            .await
            .unwrap(),
        SessionOutcome::Refused(Reason::CertificateNotCurrent),
        "both copies hold it"
    );
    let first = stale(99);
    assert_eq!(recover(store, &first).await, approved, "the answer was lost");
    let replayed = recover(store, &first).await;
    assert_eq!(replayed, RecoveryOutcome::Refused(Reason::IdentityUnknown));
    let recovered = SessionOpening {
        shown: Some(first.sent),
        ..opening(tenant, sensor, first.certificate.serial)
    };
    assert!(matches!(
        store.open_session(&recovered).await.unwrap(),
        SessionOutcome::Opened(_)
    ));
    assert_eq!(
        recover(store, &stale(99)).await,
        RecoveryOutcome::Stale { tenant },
        "the approval ended with the session"
    );
}

/// A claim that arrives after its sensor got in by another one raises no alarm; one that was begun since does.
pub async fn t15_a_recovery_that_was_overtaken_is_late_and_no_conflict(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (sensor, serial) = sensor(store, tenant, "edge").await;
    session(store, tenant, sensor, serial).await;
    let heard = store
        .sensor(tenant, sensor)
        .await
        .unwrap()
        .unwrap()
        .last_seen_at
        .unwrap();
    let claim = |challenged_at| RecoveryClaim {
        challenged_at,
        shown: Some(ContinuityHash([1; 32])),
        ..recovery(sensor, 10)
    };
    let before = heard.checked_sub(jiff::SignedDuration::from_millis(1)).unwrap();
    assert_eq!(
        recover(store, &claim(before)).await,
        RecoveryOutcome::Refused(Reason::StaleSession)
    );
    assert_eq!(
        recover(store, &claim(heard)).await,
        RecoveryOutcome::Stale { tenant }
    );
    let other = RecoveryClaim {
        now: at(12),
        ..recovery(sensor, 9)
    };
    assert!(matches!(
        recover(store, &other).await,
        RecoveryOutcome::Recovered { .. }
    ));
    assert_eq!(
        recover(store, &claim(at(11))).await,
        RecoveryOutcome::Refused(Reason::StaleSession),
        "it got on by another recovery since"
    );
}

/// Each bound, and the approval that goes beyond it.
pub async fn t11_recoveries_are_counted_and_absence_is_noticed(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (sensor, serial) = sensor(store, tenant, "edge").await;
    // Heard of at second 2.
    session(store, tenant, sensor, serial).await;
    let good = RecoveryOutcome::Recovered {
        tenant,
        grounds: RecoveryGrounds::Token,
    };
    let asks = RecoveryOutcome::Refused(Reason::NeedsApproval);
    for n in 0..RECOVERIES_A_DAY {
        assert_eq!(recover(store, &recovery(sensor, 10)).await, good, "{n}");
    }
    assert_eq!(recover(store, &recovery(sensor, 9 + DAY)).await, asks);
    for n in RECOVERIES_A_DAY..RECOVERIES_A_MONTH {
        let day = i64::try_from(n).unwrap() * DAY;
        assert_eq!(recover(store, &recovery(sensor, 11 + day)).await, good, "{n}");
    }
    assert_eq!(recover(store, &recovery(sensor, 29 * DAY)).await, asks);
    assert_eq!(
        recover(store, &recovery(sensor, 2 + 30 * DAY)).await,
        asks,
        "ten within 30 days, of which the first three are not yet gone"
    );
    assert_eq!(
        recover(store, &recovery(sensor, 10 + 30 * DAY)).await,
        asks,
        "away for too long"
    );
    assert!(
        change(
            store,
            tenant,
            sensor,
            StandingChange::Approve {
                until: at(41 * DAY),
                fingerprint: None
            }
        )
        .await
    );
    let approved = RecoveryOutcome::Recovered {
        tenant,
        grounds: RecoveryGrounds::Approval,
    };
    assert_eq!(recover(store, &recovery(sensor, 40 * DAY)).await, approved);
}

/// A lost answer costs a second recovery with the same token, not the sensor.
pub async fn a_recovery_whose_answer_was_lost_is_repeated(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (sensor, serial) = sensor(store, tenant, "edge").await;
    session(store, tenant, sensor, serial).await;
    let claim = |sent: u8| RecoveryClaim {
        sent: ContinuityHash([sent; 32]),
        ..recovery(sensor, 10)
    };
    for sent in 1..=2 {
        let outcome = recover(store, &claim(sent)).await;
        assert!(matches!(outcome, RecoveryOutcome::Recovered { .. }), "{sent}");
    }
    let record = store.sensor(tenant, sensor).await.unwrap().unwrap();
    let Certificate { serial, .. } = record.new.unwrap();
    let opened = SessionOpening {
        shown: Some(ContinuityHash([2; 32])),
        ..opening(tenant, sensor, serial)
    };
    assert!(matches!(
        store.open_session(&opened).await.unwrap(),
        SessionOutcome::Opened(_)
    ));
}

/// Only the name comes free; the tombstone goes in its time.
pub async fn a_deleted_sensor_leaves_its_name_and_not_its_key(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (gone, _) = sensor(store, tenant, "edge").await;
    assert!(
        !change(store, tenant, gone, StandingChange::Delete).await,
        "not revoked"
    );
    assert!(revoke(store, tenant, gone, 5).await);
    assert!(change(store, tenant, gone, StandingChange::Delete).await);
    assert!(!change(store, tenant, gone, StandingChange::Delete).await);
    assert!(store.sensor(tenant, gone).await.unwrap().is_none());
    assert!(store.sensor_by_name(tenant, "edge").await.unwrap().is_none());
    let tombstone = store.sensor_anywhere(gone).await.unwrap().unwrap();
    assert_eq!(tombstone.state, SensorState::Revoked);
    let (next, _) = sensor(store, tenant, "edge").await;
    assert_ne!(next, gone);
    store.forget_deleted_sensors(at(19), at(30)).await.unwrap();
    assert!(
        store.sensor_anywhere(gone).await.unwrap().is_some(),
        "deleted at 20"
    );
    store.forget_deleted_sensors(at(20), at(30)).await.unwrap();
    assert!(store.sensor_anywhere(gone).await.unwrap().is_none());
    assert!(store.sensor(tenant, next).await.unwrap().is_some());
}

/// It is somebody else's sensor.
pub async fn standing_is_the_tenants_own_affair(store: &dyn Store) {
    let (ours, theirs) = (tenant(store).await, tenant(store).await);
    let (sensor, _) = sensor(store, ours, "edge").await;
    for wanted in [
        StandingChange::Suspend,
        StandingChange::Quarantine,
        StandingChange::Approve {
            until: at(99),
            fingerprint: None,
        },
        StandingChange::Revoke,
        StandingChange::Delete,
    ] {
        assert!(!change(store, theirs, sensor, wanted).await, "{wanted:?}");
    }
    assert_eq!(state(store, ours, sensor).await, SensorState::Provisional);
}
