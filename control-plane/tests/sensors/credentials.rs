//! Sealed credentials, brought just in time to the sensor that can open them, and to no other.

use portolan::app::{Caller, RegistryPatch};
use portolan_proto::convert::probe_report_to_wire;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_proto::v1::sensor_message;
use portolan_shared::model::{CredentialId, Diagnosis, FindingCode, ProbeId, RunState, Stage, StageReport};
use portolan_shared::process::SystemRng;
use portolan_store::AuditSeverity;

use crate::jobs::take_offer;
use crate::scene::{Scene, eventually};
use crate::sensor::Sensor;
use crate::session::{Session, hello, open};
use crate::vault::{client, offered, opened, published, put, queue, registry, sealed_version};

fn done(offer: &v1::JobOffer, reason: v1::Reason) -> sensor_message::Body {
    sensor_message::Body::JobDone(v1::JobDone {
        attempt: offer.attempt.clone(),
        reason: reason.into(),
        finding: None,
    })
}

#[tokio::test]
async fn t34_a_credential_comes_with_a_job_for_its_registry_and_with_no_other() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let pair = published(&scene, &sensor).await;
    registry(&scene, "a", "berlin").await;
    registry(&scene, "b", "berlin").await;
    let id = CredentialId::random(&SystemRng);
    put(&scene, "a", id, 1, &[(&sensor, &pair)]).await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;

    queue(&scene, "b").await;
    let other = offered(&mut session).await;
    assert_eq!(other.credential, None);
    session.send(done(&other, v1::Reason::Policy)).await;
    queue(&scene, "a").await;
    let offer = offered(&mut session).await;
    assert_eq!(
        opened(&sensor, &pair, offer.credential.as_ref()),
        (1, "password-1".to_owned())
    );
    let told = scene.audit().await;
    let delivered: Vec<_> = told
        .iter()
        .filter(|entry| entry.action == "credential.deliver")
        .collect();
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0].details["sensor"], sensor.id.to_string());
}

#[tokio::test]
async fn a_run_waits_for_a_sensor_that_can_open_the_credential() {
    let scene = Scene::new().await;
    let berlin = Sensor::enrol(&scene, "berlin").await;
    let munich = Sensor::enrol(&scene, "munich").await;
    let (theirs, ours) = (published(&scene, &berlin).await, published(&scene, &munich).await);
    registry(&scene, "a", "munich").await;
    let id = CredentialId::random(&SystemRng);
    put(&scene, "a", id, 1, &[(&munich, &ours)]).await;
    assign(&scene, "a", &["berlin", "munich"]).await;
    let mut session = open(&scene, &berlin).await;
    session.hello(hello(&[])).await;
    let run = queue(&scene, "a").await;
    session.heartbeat(&[]).await;
    session.ack().await;
    assert_eq!(scene.run(run).await.state, RunState::Queued);

    put(&scene, "a", id, 2, &[(&munich, &ours), (&berlin, &theirs)]).await;
    let offer = offered(&mut session).await;
    assert_eq!(opened(&berlin, &theirs, offer.credential.as_ref()).0, 2);
}

async fn assign(scene: &Scene, registry: &str, sensors: &[&str]) {
    let patch = RegistryPatch {
        sensors: Some(sensors.iter().map(|name| (*name).to_owned()).collect()),
        ..RegistryPatch::default()
    };
    let admin: &Caller = &scene.admin;
    scene
        .app()
        .change_registry(admin, registry, patch, None)
        .await
        .unwrap();
}

#[tokio::test]
async fn whoever_reads_a_registry_gets_the_newer_version_and_hears_when_it_is_taken_away() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let pair = published(&scene, &sensor).await;
    registry(&scene, "a", "berlin").await;
    let id = CredentialId::random(&SystemRng);
    put(&scene, "a", id, 1, &[(&sensor, &pair)]).await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    queue(&scene, "a").await;
    let attempt = take_offer(&mut session).await;
    session.heartbeat(&[attempt]).await;
    session.ack().await;

    put(&scene, "a", id, 2, &[(&sensor, &pair)]).await;
    match session.body().await {
        Body::CredentialOffer(offer) => {
            assert_eq!(offer.attempt, Some(attempt.into()));
            assert_eq!(
                opened(&sensor, &pair, offer.credential.as_ref()),
                (2, "password-2".to_owned())
            );
        }
        other => panic!("{other:?}"),
    }
    scene.app().revert_credential(&scene.admin, "a").await.unwrap();
    assert_eq!(withdrawn(&mut session).await, [id]);
    match session.body().await {
        Body::CredentialOffer(offer) => assert_eq!(opened(&sensor, &pair, offer.credential.as_ref()).0, 1),
        other => panic!("{other:?}"),
    }
    scene.app().remove_credential(&scene.admin, "a").await.unwrap();
    assert_eq!(withdrawn(&mut session).await, [id]);
}

async fn withdrawn(session: &mut Session) -> Vec<CredentialId> {
    match session.body().await {
        Body::CredentialWithdrawal(withdrawal) => {
            let ids = withdrawal.credential_ids.iter();
            ids.map(|id| CredentialId::from_slice(id).unwrap()).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_sensor_that_is_not_assigned_any_more_must_forget() {
    let scene = Scene::new().await;
    let berlin = Sensor::enrol(&scene, "berlin").await;
    Sensor::enrol(&scene, "munich").await;
    let pair = published(&scene, &berlin).await;
    registry(&scene, "a", "berlin").await;
    let id = CredentialId::random(&SystemRng);
    put(&scene, "a", id, 1, &[(&berlin, &pair)]).await;
    let mut session = open(&scene, &berlin).await;
    session.hello(hello(&[])).await;
    session.heartbeat(&[]).await;
    session.ack().await;
    assign(&scene, "a", &["munich"]).await;
    assert_eq!(withdrawn(&mut session).await, [id]);
    published(&scene, &berlin).await;
    let outdated = client(&scene, &berlin)
        .await
        .outdated_wraps(v1::OutdatedWrapsRequest {})
        .await;
    assert!(
        outdated.unwrap().into_inner().wraps.is_empty(),
        "nor can it get it anew"
    );
}

#[tokio::test]
async fn a_refused_credential_fails_the_run_for_good_and_is_written_down_as_grave() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let pair = published(&scene, &sensor).await;
    for name in ["a", "b"] {
        registry(&scene, name, "berlin").await;
        let id = CredentialId::random(&SystemRng);
        put(&scene, name, id, 1, &[(&sensor, &pair)]).await;
    }
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    let run = queue(&scene, "a").await;
    let offer = offered(&mut session).await;
    let reject = v1::JobReject {
        attempt: offer.attempt,
        reason: v1::Reason::CredentialRefused.into(),
        ..v1::JobReject::default()
    };
    session.send(sensor_message::Body::JobReject(reject)).await;
    eventually("the run has failed", || async {
        scene.run(run).await.state == RunState::Failed
    })
    .await;
    assert_eq!(
        scene.run(run).await.finding.unwrap().code,
        FindingCode::CredentialRefused
    );
    eventually("it is written down", || async {
        let told = scene.audit().await;
        let refused = told.iter().find(|entry| entry.action == "credential.refused");
        refused.is_some_and(|entry| entry.severity == AuditSeverity::High)
    })
    .await;
    // Another one within the minute is counted: a sensor cannot fill the log of its tenant.
    let again = queue(&scene, "b").await;
    let reject = v1::JobReject {
        attempt: offered(&mut session).await.attempt,
        reason: v1::Reason::CredentialRefused.into(),
        ..v1::JobReject::default()
    };
    session.send(sensor_message::Body::JobReject(reject)).await;
    eventually("that run has failed, too", || async {
        scene.run(again).await.state == RunState::Failed
    })
    .await;
    session.heartbeat(&[]).await;
    session.ack().await;
    let told = scene.audit().await;
    let refused = told.iter().filter(|entry| entry.action == "credential.refused");
    assert_eq!(refused.count(), 1);
}

#[tokio::test]
async fn a_credential_that_a_probe_tries_is_told_of_like_any_other() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let pair = published(&scene, &sensor).await;
    registry(&scene, "a", "berlin").await;
    let id = CredentialId::random(&SystemRng);
    let trial = sealed_version(&scene, "a", id, 1, &[(&sensor, &pair)]).await;
    let mut session = open(&scene, &sensor).await;
    let able = v1::Hello {
        capabilities: vec!["probe".into()],
        ..hello(&[])
    };
    session.hello(able).await;
    let asked = scene
        .app()
        .probe_registry(&scene.admin, "a", None, None, Some(trial))
        .await
        .unwrap();
    let offer = match session.body().await {
        Body::ProbeOffer(offer) => offer,
        other => panic!("{other:?}"),
    };
    assert_eq!(opened(&sensor, &pair, offer.credential.as_ref()).0, 1);
    let told = scene.audit().await;
    let delivered: Vec<_> = told
        .iter()
        .filter(|entry| entry.action == "credential.deliver")
        .collect();
    assert_eq!(delivered.len(), 1);
    let details = &delivered[0].details;
    assert_eq!(details["credential"], id.to_string());
    assert_eq!(details["sensor"], sensor.id.to_string());
    assert_eq!(details["probe"], asked.probe.id.to_string());
    assert_eq!(details["trial"], true);
}

#[tokio::test]
async fn a_probe_brings_the_credential_in_use_or_the_one_that_it_tries() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let pair = published(&scene, &sensor).await;
    registry(&scene, "a", "berlin").await;
    let id = CredentialId::random(&SystemRng);
    put(&scene, "a", id, 1, &[(&sensor, &pair)]).await;
    put(&scene, "a", id, 2, &[(&sensor, &pair)]).await;
    let mut session = open(&scene, &sensor).await;
    let able = v1::Hello {
        capabilities: vec!["probe".into()],
        ..hello(&[])
    };
    session.hello(able).await;
    scene
        .app()
        .probe_registry(&scene.admin, "a", None, None, None)
        .await
        .unwrap();
    let offer = match session.body().await {
        Body::ProbeOffer(offer) => offer,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        opened(&sensor, &pair, offer.credential.as_ref()),
        (2, "password-2".to_owned())
    );
    let stages = [Stage::Token, Stage::Scopes, Stage::Discovery];
    let diagnosis = Diagnosis {
        stages: stages
            .map(|stage| StageReport::new(stage, 1, &[], Vec::new()))
            .to_vec(),
        ..Diagnosis::default()
    };
    let probe = ProbeId::from_slice(&offer.probe_id).unwrap();
    let report = probe_report_to_wire(probe, &diagnosis);
    session.send(sensor_message::Body::ProbeReport(report)).await;
    eventually("the version has worked, and the one before is gone", || async {
        let shown = scene
            .app()
            .credential(&scene.admin, "a")
            .await
            .unwrap()
            .sealed
            .unwrap();
        shown.worked_at.is_some() && shown.former_version.is_none()
    })
    .await;
}

#[tokio::test]
async fn a_job_of_an_unknown_kind_is_written_down_once_a_minute() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    for name in ["a", "b"] {
        registry(&scene, name, "berlin").await;
    }
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    let mut runs = Vec::new();
    for name in ["a", "b"] {
        let run = queue(&scene, name).await;
        let reject = v1::JobReject {
            attempt: offered(&mut session).await.attempt,
            reason: v1::Reason::Unsupported.into(),
            ..v1::JobReject::default()
        };
        session.send(sensor_message::Body::JobReject(reject)).await;
        eventually("the run has failed", || async {
            scene.run(run).await.state == RunState::Failed
        })
        .await;
        runs.push(run);
    }
    session.heartbeat(&[]).await;
    session.ack().await;
    let told = scene.audit().await;
    let mut unsupported = told.iter().filter(|entry| entry.action == "job.unsupported");
    let entry = unsupported.next().unwrap();
    assert_eq!(entry.object, format!("run:{}", runs[0]));
    assert_eq!(entry.actor, format!("sensor:{}", sensor.id));
    assert_eq!(entry.details["seen"], "unsupported");
    assert!(unsupported.next().is_none(), "the second one is counted");
}
