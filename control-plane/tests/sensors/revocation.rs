//! Shutting a sensor out.

use std::time::{Duration, Instant};

use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_shared::model::Reason;
use portolan_store::StandingChange;

use crate::scene::{Scene, is_transport, reason};
use crate::sensor::{Sensor, csr};
use crate::session::{hello, open};

/// The clock of the machine: what is measured here is real time.
#[expect(clippy::disallowed_methods, reason = "a real span is measured")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t16_two_hundred_revocations_cut_their_streams_within_a_second() {
    const TRIALS: usize = 200;
    let scene = Scene::new().await;
    let bystander = Sensor::enrol(&scene, "bystander").await;
    let mut undisturbed = open(&scene, &bystander).await;
    undisturbed.hello(hello(&[])).await;
    let mut longest = Duration::ZERO;
    for trial in 0..TRIALS {
        let name = format!("sensor-{trial}");
        let sensor = Sensor::enrol(&scene, &name).await;
        let mut session = open(&scene, &sensor).await;
        session.hello(hello(&[])).await;
        let mut renewal = sensor.session(&scene).await;
        sensor.can_call(&scene).await.unwrap();

        let begun = now();
        if trial % 2 == 0 {
            scene.revoke(&name).await;
        } else {
            // As another process would do it: nobody is told here.
            let at = scene.app().clock.now();
            let store = &scene.app().store;
            let entry = crate::scene::note(at);
            let revoked = store.change_standing(sensor.tenant, sensor.id, StandingChange::Revoke, at, &entry);
            assert!(revoked.await.unwrap());
        }
        match session.receive().await {
            Some(Ok(Body::Goodbye(goodbye))) => assert_eq!(goodbye.reason(), v1::Reason::SensorRevoked),
            other => panic!("{other:?}"),
        }
        session.end().await;
        longest = longest.max(begun.elapsed());

        let request = v1::RenewRequest {
            csr_der: csr(&sensor.keys.tls).into(),
        };
        let refused = renewal.renew(request).await.unwrap_err();
        assert!(is_transport(&refused) || reason(&refused) == Reason::SensorRevoked);
        let refused = sensor.can_call(&scene).await.unwrap_err();
        assert!(is_transport(&refused), "{refused:?}");
    }
    println!("T16: stream cut at most {longest:?} after the wish, in {TRIALS} trials");
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    undisturbed.heartbeat(&[]).await;
    undisturbed.ack().await;
}

#[tokio::test]
async fn t08_a_contested_sensor_can_be_revoked_and_its_name_stays_its_own() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    scene.revoke("berlin").await;
    crate::scene::eventually("the sensor is out", || async {
        sensor
            .can_call(&scene)
            .await
            .is_err_and(|status| is_transport(&status))
    })
    .await;
    assert!(
        scene
            .app()
            .invite_sensor(&scene.admin, "berlin", None)
            .await
            .is_err()
    );
}
