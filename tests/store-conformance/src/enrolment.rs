//! Invitations and claims.

use portolan_shared::model::{InvitationId, SensorId, SensorState, TenantId};
use portolan_shared::process::SystemRng;
use portolan_store::{
    EnrolmentClaim, EnrolmentOutcome, InvitationState, PageRequest, Store, StoreError, TokenHash,
};

use crate::site::{at, bytes, certificate, claim, invitation, note, noted, revoke, tenant};

fn is_invalid(outcome: &EnrolmentOutcome) -> bool {
    matches!(outcome, EnrolmentOutcome::Invalid { .. })
}

/// Fifty machines show the same token at once.
pub async fn of_many_concurrent_claims_one_enrols(store: &dyn Store) {
    let tenant = tenant(store).await;
    let invitation = invitation(tenant, "edge");
    store.add_invitation(&invitation, &note()).await.unwrap();
    let claims: Vec<_> = (0..50).map(|_| claim(&invitation)).collect();
    let outcomes = futures::future::join_all(claims.iter().map(|claim| store.enrol(claim, &noted))).await;
    let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
    let enrolled: Vec<_> = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, EnrolmentOutcome::Enrolled { .. }))
        .collect();
    assert_eq!(enrolled.len(), 1);
    let bound = |outcome: &&EnrolmentOutcome| matches!(outcome, EnrolmentOutcome::AlreadyBound { .. });
    assert_eq!(outcomes.iter().filter(bound).count(), 49);
    let newly = |outcome: &&EnrolmentOutcome| {
        matches!(
            outcome,
            EnrolmentOutcome::AlreadyBound {
                newly_contested: true,
                ..
            }
        )
    };
    assert_eq!(outcomes.iter().filter(newly).count(), 1);
    assert_eq!(
        store
            .sensors(tenant, &PageRequest::first())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
}

/// The answer to the first claim was lost.
pub async fn the_same_keys_may_claim_again_for_ten_minutes(store: &dyn Store) {
    let tenant = tenant(store).await;
    let invitation = invitation(tenant, "edge");
    store.add_invitation(&invitation, &note()).await.unwrap();
    let first = claim(&invitation);
    store.enrol(&first, &noted).await.unwrap();
    let again = EnrolmentClaim {
        certificate: certificate(),
        now: at(601),
        ..claim(&invitation)
    };
    let again = EnrolmentClaim {
        identity_public_key: first.identity_public_key,
        ..again
    };
    let outcome = store.enrol(&again, &noted).await.unwrap();
    assert_eq!(
        outcome,
        EnrolmentOutcome::Again {
            sensor: first.new_sensor,
            tenant,
            name: "edge".to_owned(),
            invited_by: invitation.created_by.clone(),
        }
    );
    let sensor = store.sensor(tenant, first.new_sensor).await.unwrap().unwrap();
    assert_eq!(sensor.current, first.certificate);
    assert_eq!(sensor.new, Some(again.certificate.clone()));
    assert_eq!(
        store
            .sensors(tenant, &PageRequest::first())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    let late = EnrolmentClaim {
        now: at(602),
        ..again
    };
    assert!(is_invalid(&store.enrol(&late, &noted).await.unwrap()));
}

/// A sensor whose token was shown by somebody else too.
pub(crate) async fn contested(store: &dyn Store) -> (TenantId, SensorId) {
    let tenant = tenant(store).await;
    let invitation = invitation(tenant, "edge");
    store.add_invitation(&invitation, &note()).await.unwrap();
    let first = claim(&invitation);
    store.enrol(&first, &noted).await.unwrap();
    let second = EnrolmentClaim {
        now: at(5_000),
        ..claim(&invitation)
    };
    let outcome = store.enrol(&second, &noted).await.unwrap();
    assert!(matches!(outcome, EnrolmentOutcome::AlreadyBound { .. }));
    (tenant, first.new_sensor)
}

/// Somebody else has the token: its owner must hear of it.
pub async fn the_right_secret_with_other_keys_contests_the_sensor(store: &dyn Store) {
    let tenant = tenant(store).await;
    let invitation = invitation(tenant, "edge");
    store.add_invitation(&invitation, &note()).await.unwrap();
    let first = claim(&invitation);
    store.enrol(&first, &noted).await.unwrap();
    for newly_contested in [true, false] {
        let second = EnrolmentClaim {
            now: at(5_000),
            source: "198.51.100.1".to_owned(),
            ..claim(&invitation)
        };
        assert_eq!(
            store.enrol(&second, &noted).await.unwrap(),
            EnrolmentOutcome::AlreadyBound {
                sensor: first.new_sensor,
                tenant,
                first_source: "192.0.2.7".to_owned(),
                newly_contested,
            }
        );
    }
    let sensor = store.sensor(tenant, first.new_sensor).await.unwrap().unwrap();
    assert!(sensor.contested && sensor.new.is_none());
    let wrong = EnrolmentClaim {
        hash: TokenHash(bytes()),
        ..claim(&invitation)
    };
    assert!(
        is_invalid(&store.enrol(&wrong, &noted).await.unwrap()),
        "a wrong secret learns nothing"
    );
}

/// Nothing else of the token is good enough.
pub async fn wrong_expired_and_withdrawn_invitations_are_invalid(store: &dyn Store) {
    let tenant = tenant(store).await;
    let open = invitation(tenant, "edge");
    store.add_invitation(&open, &note()).await.unwrap();
    let good = claim(&open);
    let unknown = EnrolmentClaim {
        invitation: InvitationId::random(&SystemRng),
        ..good.clone()
    };
    assert!(matches!(
        store.enrol(&unknown, &noted).await.unwrap(),
        EnrolmentOutcome::Invalid { tenant: None, .. }
    ));
    let mut hash = good.hash;
    hash.0[31] ^= 1;
    for bad in [
        EnrolmentClaim { hash, ..good.clone() },
        EnrolmentClaim {
            now: open.expires_at,
            ..good.clone()
        },
    ] {
        let outcome = store.enrol(&bad, &noted).await.unwrap();
        assert!(
            matches!(outcome, EnrolmentOutcome::Invalid { tenant: Some(of), .. } if of == tenant),
            "{outcome:?}"
        );
    }
    assert!(
        store
            .revoke_invitation(tenant, open.id, at(2), &note())
            .await
            .unwrap()
    );
    assert!(
        !store
            .revoke_invitation(tenant, open.id, at(3), &note())
            .await
            .unwrap()
    );
    assert!(is_invalid(&store.enrol(&good, &noted).await.unwrap()));
    assert!(
        store
            .sensors(tenant, &PageRequest::first())
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

/// A name is taken by a sensor for ever, by an invitation while it is open.
pub async fn names_of_sensors_and_open_invitations_are_taken(store: &dyn Store) {
    let tenant = tenant(store).await;
    let first = invitation(tenant, "edge");
    store.add_invitation(&first, &note()).await.unwrap();
    let mut second = invitation(tenant, "edge");
    let taken =
        |result: Result<(), StoreError>| matches!(result, Err(StoreError::Taken { what: "sensor", .. }));
    assert!(taken(store.add_invitation(&second, &note()).await));
    second.created_at = first.expires_at;
    second.expires_at = at(9_000);
    store.add_invitation(&second, &note()).await.unwrap();
    let late = EnrolmentClaim {
        now: at(4_000),
        ..claim(&second)
    };
    assert!(matches!(
        store.enrol(&late, &noted).await.unwrap(),
        EnrolmentOutcome::Enrolled { .. }
    ));
    assert!(taken(
        store.add_invitation(&invitation(tenant, "edge"), &note()).await
    ));
    revoke(store, tenant, late.new_sensor, 4_001).await;
    assert!(taken(
        store.add_invitation(&invitation(tenant, "edge"), &note()).await
    ));
    let elsewhere = crate::site::tenant(store).await;
    store
        .add_invitation(&invitation(elsewhere, "edge"), &note())
        .await
        .unwrap();
}

/// A copied identity does not make a second sensor.
pub async fn an_identity_key_enrols_once(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (one, two) = (invitation(tenant, "one"), invitation(tenant, "two"));
    store.add_invitation(&one, &note()).await.unwrap();
    store.add_invitation(&two, &note()).await.unwrap();
    let first = claim(&one);
    store.enrol(&first, &noted).await.unwrap();
    let copied = EnrolmentClaim {
        identity_public_key: first.identity_public_key,
        ..claim(&two)
    };
    assert!(is_invalid(&store.enrol(&copied, &noted).await.unwrap()));
    assert!(matches!(
        store.enrol(&claim(&two), &noted).await.unwrap(),
        EnrolmentOutcome::Enrolled { .. }
    ));
}

/// Open, bound, expired.
pub async fn invitations_show_where_they_are_in_their_life(store: &dyn Store) {
    let tenant = tenant(store).await;
    let (one, mut two) = (invitation(tenant, "one"), invitation(tenant, "two"));
    two.created_at = at(1);
    store.add_invitation(&one, &note()).await.unwrap();
    store.add_invitation(&two, &note()).await.unwrap();
    let claim = claim(&one);
    store.enrol(&claim, &noted).await.unwrap();
    let states = |seconds| async move {
        let page = store
            .invitations(tenant, at(seconds), &PageRequest::first())
            .await
            .unwrap();
        page.items
            .into_iter()
            .map(|item| (item.invitation.sensor_name, item.state))
            .collect::<Vec<_>>()
    };
    let bound = ("one".to_owned(), InvitationState::Bound(claim.new_sensor));
    assert_eq!(
        states(2).await,
        [("two".to_owned(), InvitationState::Open), bound.clone()]
    );
    assert_eq!(
        states(3_600).await,
        [("two".to_owned(), InvitationState::Expired), bound]
    );
    let sensor = store.sensor(tenant, claim.new_sensor).await.unwrap().unwrap();
    assert_eq!(sensor.state, SensorState::Provisional);
    assert_eq!(sensor.host.hostname, "edge-1");
    assert_eq!(sensor.enrolled_from, "192.0.2.7");
}
