//! What a session costs.

use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_shared::model::{Reason, limits};

use crate::scene::Scene;
use crate::sensor::Sensor;
use crate::session::{hello, open};

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Runs the measurement in a process of its own, where no other test takes memory.
#[test]
fn t41_idle_streams_are_cheap_and_floods_of_large_messages_meet_their_limit() {
    let alone = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory::measured_alone", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&alone.stdout);
    assert!(alone.status.success() && said.contains("1 passed"), "{said}");
    said.lines()
        .filter(|line| line.starts_with("T41"))
        .for_each(|line| println!("{line}"));
}

/// A hundred streams, both of whose halves are in this process; the budget for one half is 64 KiB.
#[tokio::test]
#[ignore = "run by the test above"]
async fn measured_alone() {
    const STREAMS: u64 = 100;
    const IDLE_KIB: u64 = 2 * 64;
    let scene = Scene::new().await;
    let mut sensors = Vec::new();
    for i in 0..STREAMS {
        sensors.push(Sensor::enrol(&scene, &format!("sensor-{i}")).await);
    }
    // Whatever is made once, by the first session.
    open(&scene, &sensors[0]).await.hello(hello(&[])).await;
    let before = resident();
    let mut sessions = Vec::new();
    for sensor in &sensors {
        let mut session = open(&scene, sensor).await;
        session.hello(hello(&[])).await;
        sessions.push(session);
    }
    let idle = resident().saturating_sub(before);
    println!("T41: {} KiB for both halves of an idle stream", idle / STREAMS);
    assert!(idle < STREAMS * IDLE_KIB, "{idle} KiB");

    let attempt = v1::AttemptRef {
        run_id: vec![0; 16].into(),
        attempt: 1,
    };
    let large = v1::sensor_message::Body::JobReject(v1::JobReject {
        attempt: Some(attempt),
        rule: "x".repeat(limits::SESSION_MESSAGE_BYTES - 100),
        ..v1::JobReject::default()
    });
    for session in &mut sessions {
        for _ in 0..8 {
            session.send(large.clone()).await;
        }
        session.heartbeat(&[]).await;
        session.ack().await;
    }
    let flooded = resident().saturating_sub(before);
    println!("T41: {} KiB a stream after the flood", flooded / STREAMS);
    assert!(flooded < STREAMS * 1_024, "{flooded} KiB");

    let flood = &mut sessions[0];
    for _ in 0..300 {
        flood
            .send(v1::sensor_message::Body::TrustBundleAck(v1::TrustBundleAck {
                version: 1,
            }))
            .await;
    }
    assert_eq!(flood.end().await, Some(Reason::ProtocolViolation));
    sessions[1].heartbeat(&[]).await;
    assert!(matches!(sessions[1].body().await, Body::HeartbeatAck(_)));
}
