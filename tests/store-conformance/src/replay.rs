//! What a restore does again of what an exported audit log says.

use jiff::tz::TimeZone;
use portolan_shared::audit::{AuditHead, ChainRecord, LinkedRecord};
use portolan_shared::model::{ApiTokenId, Reason, RunState, SensorState, TenantId};
use portolan_shared::process::SystemRng;
use portolan_store::{
    NewApiToken, Redone, ReplayOutcome, ReplayStep, Role, StandingChange, Store, TokenHash,
};

use crate::heard;
use crate::site::{Site, at, bytes, note, sensor};
use crate::vault::{sealed, versions};

fn record(head: &AuditHead, action: &str, object: &str) -> LinkedRecord<String> {
    let record = ChainRecord {
        seq: head.seq + 1,
        at_ms: at(50).as_millisecond(),
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
        step(&known, Some(Redone::Paused(site.registry))),
        step(
            &first,
            Some(Redone::Standing(site.sensor, StandingChange::Revoke)),
        ),
        step(&second, Some(Redone::Token(robot))),
        step(&third, Some(Redone::Paused(site.registry))),
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

/// Whatever was taken away is gone, and a quarantine that was settled is settled.
pub async fn t60_what_was_taken_away_since_is_taken_away_again(store: &dyn Store) {
    let (site, _, _) = sealed(store).await;
    let other = site.beside(store, "other").await;
    let (twice, _) = sensor(store, site.tenant, "twice").await;
    let run = site.queue(store, 10).await;
    let cancelled = other.queue(store, 10).await;
    let mut head = store.audit_head(site.tenant).await.unwrap();
    let (quarantine, approve) = (
        StandingChange::Quarantine,
        StandingChange::Approve {
            until: at(60),
            fingerprint: None,
        },
    );
    let steps: Vec<_> = [
        Redone::Removed(site.registry),
        Redone::Left(other.registry, Vec::new()),
        Redone::Bare(other.registry),
        Redone::Cancelled(cancelled),
        Redone::Standing(twice, quarantine),
        Redone::Standing(twice, approve),
        Redone::LetIn(twice),
    ]
    .into_iter()
    .map(|redo| {
        let record = record(&head, "test", "nothing");
        head = record.head();
        let redo = Some(redo);
        ReplayStep { record, redo }
    })
    .collect();
    let done = store.replay(site.tenant, &steps, at(91)).await.unwrap();
    let redone = (0..steps.len()).collect();
    assert_eq!(done, ReplayOutcome::Appended { records: 7, redone });
    assert_eq!(versions(store, &site).await, None);
    let records = (site.record(store).await, other.record(store).await);
    assert!(records.0.registry.schedule.paused && records.0.registry.credential.is_none());
    assert!(records.1.registry.sensors.is_empty() && records.1.registry.credential.is_none());
    for run in [run, cancelled] {
        let run = store.run(site.tenant, run).await.unwrap().unwrap();
        assert_eq!(run.state, RunState::Cancelled);
        assert_eq!(run.ended_at, Some(at(50)), "as of when it was said");
    }
    let twice = store.sensor(site.tenant, twice).await.unwrap().unwrap();
    assert_eq!(
        (twice.state, twice.approved_until),
        (SensorState::Provisional, None)
    );
    assert_eq!(twice.generation, 2, "what it had sealed may be in other hands");
}

/// Of the day that it names, of that registry.
pub async fn what_the_log_has_told_of_is_not_told_again(store: &dyn Store) {
    const DAY: i64 = 24 * 60 * 60;
    let site = heard::site(store).await;
    let other = site.beside(store, "other").await;
    other.read_on_push(store, 5).await;
    for (place, day) in [(&site, 1), (&site, 2), (&other, 1)] {
        let seconds = day * DAY;
        heard::note(store, place, &[heard::tag("a", "1")], at(seconds)).await;
        let run = heard::take(store, place, at(seconds + 5)).await.unwrap();
        heard::end(store, place, &run, seconds + 6).await;
    }
    let date = |day: i64| at(day * DAY).to_zoned(TimeZone::UTC).date();
    let mut head = store.audit_head(site.tenant).await.unwrap();
    let object = format!("registry:{}", site.registry);
    let steps = [1, 7].map(|day| {
        let record = record(&head, "run.looks", &object);
        head = record.head();
        let redo = Some(Redone::Looks(site.registry, date(day)));
        ReplayStep { record, redo }
    });
    let done = store.replay(site.tenant, &steps, at(91)).await.unwrap();
    let redone = vec![0];
    assert_eq!(done, ReplayOutcome::Appended { records: 2, redone });
    store.sum_up_looks(at(9 * DAY)).await.unwrap();
    let log = store.audit_range(site.tenant, head.seq, 10).await.unwrap();
    let mut told: Vec<_> = log
        .iter()
        .filter(|told| told.record.action == "run.looks")
        .map(|told| {
            (
                told.record.object.clone(),
                told.record.details.contains(&date(2).to_string()),
            )
        })
        .collect();
    told.sort();
    let mut expected = [(object, true), (format!("registry:{}", other.registry), false)];
    expected.sort();
    assert_eq!(told, expected);
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
