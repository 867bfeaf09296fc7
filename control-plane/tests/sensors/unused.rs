//! Sensors that were enrolled and never connect.

use std::time::Duration;

use portolan::app::WantedStanding;
use portolan_store::{AuditEntry, AuditSeverity};

use crate::scene::{Scene, eventually};
use crate::sensor::Sensor;
use crate::session::{hello, open};

async fn entries(scene: &Scene, action: &str) -> Vec<AuditEntry> {
    let mut entries = scene.audit().await;
    entries.retain(|entry| entry.action == action);
    entries
}

#[tokio::test]
async fn a_sensor_that_never_connects_is_told_of_once_and_removed_when_its_certificate_has_ended() {
    let mut scene = Scene::new().await;
    let used = Sensor::enrol(&scene, "used").await;
    let mut session = open(&scene, &used).await;
    session.hello(hello(&[])).await;
    let unused = Sensor::enrol(&scene, "unused").await;
    scene.clock.advance(Duration::from_secs(15 * 60 - 30));
    // A start looks at once.
    scene.restart().await;
    scene.clock.advance(Duration::from_secs(60));
    for _ in 0..2 {
        scene.restart().await;
        eventually("somebody is told", || async {
            !entries(&scene, "sensor.stuck").await.is_empty()
        })
        .await;
    }
    scene.clock.advance(Duration::from_secs(24 * 3_600));
    scene.restart().await;
    eventually("the sensor is removed", || async {
        scene.app().sensor(&scene.admin, "unused").await.is_err()
    })
    .await;
    let object = format!("sensor:{}", unused.id);
    for (action, how_often) in [("sensor.stuck", 1), ("sensor.remove", 1)] {
        let entries = entries(&scene, action).await;
        assert_eq!(entries.len(), how_often, "{action}: {entries:?}");
        assert_eq!(entries[0].severity, AuditSeverity::Notice);
        assert_eq!(
            (entries[0].actor.as_str(), &entries[0].object),
            ("system", &object)
        );
    }
    scene.app().sensor(&scene.admin, "used").await.unwrap();
    scene.invite("unused").await;
}

#[tokio::test]
async fn a_deleted_sensor_is_forgotten_after_400_days() {
    let mut scene = Scene::new().await;
    let gone = Sensor::enrol(&scene, "gone").await;
    for wanted in [WantedStanding::Revoked, WantedStanding::Deleted] {
        let changed = scene.app().change_standing(&scene.admin, "gone", wanted).await;
        changed.unwrap();
    }
    scene.clock.advance(Duration::from_secs(400 * 86_400));
    // A start looks at once.
    scene.restart().await;
    eventually("it is forgotten", || async {
        let found = scene.app().store.sensor_anywhere(gone.id).await.unwrap();
        found.is_none()
    })
    .await;
}
