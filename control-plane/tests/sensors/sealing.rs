//! Sealing keys: published by their sensor alone, and what is sealed to older ones.

use jiff::SignedDuration;
use portolan_proto::convert::sealed;
use portolan_proto::v1;
use portolan_shared::model::{CredentialId, Reason};
use portolan_shared::process::SystemRng;
use portolan_shared::secret::sealed::{Recipient, SealingKeyPair, SealingKeyStatement, rewrap};
use portolan_store::AuditEntry;

use crate::scene::{Scene, eventually, reason};
use crate::sensor::Sensor;
use crate::session::{hello, open};
use crate::vault::{client, offered, opened, publish_as, published, put, queue, registry, signed, statement};

/// What the tenant's log has of one kind.
async fn entries(scene: &Scene, action: &str) -> Vec<AuditEntry> {
    let mut log = scene.audit().await;
    log.retain(|entry| entry.action == action);
    log
}

#[tokio::test]
async fn a_key_is_taken_from_its_own_sensor_alone_and_repeating_it_is_safe() {
    let scene = Scene::new().await;
    let berlin = Sensor::enrol(&scene, "berlin").await;
    let munich = Sensor::enrol(&scene, "munich").await;
    let pair = SealingKeyPair::generate(&SystemRng);
    let own = statement(&scene, &berlin, &pair);
    let violation = Reason::ProtocolViolation;

    let stolen = publish_as(&scene, &munich, signed(&berlin, &own))
        .await
        .unwrap_err();
    assert_eq!(reason(&stolen), violation, "of another sensor");
    let forged = publish_as(&scene, &berlin, signed(&munich, &own))
        .await
        .unwrap_err();
    assert_eq!(reason(&forged), violation, "signed by another key");
    let now = scene.app().clock.now();
    for hours in [-1, 30 * 24 + 2] {
        let lasting = SealingKeyStatement {
            not_after: (now + SignedDuration::from_hours(hours)).into(),
            ..own
        };
        let refused = publish_as(&scene, &berlin, signed(&berlin, &lasting))
            .await
            .unwrap_err();
        assert_eq!(reason(&refused), violation, "{hours} hours");
    }
    let other = SealingKeyStatement { generation: 2, ..own };
    let refused = publish_as(&scene, &berlin, signed(&berlin, &other))
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), Reason::StaleSession, "of another generation");
    let nothing = publish_as(&scene, &berlin, v1::SealingKeyStatement::default())
        .await
        .unwrap_err();
    assert_eq!(reason(&nothing), violation);
    assert!(
        scene.app().sealing_key(&scene.admin, "berlin").await.is_err(),
        "none was taken"
    );

    for _ in 0..10 {
        assert_eq!(
            publish_as(&scene, &berlin, signed(&berlin, &own)).await.unwrap(),
            0
        );
    }
    let (_, shown) = scene.app().sealing_key(&scene.admin, "berlin").await.unwrap();
    assert_eq!(shown.signed.unverified(), &own);
    let [told] = &entries(&scene, "sensor.sealing_key").await[..] else {
        panic!("the key that was taken is told of, once")
    };
    assert_eq!(told.object, format!("sensor:{}", berlin.id));
    assert_eq!(told.details["key"], pair.id().to_string());
    let mut calls = client(&scene, &berlin).await;
    assert!(calls.outdated_wraps(v1::OutdatedWrapsRequest {}).await.is_ok());
    scene.revoke("berlin").await;
    eventually("it is shut out", || {
        let mut calls = calls.clone();
        async move { calls.outdated_wraps(v1::OutdatedWrapsRequest {}).await.is_err() }
    })
    .await;
}

#[tokio::test]
async fn six_new_keys_an_hour() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    for _ in 0..6 {
        published(&scene, &sensor).await;
    }
    let pair = SealingKeyPair::generate(&SystemRng);
    let message = signed(&sensor, &statement(&scene, &sensor, &pair));
    let refused = publish_as(&scene, &sensor, message).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::Overloaded);
}

#[tokio::test]
async fn what_was_sealed_to_an_older_key_is_put_right_by_the_sensor_itself() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let other = Sensor::enrol(&scene, "munich").await;
    let old = published(&scene, &sensor).await;
    registry(&scene, "a", "berlin").await;
    let id = CredentialId::random(&SystemRng);
    put(&scene, "a", id, 1, &[(&sensor, &old)]).await;
    let new = SealingKeyPair::generate(&SystemRng);
    let message = signed(&sensor, &statement(&scene, &sensor, &new));
    assert_eq!(publish_as(&scene, &sensor, message).await.unwrap(), 1);

    let mut calls = client(&scene, &sensor).await;
    let outdated = calls
        .outdated_wraps(v1::OutdatedWrapsRequest {})
        .await
        .unwrap()
        .into_inner()
        .wraps;
    assert_eq!(outdated.len(), 1);
    let found = sealed(&outdated[0]).unwrap();
    let to = Recipient::own(sensor.id, &new);
    let wrap = rewrap(
        &found.binding,
        &found.payload,
        &found.wrap,
        sensor.id,
        &old,
        &to,
        &SystemRng,
    )
    .unwrap();
    let request = |replaced: &SealingKeyPair| v1::RewrapRequest {
        credential_id: id.as_bytes().to_vec().into(),
        version: 1,
        replaced_key_id: replaced.id().as_bytes().to_vec().into(),
        wrap: wrap.encode().into(),
    };
    let mut strangers = client(&scene, &other).await;
    assert!(
        !strangers
            .rewrap(request(&old))
            .await
            .unwrap()
            .into_inner()
            .replaced
    );
    assert!(
        !calls.rewrap(request(&new)).await.unwrap().into_inner().replaced,
        "not what is there"
    );
    assert!(calls.rewrap(request(&old)).await.unwrap().into_inner().replaced);
    assert!(
        !calls.rewrap(request(&old)).await.unwrap().into_inner().replaced,
        "once"
    );
    let malformed = calls.rewrap(v1::RewrapRequest::default()).await.unwrap_err();
    assert_eq!(reason(&malformed), Reason::ProtocolViolation);
    let [told] = &entries(&scene, "credential.rewrap").await[..] else {
        panic!("what was put in the place of another is told of, once")
    };
    assert_eq!(
        (told.actor.as_str(), told.object.as_str()),
        (&*format!("sensor:{}", sensor.id), &*format!("credential:{id}"))
    );
    let keys = (told.details["from"].as_str(), told.details["to"].as_str());
    assert_eq!(keys, (Some(&*old.id().to_string()), Some(&*new.id().to_string())));

    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    queue(&scene, "a").await;
    let offer = offered(&mut session).await;
    assert_eq!(opened(&sensor, &new, offer.credential.as_ref()).1, "password-1");
}
