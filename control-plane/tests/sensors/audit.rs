//! What the two sides tell each other of their audit logs.

use std::time::Duration;

use portolan_proto::convert::{finding_to_wire, probe_report_to_wire};
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_proto::v1::sensor_message;
use portolan_shared::audit::{AuditHash, AuditHead, ChainOwner, Checkpoint, SignedCheckpoint};
use portolan_shared::model::{Diagnosis, Finding, FindingCode, ProbeId, Stage};
use portolan_shared::process::SystemRng;
use portolan_store::AuditSeverity;

use crate::probes::{able, ask, offered, probe};
use crate::scene::{Scene, eventually, note};
use crate::sensor::Sensor;
use crate::session::{Session, hello, open};
use crate::upload::{Work, close};

fn state(seq: u64, byte: u8, kept: u64, refused: u64) -> v1::AuditState {
    v1::AuditState {
        seq,
        hash: vec![byte; 32].into(),
        checkpoint_seq: kept,
        refused_checkpoint_seq: refused,
    }
}

async fn beat(session: &mut Session, audit: v1::AuditState) {
    let heartbeat = v1::Heartbeat {
        counter: 1,
        audit: Some(audit),
        ..v1::Heartbeat::default()
    };
    session.send(sensor_message::Body::Heartbeat(heartbeat)).await;
}

/// The answer to a heartbeat; checkpoints come when they are taken.
async fn answer(session: &mut Session) -> v1::HeartbeatAck {
    loop {
        match session.body().await {
            Body::HeartbeatAck(ack) => return ack,
            Body::AuditCheckpoint(_) => {}
            other => panic!("no answer to a heartbeat: {other:?}"),
        }
    }
}

/// The messages of the next checkpoint.
async fn checkpoint(session: &mut Session) -> Vec<v1::AuditCheckpoint> {
    let mut parts = Vec::new();
    loop {
        match session.body().await {
            Body::AuditCheckpoint(part) => {
                let last = part.head.is_some();
                parts.push(part);
                if last {
                    return parts;
                }
            }
            Body::HeartbeatAck(_) => {}
            other => panic!("no checkpoint: {other:?}"),
        }
    }
}

fn signed(scene: &Scene, head: &v1::AuditHead) -> SignedCheckpoint {
    SignedCheckpoint {
        checkpoint: Checkpoint {
            owner: ChainOwner::Tenant(scene.admin.tenant),
            seq: head.seq,
            hash: AuditHash::from_slice(&head.hash).unwrap(),
            at_ms: head.at_ms,
        },
        signature: head.signature.to_vec(),
        key: head.public_key.to_vec(),
    }
}

#[tokio::test]
async fn t47_checkpoints_come_with_the_digests_that_lead_to_them_from_the_one_that_is_kept() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    let welcome = session
        .hello(v1::Hello {
            capabilities: vec!["audit".to_owned()],
            ..hello(&[])
        })
        .await;
    assert_eq!(welcome.capabilities, ["audit"]);
    scene.app().take_checkpoints().await.unwrap();
    beat(&mut session, state(1, 1, 0, 0)).await;
    let first = checkpoint(&mut session).await;
    assert!(
        first.len() == 1 && first[0].digests.is_empty(),
        "there is nothing to lead from"
    );
    let kept = signed(&scene, first[0].head.as_ref().unwrap());
    kept.verify().unwrap();

    // More than one message and one page hold.
    for _ in 0..4_100 {
        let entry = note(scene.app().clock.now());
        scene
            .app()
            .store
            .append_audit(scene.admin.tenant, &entry)
            .await
            .unwrap();
    }
    assert_eq!(scene.app().take_checkpoints().await.unwrap(), 1);
    beat(&mut session, state(1, 1, kept.checkpoint.seq, 0)).await;
    let parts = checkpoint(&mut session).await;
    assert_eq!(parts.len(), 2);
    let mut reached = kept.checkpoint.head();
    for part in &parts {
        assert_eq!(part.after_seq, reached.seq);
        let digests: Vec<AuditHash> = part
            .digests
            .chunks(32)
            .map(|bytes| AuditHash::from_slice(bytes).unwrap())
            .collect();
        reached = reached.after(&digests);
    }
    let next = signed(&scene, parts[1].head.as_ref().unwrap());
    next.verify().unwrap();
    assert_eq!(next.key, kept.key);
    assert_eq!(reached, next.checkpoint.head(), "these records and no others");
}

/// What the tenant's log says of the sensor's, oldest first.
async fn flagged(scene: &Scene) -> Vec<portolan_store::AuditEntry> {
    let audit = scene.audit().await;
    let mut noted: Vec<_> = audit
        .into_iter()
        .filter(|entry| entry.action == "sensor.audit_mismatch")
        .collect();
    noted.reverse();
    noted
}

fn told(entry: &portolan_store::AuditEntry) -> String {
    entry.details["problem"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn t47_a_sensor_whose_log_went_back_or_that_refused_a_checkpoint_is_flagged() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    beat(&mut session, state(9, 9, 0, 0)).await;
    answer(&mut session).await;
    assert!(flagged(&scene).await.is_empty());
    beat(&mut session, state(5, 5, 0, 0)).await;
    answer(&mut session).await;
    eventually("the cut log is noted", async || flagged(&scene).await.len() == 1).await;
    // A second time within a minute waits: a sensor cannot fill the log of its tenant.
    beat(&mut session, state(5, 5, 0, 7)).await;
    answer(&mut session).await;
    for _ in 0..2 {
        scene.clock.advance(Duration::from_secs(31));
        beat(&mut session, state(5, 5, 0, 7)).await;
        answer(&mut session).await;
    }
    eventually("the refusal is noted", async || flagged(&scene).await.len() == 2).await;
    let noted = flagged(&scene).await;
    assert!(noted.iter().all(|entry| entry.severity == AuditSeverity::High));
    assert!(
        noted
            .iter()
            .all(|entry| entry.object == format!("sensor:{}", sensor.id))
    );
    let known: AuditHead = serde_json::from_value(noted[0].details["known"].clone()).unwrap();
    assert_eq!(known.seq, 9);
    assert!(told(&noted[0]).contains("shorter") && told(&noted[1]).contains("at record 7"));
    let times = noted[1].details["times"].as_u64();
    assert!(times > Some(1), "with how often it would have been: {times:?}");
}

/// The next answer that asks how the log went on.
async fn asked(session: &mut Session, said: &v1::AuditState) -> v1::AuditKnown {
    loop {
        beat(session, said.clone()).await;
        if let Some(known) = answer(session).await.audit_known {
            return known;
        }
    }
}

#[tokio::test]
async fn t47_a_log_that_has_grown_is_believed_once_the_sensor_shows_how() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    let known = AuditHead {
        seq: 9,
        hash: AuditHash([9; 32]),
    };
    let grown = known.after(&[AuditHash([1; 32]), AuditHash([2; 32])]);
    let said = |head: &AuditHead| v1::AuditState {
        hash: head.hash.0.to_vec().into(),
        ..state(head.seq, 0, 0, 0)
    };
    let lead = async |session: &mut Session, head: &AuditHead, leads: v1::AuditLeads| {
        let heartbeat = v1::Heartbeat {
            counter: 1,
            audit: Some(said(head)),
            audit_leads: Some(leads),
            ..v1::Heartbeat::default()
        };
        session.send(sensor_message::Body::Heartbeat(heartbeat)).await;
        answer(session).await;
    };
    beat(&mut session, said(&known)).await;
    assert_eq!(answer(&mut session).await.audit_known, None);
    let asks = asked(&mut session, &said(&grown)).await;
    assert_eq!((asks.seq, &asks.hash[..]), (9, &known.hash.0[..]));
    let digests = [[1_u8; 32], [2; 32]].concat();
    let leads = v1::AuditLeads {
        after_seq: 9,
        digests: digests.into(),
        nowhere: false,
    };
    lead(&mut session, &grown, leads.clone()).await;
    beat(&mut session, said(&grown)).await;
    assert_eq!(answer(&mut session).await.audit_known, None, "it is known so far");
    assert!(flagged(&scene).await.is_empty());

    // Cut and grown beyond what was known while nobody looked: the record that is asked for is another one now.
    let other = AuditHead {
        seq: 20,
        hash: AuditHash([3; 32]),
    };
    let asks = asked(&mut session, &said(&other)).await;
    assert_eq!(asks.seq, grown.seq);
    let nowhere = v1::AuditLeads {
        after_seq: asks.seq,
        nowhere: true,
        ..v1::AuditLeads::default()
    };
    lead(&mut session, &other, nowhere).await;
    eventually("it is flagged", async || flagged(&scene).await.len() == 1).await;
    assert!(told(&flagged(&scene).await[0]).contains("rewritten"));
}

#[tokio::test]
async fn t47_a_sensor_that_never_shows_how_its_log_went_on_is_flagged() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    beat(&mut session, state(9, 9, 0, 0)).await;
    answer(&mut session).await;
    for _ in 0..30 {
        beat(&mut session, state(12, 12, 0, 0)).await;
        answer(&mut session).await;
    }
    eventually("it is flagged", async || flagged(&scene).await.len() == 1).await;
}

#[tokio::test]
async fn a_refusal_of_a_probe_that_nobody_asked_for_is_not_written_down() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    let finding = Finding::new(FindingCode::PolicyRefused, "made up");
    let diagnosis = Diagnosis::stopped_at(Stage::Policy, &finding);
    for _ in 0..3 {
        let wire = probe_report_to_wire(ProbeId::random(&SystemRng), &diagnosis);
        session.send(sensor_message::Body::ProbeReport(wire)).await;
    }
    beat(&mut session, state(1, 1, 0, 0)).await;
    // Everything before it has been dealt with when the heartbeat is answered.
    answer(&mut session).await;
    let audit = scene.audit().await;
    assert!(audit.iter().all(|entry| entry.action != "policy.refused"));
}

/// What the tenant's log has on refusals by a policy, oldest first.
async fn refusals(scene: &Scene) -> Vec<portolan_store::AuditEntry> {
    let mut log = scene.audit().await;
    log.retain(|entry| entry.action == "policy.refused");
    log.reverse();
    log
}

#[tokio::test]
async fn what_a_policy_refuses_of_a_probe_and_in_the_middle_of_a_run_is_written_down() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(able()).await;
    let probe = probe(&scene, &sensor, 120);
    ask(&scene, &probe).await;
    offered(&mut session).await;
    let rule = "registry.example.com:5050: policy.toml has no entry for it (policy:default)";
    let finding = Finding::new(FindingCode::PolicyRefused, rule);
    let diagnosis = Diagnosis::stopped_at(Stage::Policy, &finding);
    let wire = probe_report_to_wire(probe.id, &diagnosis);
    session.send(sensor_message::Body::ProbeReport(wire)).await;
    eventually("the refusal is noted", async || refusals(&scene).await.len() == 1).await;
    let noted = refusals(&scene).await.remove(0);
    assert_eq!(noted.object, format!("probe:{}", probe.id));
    assert_eq!(noted.actor, format!("sensor:{}", sensor.id));
    assert_eq!(noted.details["refused"], rule);
    drop(session);

    let other = Sensor::enrol(&scene, "munich").await;
    let mut work = Work::begin(&scene, &other, "munich").await;
    let refused = v1::CloseRunRequest {
        failure: Some(finding_to_wire(&finding)),
        ..close(&work.fence)
    };
    for _ in 0..2 {
        work.upload.close_run(refused.clone()).await.unwrap();
    }
    let shown = scene.run(work.attempt.run).await.finding.unwrap();
    assert_eq!((shown.code, &*shown.seen), (FindingCode::PolicyRefused, rule));
    let noted = refusals(&scene).await;
    assert_eq!(
        noted.len(),
        2,
        "closing it again is not another refusal: {noted:?}"
    );
    assert_eq!(noted[1].object, format!("run:{}", work.attempt.run));
    assert_eq!(noted[1].actor, format!("sensor:{}", other.id));
    assert_eq!(noted[1].details["refused"], rule);
}
