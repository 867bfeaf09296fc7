//! Sessions, certificates, revocation.

use portolan_shared::model::{Reason, RunState, SensorState};
use portolan_store::{OpenedSession, RenewalOutcome, Seen, SessionOutcome, Store};

use crate::site::{Site, at, bytes, certificate, note, opening, revoke, sensor, session, tenant};

/// Each session's number is higher than those before.
pub async fn sessions_are_numbered_and_the_first_makes_active(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (sensor, serial) = sensor(store, tenant, "edge").await;
    let opened = store
        .open_session(&opening(tenant, sensor, serial))
        .await
        .unwrap();
    assert_eq!(
        opened,
        SessionOutcome::Opened(OpenedSession {
            epoch: 1,
            name: "edge".to_owned(),
            first: true,
            generation: 1
        })
    );
    assert_eq!(session(store, tenant, sensor, serial).await, 2);
    let found = store.sensor_by_name(tenant, "edge").await.unwrap().unwrap();
    assert_eq!(
        (found.id, found.state, found.session_epoch),
        (sensor, SensorState::Active, 2)
    );
    assert_eq!((found.policy_hash, found.clock_skew_ms), (Some([4; 32]), -12));
    assert_eq!(found.policy_summary, "1 registry");
    assert_eq!(
        found.notify_url.as_deref(),
        Some("https://agent.example:5443/notify")
    );
    assert_eq!(found.last_seen_at, Some(at(2)));
    let other = store
        .open_session(&opening(tenant, sensor, bytes()))
        .await
        .unwrap();
    assert_eq!(other, SessionOutcome::Refused(Reason::CertificateNotCurrent));
}

/// Both serials are good until the new one was used, then it alone is.
pub async fn a_new_certificate_is_promoted_at_its_first_use(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (sensor, old) = sensor(store, tenant, "edge").await;
    let (replaced, new) = (certificate(), certificate());
    for certificate in [&replaced, &new] {
        let outcome = store
            .store_renewal(tenant, sensor, old, certificate, at(5), &note())
            .await
            .unwrap();
        assert_eq!(outcome, RenewalOutcome::Stored);
    }
    let refused = SessionOutcome::Refused(Reason::CertificateNotCurrent);
    let unused = opening(tenant, sensor, replaced.serial);
    assert_eq!(
        store.open_session(&unused).await.unwrap(),
        refused,
        "it was replaced before it was used"
    );
    session(store, tenant, sensor, old).await;
    session(store, tenant, sensor, new.serial).await;
    assert_eq!(
        store.open_session(&opening(tenant, sensor, old)).await.unwrap(),
        refused
    );
    for voided in [replaced.serial, old] {
        let renewal = store
            .store_renewal(tenant, sensor, voided, &certificate(), at(6), &note())
            .await
            .unwrap();
        assert_eq!(renewal, RenewalOutcome::Refused(Reason::CertificateNotCurrent));
    }
    let found = store.sensor(tenant, sensor).await.unwrap().unwrap();
    assert_eq!((found.current, found.new), (new, None));
}

/// And then no more until the hour is over.
pub async fn six_renewals_an_hour(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (sensor, serial) = sensor(store, tenant, "edge").await;
    let renew = |seconds| async move {
        store
            .store_renewal(tenant, sensor, serial, &certificate(), at(seconds), &note())
            .await
            .unwrap()
    };
    for i in 0..6 {
        assert_eq!(renew(i * 60).await, RenewalOutcome::Stored);
    }
    assert_eq!(renew(3_599).await, RenewalOutcome::TooMany);
    assert_eq!(
        renew(3_600).await,
        RenewalOutcome::Stored,
        "the first is an hour old"
    );
    assert_eq!(renew(3_601).await, RenewalOutcome::TooMany);
}

/// All of it at once; the sensor is out.
pub async fn revocation_denies_returns_leases_and_keeps_the_name(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let before = store.denial_epoch().await.unwrap();
    assert!(revoke(store, site.tenant, site.sensor, 11).await);
    assert!(!revoke(store, site.tenant, site.sensor, 12).await);
    let denials = store.denials_after(before).await.unwrap();
    let ours: Vec<_> = denials
        .iter()
        .filter(|denial| denial.tenant == site.tenant)
        .collect();
    assert_eq!(ours.len(), 1);
    assert_eq!(
        (ours[0].sensor, ours[0].reason),
        (site.sensor, Some(Reason::SensorRevoked))
    );
    assert!(ours[0].epoch > before && store.denial_epoch().await.unwrap() >= ours[0].epoch);
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!(run.state, RunState::Queued);
    let found = store.sensor_by_name(site.tenant, "edge").await.unwrap().unwrap();
    assert_eq!(
        (found.state, found.revoked_at),
        (SensorState::Revoked, Some(at(11)))
    );
    let refused = SessionOutcome::Refused(Reason::SensorRevoked);
    let opening = opening(site.tenant, site.sensor, site.serial);
    assert_eq!(store.open_session(&opening).await.unwrap(), refused);
    let renewal = store
        .store_renewal(
            site.tenant,
            site.sensor,
            site.serial,
            &certificate(),
            at(13),
            &note(),
        )
        .await
        .unwrap();
    assert_eq!(renewal, RenewalOutcome::Refused(Reason::SensorRevoked));
}

/// Reports may overtake each other.
pub async fn last_seen_never_goes_back(store: &dyn Store) {
    let site = Site::new(store).await;
    let seen = |seconds| Seen {
        tenant: site.tenant,
        sensor: site.sensor,
        at: at(seconds),
    };
    store.record_seen(&[]).await.unwrap();
    store.record_seen(&[seen(20), seen(30), seen(25)]).await.unwrap();
    store.record_seen(&[seen(22)]).await.unwrap();
    let found = store.sensor(site.tenant, site.sensor).await.unwrap().unwrap();
    assert_eq!(found.last_seen_at, Some(at(30)));
}

/// Only the method that says so looks across tenants.
pub async fn sensors_of_another_tenant_are_unknown(store: &dyn Store) {
    let site = Site::new(store).await;
    let stranger = tenant(store).await;
    assert!(store.sensor(stranger, site.sensor).await.unwrap().is_none());
    assert!(store.sensor_by_name(stranger, "edge").await.unwrap().is_none());
    assert!(!revoke(store, stranger, site.sensor, 9).await);
    let opening = opening(stranger, site.sensor, site.serial);
    assert_eq!(
        store.open_session(&opening).await.unwrap(),
        SessionOutcome::Refused(Reason::IdentityUnknown)
    );
    assert_eq!(
        store.sensor_anywhere(site.sensor).await.unwrap().unwrap().tenant,
        site.tenant
    );
}
