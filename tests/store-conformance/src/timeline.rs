//! Where a database is in time, and what a restore does to it.

use jiff::Timestamp;
use portolan_shared::audit::{AuditHead, ChainRecord, LinkedRecord};
use portolan_shared::model::{ApiTokenId, Reason, RunState, TenantId};
use portolan_shared::process::SystemRng;
use portolan_shared::secret::sealed::Recipient;
use portolan_store::{
    ContinuityHash, EPOCHS_PASSED_OVER, NewApiToken, RecoveryClaim, RecoveryGrounds, RecoveryOutcome, Redone,
    ReplayOutcome, ReplayStep, RestoreEnd, RestoredTenant, Role, SessionOutcome, StaleFence, StandingChange,
    Store, StoreError, Timeline, TimelineMark, TokenHash,
};

use crate::feed::all;
use crate::site::{
    Site, at, bytes, certificate, commit_of, entries, note, noted, opening, sensor, session, tenant, token,
};
use crate::vault::{put, sealed, version, versions};

/// The end of the amnesty that the cases give, in seconds.
const AMNESTY: i64 = 1_000;
/// A continuity token that nobody here knows.
const UNKNOWN: ContinuityHash = ContinuityHash([1; 32]);

async fn restore(store: &dyn Store) -> Vec<RestoredTenant> {
    store.begin_restore(at(90)).await.unwrap();
    let end = RestoreEnd {
        now: at(100),
        amnesty_until: at(AMNESTY),
        pulse: 0,
    };
    store.end_restore(&end, &noted).await.unwrap()
}

/// The pulse goes on behind what somebody remembers of it, and stands still while there is a mark.
pub async fn the_pulse_counts_up_unless_there_is_a_mark(store: &dyn Store) {
    let first = store.beat().await.unwrap();
    assert_eq!(store.beat().await.unwrap(), first + 1);
    let present = Timeline {
        pulse: first + 1,
        mark: None,
    };
    assert_eq!(store.timeline().await.unwrap(), present);
    for again in [90, 95] {
        store.begin_restore(at(again)).await.unwrap();
        let mark = store.timeline().await.unwrap().mark;
        assert_eq!(mark, Some(TimelineMark::Restoring { since: at(90) }));
    }
    assert!(matches!(
        store.beat().await.unwrap_err(),
        StoreError::Refused { .. }
    ));
    let end = RestoreEnd {
        now: at(100),
        amnesty_until: at(AMNESTY),
        pulse: first + 1_000,
    };
    store.end_restore(&end, &noted).await.unwrap();
    let timeline = store.timeline().await.unwrap();
    assert!(timeline.pulse > first + 1_000 && timeline.mark.is_none());
}

/// Whatever was given out by the database as it was later is not given out again, and whoever holds it gets nowhere.
pub async fn t60_a_restore_passes_over_every_number(store: &dyn Store) {
    let mut site = Site::new(store).await;
    let begin = store.feed_end(site.tenant).await.unwrap();
    let fence = site.start(store, 10).await;
    let commit = |tag: &str| {
        commit_of(
            "a",
            &[(tag, "one")],
            portolan_shared::model::RepositoryOutcome::Listed,
        )
    };
    store
        .commit_repository(&fence, &commit("1"), at(11))
        .await
        .unwrap();
    let end = store.feed_end(site.tenant).await.unwrap();
    let before = entries(store, site.tenant).await;
    let restored = restore(store).await;
    let figures = restored.iter().find(|restored| restored.tenant == site.tenant);
    assert_eq!(
        figures.map(|figures| (figures.sensors, figures.runs)),
        Some((1, 1))
    );
    assert_eq!(entries(store, site.tenant).await, before + 1);

    let stale = store
        .commit_repository(&fence, &commit("2"), at(101))
        .await
        .unwrap_err();
    assert!(matches!(stale, StoreError::Stale(StaleFence::Session)), "{stale}");
    let old = site.epoch;
    site.reconnect(store).await;
    assert_eq!(site.epoch, old + EPOCHS_PASSED_OVER + 1);
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!(run.state, RunState::Queued);
    let next = site.lease(store, run.id, 102).await;
    assert_eq!(next.attempt.attempt, fence.attempt.attempt + 1_001);

    for void in [&begin, &end] {
        let refused = store.changes(site.tenant, None, void, 10).await.unwrap();
        assert!(refused.is_none(), "{void}");
    }
    let anew = store.feed_end(site.tenant).await.unwrap();
    store
        .commit_repository(&next, &commit("2"), at(103))
        .await
        .unwrap();
    assert!(!all(store, site.tenant, None, &anew, 10).await.is_empty());
}

fn claim(sensor: portolan_shared::model::SensorId, seconds: i64) -> RecoveryClaim {
    RecoveryClaim {
        sensor,
        challenge: bytes(),
        challenged_at: at(seconds),
        shown: Some(UNKNOWN),
        fingerprint: None,
        sent: token(),
        certificate: certificate(),
        now: at(seconds),
    }
}

async fn recover(store: &dyn Store, claim: &RecoveryClaim) -> RecoveryOutcome {
    store.recover_sensor(claim, &|_| Some(note())).await.unwrap()
}

/// Until its first session; not for longer than it lasts; and not for one that is shut out because it exists twice.
pub async fn t60_an_amnesty_lets_each_sensor_in_once(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (edge, serial) = sensor(store, tenant, "edge").await;
    session(store, tenant, edge, serial).await;
    let (late, _) = sensor(store, tenant, "late").await;
    let (twice, _) = sensor(store, tenant, "twice").await;
    let quarantine = StandingChange::Quarantine;
    assert!(
        store
            .change_standing(tenant, twice, quarantine, at(20), &note())
            .await
            .unwrap()
    );
    let unknown = |now: Timestamp| {
        let mut opening = opening(tenant, edge, serial);
        opening.shown = Some(UNKNOWN);
        opening.now = now;
        opening
    };
    let stale = store.open_session(&unknown(at(30))).await.unwrap();
    assert_eq!(stale, SessionOutcome::Stale, "before the restore");
    restore(store).await;

    let told = store.open_session(&unknown(at(101))).await.unwrap();
    assert_eq!(told, SessionOutcome::Refused(Reason::CertificateNotCurrent));
    let amnesty = RecoveryOutcome::Recovered {
        tenant,
        grounds: RecoveryGrounds::Amnesty,
    };
    let first = claim(edge, 101);
    assert_eq!(recover(store, &first).await, amnesty);
    let again = claim(edge, 102);
    assert_eq!(recover(store, &again).await, amnesty, "the answer was lost");
    let mut good = opening(tenant, edge, again.certificate.serial);
    good.now = at(103);
    assert!(matches!(
        store.open_session(&good).await.unwrap(),
        SessionOutcome::Opened(_)
    ));
    assert_eq!(
        recover(store, &claim(edge, 104)).await,
        RecoveryOutcome::Stale { tenant }
    );
    let record = store.sensor(tenant, edge).await.unwrap().unwrap();
    assert_eq!(record.amnesty_until, None);

    assert_eq!(
        recover(store, &claim(late, AMNESTY)).await,
        RecoveryOutcome::Stale { tenant }
    );
    assert_eq!(recover(store, &claim(late, AMNESTY - 1)).await, amnesty);
    assert_eq!(
        recover(store, &claim(twice, 105)).await,
        RecoveryOutcome::Refused(Reason::SensorQuarantined)
    );
}

/// A sensor whose state is what is known here needs no amnesty, and has none any more.
pub async fn t60_an_amnesty_ends_with_the_first_session(store: &dyn Store) {
    let mut site = Site::new(store).await;
    restore(store).await;
    site.reconnect(store).await;
    let mut old = opening(site.tenant, site.sensor, site.serial);
    old.shown = Some(UNKNOWN);
    old.now = at(102);
    assert_eq!(store.open_session(&old).await.unwrap(), SessionOutcome::Stale);
}

/// Sensors that nobody has seen connect in this state of the database are not taken for unused.
pub async fn t60_whoever_has_an_amnesty_is_not_unused(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (new, _) = sensor(store, tenant, "new").await;
    restore(store).await;
    let year = at(400 * 86_400);
    let stuck = store
        .mark_stuck_sensors(at(AMNESTY), at(AMNESTY - 1), &noted)
        .await
        .unwrap();
    assert!(!stuck.iter().any(|sensor| sensor.id == new));
    assert!(
        store
            .unused_sensors(at(AMNESTY), at(AMNESTY - 1))
            .await
            .unwrap()
            .is_empty()
    );
    let unused = store.unused_sensors(at(AMNESTY), year).await.unwrap();
    assert!(
        unused.iter().any(|sensor| sensor.id == new),
        "the amnesty is over"
    );
}

fn record(head: &AuditHead, action: &str, object: &str) -> LinkedRecord<String> {
    let record = ChainRecord {
        seq: head.seq + 1,
        at_ms: 50_000,
        actor: "token:admin".to_owned(),
        action: action.to_owned(),
        object: object.to_owned(),
        outcome: "notice".to_owned(),
        details: r#"{"b":1,  "a":2}"#.to_owned(),
    };
    record.linked(head)
}

async fn api_token(store: &dyn Store, tenant: TenantId) -> ApiTokenId {
    let new = NewApiToken {
        id: ApiTokenId::random(&SystemRng),
        tenant,
        name: "robot".to_owned(),
        role: Role::Operator,
        hash: TokenHash(bytes()),
        created_at: at(1),
        expires_at: None,
    };
    store.add_api_token(&new, &note()).await.unwrap();
    new.id
}

/// Records are there again to the byte, and what they say is done, once.
pub async fn t60_what_the_exported_log_says_is_done_again(store: &dyn Store) {
    let site = Site::new(store).await;
    let robot = api_token(store, site.tenant).await;
    let head = store.audit_head(site.tenant).await.unwrap();
    let first = record(&head, "sensor.revoke", &format!("sensor:{}", site.sensor));
    let second = record(&first.head(), "token.revoke", &format!("token:{robot}"));
    let third = record(
        &second.head(),
        "registry.remove",
        &format!("registry:{}", site.registry),
    );
    let last = record(&third.head(), "run.queue", "run:x");
    let known = store
        .audit_range(site.tenant, head.seq - 1, 1)
        .await
        .unwrap()
        .remove(0);
    let step = |record: &LinkedRecord<String>, redo| ReplayStep {
        record: record.clone(),
        redo,
    };
    let steps = [
        step(&known, Some(Redone::Registry(site.registry))),
        step(
            &first,
            Some(Redone::Standing(site.sensor, StandingChange::Revoke)),
        ),
        step(&second, Some(Redone::Token(robot))),
        step(&third, Some(Redone::Registry(site.registry))),
        step(&last, None),
    ];
    store.begin_restore(at(90)).await.unwrap();
    let done = store.replay(site.tenant, &steps, at(91)).await.unwrap();
    let redone = vec![1, 2, 3];
    assert_eq!(done, ReplayOutcome::Appended { records: 4, redone });
    let kept = store.audit_range(site.tenant, head.seq, 10).await.unwrap();
    assert_eq!(kept, [first, second, third, last.clone()]);
    assert_eq!(store.audit_head(site.tenant).await.unwrap(), last.head());
    let again = store.replay(site.tenant, &steps, at(92)).await.unwrap();
    let redone = Vec::new();
    assert_eq!(again, ReplayOutcome::Appended { records: 0, redone });

    let denials = store.denials_after(0).await.unwrap();
    let denied = denials.iter().find(|denial| denial.sensor == site.sensor);
    assert_eq!(
        denied.and_then(|denial| denial.reason),
        Some(Reason::SensorRevoked)
    );
    assert!(
        store
            .api_token(robot)
            .await
            .unwrap()
            .unwrap()
            .revoked_at
            .is_some()
    );
    assert!(site.record(store).await.registry.schedule.paused);
}

/// A log of somebody else, or one that was changed, leaves nothing behind, also of what was right in it.
pub async fn t60_a_log_that_does_not_follow_is_refused(store: &dyn Store) {
    let site = Site::new(store).await;
    let head = store.audit_head(site.tenant).await.unwrap();
    let good = record(&head, "token.use", "token:x");
    let mut forged = record(&good.head(), "sensor.revoke", &format!("sensor:{}", site.sensor));
    forged.record.actor = "token:thief".to_owned();
    let mut other = store
        .audit_range(site.tenant, head.seq - 1, 1)
        .await
        .unwrap()
        .remove(0);
    other.hash.0[0] ^= 1;
    let gap = record(&good.head(), "token.use", "token:x");
    for (records, seq) in [
        (vec![good.clone(), forged], head.seq + 2),
        (vec![other], head.seq),
        (vec![gap], head.seq + 2),
    ] {
        let steps: Vec<_> = records
            .into_iter()
            .map(|record| ReplayStep { record, redo: None })
            .collect();
        let outcome = store.replay(site.tenant, &steps, at(91)).await.unwrap();
        assert_eq!(outcome, ReplayOutcome::Diverges { seq });
        assert_eq!(store.audit_head(site.tenant).await.unwrap(), head);
    }
}

/// Sensors take no version that is older than the highest they were given, and nobody here knows which that is.
pub async fn t60_the_next_version_of_a_credential_is_newer_than_any(store: &dyn Store) {
    let (site, pair, id) = sealed(store).await;
    let own = [Recipient::own(site.sensor, &pair)];
    let second = version(&site, id, 2, &own);
    assert_eq!(put(store, &second).await, portolan_store::PutOutcome::Put);
    restore(store).await;
    assert_eq!(versions(store, &site).await, Some((2, Some(1), 1_002, false)));
    let next = version(&site, id, 1_003, &own);
    assert_eq!(put(store, &next).await, portolan_store::PutOutcome::Put);
    assert_eq!(versions(store, &site).await.map(|found| found.0), Some(1_003));
}
