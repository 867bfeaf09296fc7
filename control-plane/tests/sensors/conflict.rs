//! One identity in two places; suspension.

use std::sync::{Arc, Mutex};

use portolan::app::WantedStanding;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_proto::v1::sensor_message;
use portolan_shared::model::{Reason, SensorState};
use portolan_store::{AuditSeverity, PageRequest, SensorRecord};

use crate::recovery::recover;
use crate::scene::{Scene, eventually, reason};
use crate::sensor::Sensor;
use crate::session::{Session, hello, open};

/// The same keys, certificate and state: a copied disk.
pub(crate) fn copy(sensor: &Sensor) -> Sensor {
    let past = sensor.past.lock().unwrap().clone();
    Sensor {
        id: sensor.id,
        tenant: sensor.tenant,
        keys: Arc::clone(&sensor.keys),
        chain: sensor.chain.clone(),
        roots: sensor.roots.clone(),
        past: Arc::new(Mutex::new(past)),
    }
}

fn another_start() -> v1::Hello {
    v1::Hello {
        instance_nonce: vec![7; 16].into(),
        machine_fingerprint: vec![8; 16].into(),
        boot_id: "second".to_owned(),
        ..hello(&[])
    }
}

async fn answer(session: &mut Session) {
    match session.body().await {
        Body::PresenceAsk(ask) => {
            let reply = v1::PresenceReply { nonce: ask.nonce };
            session.send(sensor_message::Body::PresenceReply(reply)).await;
        }
        other => panic!("nobody asked: {other:?}"),
    }
}

/// A whole session: the control plane has heard that the new token is stored.
async fn one_session(scene: &Scene, sensor: &Sensor, with: v1::Hello) {
    let mut session = open(scene, sensor).await;
    session.hello(with).await;
    session.heartbeat(&[]).await;
    session.ack().await;
}

pub(crate) async fn record(scene: &Scene, sensor: &Sensor) -> SensorRecord {
    let found = scene.app().store.sensor(sensor.tenant, sensor.id).await.unwrap();
    found.unwrap()
}

pub(crate) async fn alarms(scene: &Scene, sensor: &Sensor) -> Vec<serde_json::Value> {
    let log = scene
        .app()
        .store
        .audit(sensor.tenant, &PageRequest::first())
        .await
        .unwrap();
    let alarms = log.items.into_iter().filter(|record| {
        record.entry.severity == AuditSeverity::High && record.entry.action == "sensor.quarantine"
    });
    alarms.map(|record| record.entry.details).collect()
}

#[tokio::test]
async fn t12_a_copy_beside_the_original_shuts_out_both() {
    let scene = Scene::new().await;
    let original = Sensor::enrol(&scene, "berlin").await;
    let mut first = open(&scene, &original).await;
    first.hello(hello(&[])).await;
    let copied = copy(&original);
    let mut second = open(&scene, &copied).await;
    second.send(sensor_message::Body::Hello(another_start())).await;
    answer(&mut first).await;
    answer(&mut second).await;
    match second.body().await {
        Body::Refuse(refuse) => assert_eq!(refuse.reason(), v1::Reason::IdentityConflict),
        other => panic!("{other:?}"),
    }
    assert_eq!(first.end().await, Some(Reason::SensorQuarantined));
    assert_eq!(record(&scene, &original).await.state, SensorState::Quarantined);
    let alarms = alarms(&scene, &original).await;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!(alarms[0]["second"]["boot_id"], "second");
    assert_eq!(alarms[0]["second"]["fingerprint"], "08".repeat(16));
    assert_eq!(alarms[0]["first"]["fingerprint"], "");
    for sensor in [&original, &copied] {
        let refused = recover(&scene, sensor).await.err().unwrap();
        assert_eq!(reason(&refused), Reason::SensorQuarantined);
    }
}

/// Three within ten minutes are a thief's, the fourth is our own fault: its sensor stays, and whoever comes second is refused all the same.
#[tokio::test]
async fn so_many_conflicts_at_once_stop_the_quarantine_and_never_let_a_second_one_in() {
    let scene = Scene::new().await;
    for (n, name) in ["berlin", "bremen", "hamburg", "munich"].into_iter().enumerate() {
        let original = Sensor::enrol(&scene, name).await;
        let mut first = open(&scene, &original).await;
        first.hello(hello(&[])).await;
        let mut second = open(&scene, &copy(&original)).await;
        second.send(sensor_message::Body::Hello(another_start())).await;
        answer(&mut first).await;
        answer(&mut second).await;
        match second.body().await {
            Body::Refuse(refuse) => assert_eq!(refuse.reason(), v1::Reason::IdentityConflict, "{name}"),
            other => panic!("{other:?}"),
        }
        if n < 3 {
            assert_eq!(
                record(&scene, &original).await.state,
                SensorState::Quarantined,
                "{name}"
            );
        } else {
            assert_eq!(
                record(&scene, &original).await.state,
                SensorState::Active,
                "{name}"
            );
            first.heartbeat(&[]).await;
            first.ack().await;
        }
    }
    let told: Vec<_> = scene
        .audit()
        .await
        .into_iter()
        .filter(|entry| entry.action == "sensor.conflict")
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].severity, AuditSeverity::High);
}

#[tokio::test]
async fn t15_a_late_hello_beside_a_live_session_of_the_same_agent_is_no_conflict() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut late = open(&scene, &sensor).await;
    let overtaken = sensor.past.lock().unwrap().clone();
    let mut live = open(&scene, &sensor).await;
    live.hello(hello(&[])).await;
    let current = sensor.past.lock().unwrap().clone();
    *sensor.past.lock().unwrap() = overtaken;
    late.send(sensor_message::Body::Hello(hello(&[]))).await;
    *sensor.past.lock().unwrap() = current;
    answer(&mut live).await;
    assert!(
        matches!(late.body().await, Body::PresenceAsk(_)),
        "and nobody answers"
    );
    live.heartbeat(&[]).await;
    live.ack().await;
    drop(late);
    assert_eq!(record(&scene, &sensor).await.state, SensorState::Active);
}

#[tokio::test]
async fn t13_the_original_that_comes_back_after_a_copy_ran_is_asked_and_both_are_out() {
    let scene = Scene::new().await;
    let original = Sensor::enrol(&scene, "berlin").await;
    one_session(&scene, &original, hello(&[])).await;
    one_session(&scene, &copy(&original), another_start()).await;
    let mut back = open(&scene, &original).await;
    back.send(sensor_message::Body::Hello(hello(&[]))).await;
    answer(&mut back).await;
    match back.body().await {
        Body::Refuse(refuse) => assert_eq!(refuse.reason(), v1::Reason::IdentityConflict),
        other => panic!("{other:?}"),
    }
    assert_eq!(record(&scene, &original).await.state, SensorState::Quarantined);
}

#[tokio::test]
async fn t14_a_restored_snapshot_is_let_in_once_after_an_approval() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    one_session(&scene, &sensor, hello(&[])).await;
    let snapshot = copy(&sensor);
    one_session(&scene, &sensor, hello(&[])).await;
    let refused = recover(&scene, &snapshot).await.err().unwrap();
    assert_eq!(reason(&refused), Reason::IdentityConflict);
    assert_eq!(
        alarms(&scene, &sensor).await[0]["why"],
        "state older than last session"
    );
    let app = scene.app();
    app.change_standing(
        &scene.admin,
        "berlin",
        WantedStanding::Approved { fingerprint: None },
    )
    .await
    .unwrap();
    let approved = record(&scene, &sensor).await;
    assert_eq!(
        (approved.generation, approved.state),
        (2, SensorState::Quarantined)
    );
    let told = app.standing(sensor.id).await.unwrap().unwrap().reason;
    assert_eq!(told, Some(Reason::CertificateNotCurrent), "it is led to recover");
    // The first answer is lost on the way.
    eventually("the sensor is let in again", || async {
        recover(&scene, &snapshot).await.is_ok()
    })
    .await;
    let recovered = recover(&scene, &snapshot).await.unwrap();
    eventually("its certificate is good", || async {
        recovered.can_call(&scene).await.is_ok()
    })
    .await;
    one_session(&scene, &recovered, hello(&[])).await;
    let again = recover(&scene, &snapshot).await.err().unwrap();
    assert_eq!(
        reason(&again),
        Reason::IdentityConflict,
        "the approval ended with the session"
    );
}

#[tokio::test]
async fn a_suspended_sensor_is_cut_and_comes_back_when_it_is_resumed() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    let app = scene.app();
    app.change_standing(&scene.admin, "berlin", WantedStanding::Suspended)
        .await
        .unwrap();
    assert_eq!(session.end().await, Some(Reason::SensorSuspended));
    let refused = recover(&scene, &sensor).await.err().unwrap();
    assert_eq!(reason(&refused), Reason::SensorSuspended);
    app.change_standing(&scene.admin, "berlin", WantedStanding::Resumed)
        .await
        .unwrap();
    eventually("it is let in again", || async {
        sensor.can_call(&scene).await.is_ok()
    })
    .await;
    open(&scene, &sensor).await.hello(hello(&[])).await;
}

/// A thief comes while the owner is away, and acknowledges what it was not sent, so that the owner's token stays good: it is thrown out, and
/// the owner goes on.
#[tokio::test]
async fn t13_whoever_acknowledges_what_it_was_not_sent_gets_no_session() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    one_session(&scene, &sensor, hello(&[])).await;
    let mut thief = open(&scene, &copy(&sensor)).await;
    thief.send(sensor_message::Body::Hello(another_start())).await;
    assert!(matches!(thief.body().await, Body::Welcome(_)));
    let acknowledged = v1::ContinuityAck {
        token_sha256: vec![5; 32].into(),
    };
    thief
        .send(sensor_message::Body::ContinuityAck(acknowledged))
        .await;
    assert_eq!(thief.end().await, Some(Reason::ProtocolViolation));
    one_session(&scene, &sensor, hello(&[])).await;
}

/// A copy that asks and goes away when it is asked back leaves a trace, once.
#[tokio::test]
async fn t13_a_copy_that_does_not_answer_leaves_a_trace_once_an_hour() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let old = copy(&sensor);
    one_session(&scene, &sensor, hello(&[])).await;
    for _ in 0..2 {
        let mut silent = open(&scene, &old).await;
        silent.send(sensor_message::Body::Hello(another_start())).await;
        assert!(matches!(silent.body().await, Body::PresenceAsk(_)));
        drop(silent);
    }
    eventually("both are counted", || async {
        let meters = scene.control_plane().meters().render();
        meters.contains("portolan_sightings_unanswered_total 2")
    })
    .await;
    let mut told = scene.audit().await;
    told.retain(|entry| entry.action == "sensor.sighted");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].details["sighting"]["boot_id"], "second");
    assert_eq!(record(&scene, &sensor).await.state, SensorState::Active);
}

#[tokio::test]
async fn t14_an_approval_for_one_machine_lets_in_no_other_and_the_story_shows_both() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    one_session(&scene, &sensor, hello(&[])).await;
    let snapshot = copy(&sensor);
    let original = v1::Hello {
        machine_fingerprint: vec![6; 16].into(),
        ..hello(&[])
    };
    one_session(&scene, &sensor, original).await;
    recover(&scene, &snapshot).await.err().unwrap();
    let alarm = &alarms(&scene, &sensor).await[0];
    assert_eq!(alarm["first"]["fingerprint"], "06".repeat(16));
    assert_eq!(alarm["second"]["fingerprint"], "09".repeat(16));
    let app = scene.app();
    let approve = async |machine: u8| {
        let wanted = WantedStanding::Approved {
            fingerprint: Some([machine; 16]),
        };
        app.change_standing(&scene.admin, "berlin", wanted).await.unwrap();
    };
    approve(6).await;
    let refused = recover(&scene, &snapshot).await.err().unwrap();
    assert_eq!(reason(&refused), Reason::SensorQuarantined);
    approve(9).await;
    recover(&scene, &snapshot).await.unwrap();
}
