//! Where a database is in time, and what a restore does to it.

use jiff::Timestamp;
use portolan_shared::model::{Reason, RunState};
use portolan_shared::process::SystemRng;
use portolan_shared::secret::sealed::{Recipient, SealingKeyPair};
use portolan_store::{
    ContinuityHash, EPOCHS_PASSED_OVER, PublishOutcome, RecoveryClaim, RecoveryGrounds, RecoveryOutcome,
    RestoreEnd, RestoredTenant, SessionOutcome, StaleFence, StandingChange, Store, StoreError, Timeline,
    TimelineMark, WebhookChange, WebhookState, WhyDisabled,
};

use crate::feed::all;
use crate::site::{
    Site, at, bytes, certificate, commit_of, entries, note, noted, opening, sensor, session, tenant, token,
};
use crate::vault::{key, put, sealed, version, versions};
use crate::webhook;
use crate::webhook_delivery::{due, happen, hold};

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

/// A sensor knows of an approval that this state of the database does not: its older keys are void here, too. Only a restore explains that.
pub async fn t60_a_key_of_a_later_generation_voids_those_before(store: &dyn Store) {
    let (site, _, _) = sealed(store).await;
    let pair = SealingKeyPair::generate(&SystemRng);
    let ahead = store.publish_key(&key(&site, &pair, 2), at(4), &note()).await;
    assert_eq!(ahead.unwrap(), PublishOutcome::Refused);
    restore(store).await;
    for (generation, outcome, stands) in [
        (3, PublishOutcome::Published, 3),
        (2, PublishOutcome::Refused, 3),
        (1_004, PublishOutcome::Refused, 3),
        (1_003, PublishOutcome::Published, 1_003),
    ] {
        let pair = if generation == 3 {
            &pair
        } else {
            &SealingKeyPair::generate(&SystemRng)
        };
        let key = key(&site, pair, generation);
        let said = store.publish_key(&key, at(5), &note()).await.unwrap();
        assert_eq!(said, outcome, "{generation}");
        let sensor = store.sensor(site.tenant, site.sensor).await.unwrap().unwrap();
        assert_eq!(sensor.generation, stands, "{generation}");
    }
}

/// However old the backup is: what is known of a sensor ends with it.
pub async fn t60_an_amnesty_holds_whenever_the_sensor_was_last_heard_of(store: &dyn Store) {
    let site = Site::new(store).await;
    store.begin_restore(at(90)).await.unwrap();
    let days = 40 * 86_400;
    let end = RestoreEnd {
        now: at(days),
        amnesty_until: at(days + AMNESTY),
        pulse: 0,
    };
    store.end_restore(&end, &noted).await.unwrap();
    let amnesty = RecoveryOutcome::Recovered {
        tenant: site.tenant,
        grounds: RecoveryGrounds::Amnesty,
    };
    assert_eq!(recover(store, &claim(site.sensor, days + 1)).await, amnesty);
}

/// Where a message was on its way to may belong to others by now; and the number of its next secret was perhaps given out.
pub async fn t60_nothing_is_told_to_webhooks_before_somebody_has_looked(store: &dyn Store) {
    let site = Site::new(store).await;
    let id = webhook::add(store, site.tenant, "told", None).await;
    happen(store, &site, 10).await;
    let waiting = due(store, site.tenant, 11).await;
    assert!(
        hold(store, &waiting[0], "m1", [1; 16], 11).await.is_some(),
        "it is on its way"
    );
    restore(store).await;
    let webhook = store.webhook(site.tenant, id).await.unwrap().unwrap();
    assert_eq!(webhook.state, WebhookState::Disabled(WhyDisabled::Forgotten));
    assert!(due(store, site.tenant, 200).await.is_empty());
    let rotate = WebhookChange {
        rotate: true,
        ..WebhookChange::default()
    };
    let changed = store.change_webhook(site.tenant, id, &rotate, at(201), &|_| Some(note()));
    assert_eq!(changed.await.unwrap().unwrap().secret_no, 1_001);
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
