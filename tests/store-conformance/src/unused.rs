//! Sensors that were enrolled and never opened a session.

use portolan_shared::model::SensorId;
use portolan_store::{
    Certificate, EnrolmentOutcome, InvitationState, PageRequest, RegistryChange, SensorRecord, Store,
};

use crate::site::{
    Site, at, bytes, certificate, claim, entries, invitation, note, noted, revoke, sensor, session, tenant,
};

/// The ids among these that a case made itself: others may share the database.
fn which(found: &[SensorRecord], own: &[SensorId]) -> Vec<SensorId> {
    let found = found.iter().map(|sensor| sensor.id);
    found.filter(|id| own.contains(id)).collect()
}

/// Marks come with their entries, once, and only for those that are old enough and have not connected.
pub async fn a_sensor_that_does_not_connect_is_marked_once(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (stuck, _) = sensor(store, tenant, "stuck").await;
    let (active, serial) = sensor(store, tenant, "active").await;
    session(store, tenant, active, serial).await;
    let (revoked, _) = sensor(store, tenant, "revoked").await;
    revoke(store, tenant, revoked, 2).await;
    let own = [stuck, active, revoked];
    let before = entries(store, tenant).await;
    let early = store.mark_stuck_sensors(at(0), at(900), &noted).await.unwrap();
    assert!(which(&early, &own).is_empty(), "enrolled after that time");
    let marked = store.mark_stuck_sensors(at(1), at(901), &noted).await.unwrap();
    assert_eq!(which(&marked, &own), [stuck]);
    let again = store.mark_stuck_sensors(at(2), at(961), &noted).await.unwrap();
    assert!(which(&again, &own).is_empty(), "once");
    assert_eq!(entries(store, tenant).await, before + 1);
}

/// Not before, not if one certificate is still good, and not if it has connected.
pub async fn a_sensor_that_never_connected_is_removed_when_its_certificates_have_ended(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (unused, _) = sensor(store, tenant, "unused").await;
    let (renewed, shown) = sensor(store, tenant, "renewed").await;
    let longer = Certificate {
        not_after: at(90_000),
        ..certificate()
    };
    store
        .store_renewal(tenant, renewed, shown, &longer, at(5), &note())
        .await
        .unwrap();
    let (active, serial) = sensor(store, tenant, "active").await;
    session(store, tenant, active, serial).await;
    let own = [unused, renewed, active];
    let before = entries(store, tenant).await;
    for (enrolled_before, now) in [(at(0), at(86_400)), (at(1), at(86_399))] {
        let none = store
            .remove_unused_sensors(enrolled_before, now, &noted)
            .await
            .unwrap();
        assert!(which(&none, &own).is_empty());
    }
    let removed = store
        .remove_unused_sensors(at(1), at(86_400), &noted)
        .await
        .unwrap();
    assert_eq!(which(&removed, &own), [unused]);
    assert!(store.sensor(tenant, unused).await.unwrap().is_none());
    assert_eq!(entries(store, tenant).await, before + 1);
    let later = store
        .remove_unused_sensors(at(1), at(90_000), &noted)
        .await
        .unwrap();
    assert_eq!(which(&later, &own), [renewed]);
    assert!(store.sensor(tenant, active).await.unwrap().is_some());
}

/// Nobody becomes that sensor any more, no registry names it, and another may have its name.
pub async fn a_removed_sensor_leaves_its_invitation_spent_and_its_name_free(store: &dyn Store) {
    let site = Site::new(store).await;
    let spent = invitation(site.tenant, "late");
    store.add_invitation(&spent, &note()).await.unwrap();
    let first = claim(&spent);
    store.enrol(&first, &noted).await.unwrap();
    let sensors = Some(vec![first.new_sensor, site.sensor]);
    let change = RegistryChange {
        sensors,
        ..RegistryChange::default()
    };
    site.set(store, change).await;
    let removed = store
        .remove_unused_sensors(at(1), at(86_400), &noted)
        .await
        .unwrap();
    assert_eq!(which(&removed, &[first.new_sensor]), [first.new_sensor]);
    let other_keys = portolan_store::EnrolmentClaim {
        identity_public_key: bytes(),
        ..first.clone()
    };
    for claim in [&first, &other_keys] {
        let outcome = store.enrol(claim, &noted).await.unwrap();
        assert!(matches!(outcome, EnrolmentOutcome::Invalid { .. }), "{outcome:?}");
    }
    let invitations = store
        .invitations(site.tenant, at(2), &PageRequest::first())
        .await
        .unwrap();
    let shown = invitations
        .items
        .iter()
        .find(|shown| shown.invitation.id == spent.id);
    assert_eq!(shown.unwrap().state, InvitationState::Bound(first.new_sensor));
    let registry = store.registry(site.tenant, site.registry).await.unwrap().unwrap();
    assert_eq!(registry.registry.sensors, [site.sensor]);
    sensor(store, site.tenant, "late").await;
}
