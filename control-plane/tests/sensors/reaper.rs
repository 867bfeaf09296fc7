//! What happens when suddenly every sensor looks lost.

use std::sync::Arc;
use std::time::Duration;

use portolan::app::{LiveSession, Meters, Reaper, Sessions};
use portolan_shared::model::RunState;
use portolan_store::AuditSeverity;

use crate::jobs::take_offer;
use crate::scene::Scene;
use crate::sensor::Sensor;
use crate::session::{hello, open};

/// A leap of the clock makes every lease old, as a faulty migration of the database would. Ten sensors lose theirs, and then it stops; those
/// that are connected here lose nothing.
#[tokio::test]
async fn t49_when_every_sensor_looks_lost_the_reaper_stops_after_ten_and_says_so() {
    let scene = Scene::new().await;
    let mut held = Vec::new();
    for n in 0..14 {
        let sensor = Sensor::enrol(&scene, &format!("sensor-{n}")).await;
        let mut session = open(&scene, &sensor).await;
        session.hello(hello(&[])).await;
        scene
            .queue_run(&format!("registry-{n}"), &format!("sensor-{n}"))
            .await;
        held.push((sensor, take_offer(&mut session).await));
        session.heartbeat(&[held[n].1]).await;
        session.ack().await;
    }
    // The control plane's own reaper waits for a while after such a leap.
    scene.clock.advance(Duration::from_secs(3_600));
    let sessions = Arc::new(Sessions::new());
    let now = scene.app().clock.now();
    let connected: Vec<_> = held[..2]
        .iter()
        .map(|(sensor, attempt)| {
            let (session, _) = LiveSession::new(sensor.tenant, sensor.id, 1, [0; 16], [0; 16], now);
            session.set_held(vec![*attempt]);
            sessions.enter(&session);
            session
        })
        .collect();
    let meters = Arc::new(Meters::new().unwrap());
    let mut reaper = Reaper::new(Arc::clone(scene.app()), sessions, Arc::clone(&meters));
    for _ in 0..3 {
        reaper.reap_once().await.unwrap();
        assert_eq!((meters.leases_lost.get(), meters.reapers_stopped.get()), (10, 1));
    }
    let alarms: Vec<_> = scene
        .audit()
        .await
        .into_iter()
        .filter(|entry| entry.action == "leases.reaper_stopped")
        .collect();
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!(alarms[0].severity, AuditSeverity::High);
    assert_eq!(alarms[0].details["sensors"], 12);

    // A minute later no more wait than may be lost in one.
    scene.clock.advance(Duration::from_secs(60));
    reaper.reap_once().await.unwrap();
    assert_eq!((meters.leases_lost.get(), meters.reapers_stopped.get()), (12, 0));
    for (sensor, attempt) in &held[..2] {
        let run = scene
            .app()
            .store
            .run(sensor.tenant, attempt.run)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(run.state, RunState::Leased);
    }
    drop(connected);
}
