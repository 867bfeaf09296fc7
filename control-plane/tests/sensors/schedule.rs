//! Runs that nobody asked for reach a sensor.

use portolan_proto::v1::control_message::Body;
use portolan_shared::model::{RunId, RunTrigger};

use crate::scene::Scene;
use crate::sensor::Sensor;
use crate::session::{hello, open};

#[tokio::test]
async fn what_is_read_on_push_is_read_whole_at_first_by_itself() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    scene.add_registry("by-hand", "berlin", "manual").await;
    scene.add_registry("gitlab", "berlin", "on-push").await;
    let Body::JobOffer(offer) = session.body().await else {
        panic!("no offer");
    };
    let run = offer.attempt.unwrap().run_id;
    let run = scene.run(RunId::from_slice(&run).unwrap()).await;
    assert_eq!(
        (run.trigger, run.registry_name.as_str()),
        (RunTrigger::Reconcile, "gitlab")
    );
    assert!(run.scope.is_whole());
    assert_eq!(run.requested_by, "schedule");
}
