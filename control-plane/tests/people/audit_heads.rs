//! Where sensors' own logs stand: written for all of them at once, judged at once.

use portolan::ca::Authority;
use portolan_shared::audit::{AuditHash, AuditHead};
use portolan_shared::model::SensorId;
use portolan_store::{AuditEntry, AuditSeverity, MachineFacts, PageRequest, SensorHead, SensorLeads};

use crate::world::World;

fn head(seq: u64) -> AuditHead {
    AuditHead {
        seq,
        hash: AuditHash([u8::try_from(seq).unwrap(); 32]),
    }
}

fn said(head: AuditHead) -> SensorHead {
    SensorHead {
        head,
        leads: None,
        refused: None,
    }
}

impl World {
    async fn says(&self, sensor: SensorId, said: &SensorHead) -> Option<AuditHead> {
        self.app
            .note_sensor_audit(self.tenant, sensor, said)
            .await
            .unwrap()
    }

    async fn written(&self, sensor: SensorId) -> Option<AuditHead> {
        let log = self.app.store.sensor_log(self.tenant, sensor).await.unwrap();
        log.map(|log| log.head)
    }

    /// Entries with this action, oldest first.
    async fn told(&self, action: &str) -> Vec<AuditEntry> {
        let page = PageRequest {
            after: None,
            limit: 1_000,
        };
        let listed = self.app.store.audit(self.tenant, &page).await.unwrap();
        let entries = listed.items.into_iter().map(|record| record.entry).rev();
        entries.filter(|entry| entry.action == action).collect()
    }
}

const MISMATCH: &str = "sensor.audit_mismatch";

#[tokio::test]
async fn t47_logs_that_go_on_are_written_for_all_sensors_at_once() {
    let world = World::new().await;
    let mut sensors = Vec::new();
    for name in ["a", "b", "c"] {
        sensors.push(world.sensor(name).await);
    }
    let grown = head(9).after(&[AuditHash([1; 32])]);
    for sensor in &sensors {
        assert_eq!(world.says(*sensor, &said(head(9))).await, Some(head(9)));
        assert_eq!(
            world.says(*sensor, &said(grown)).await,
            Some(head(9)),
            "it has to show how"
        );
        let shown = SensorHead {
            leads: Some(SensorLeads {
                after: 9,
                digests: Some(vec![AuditHash([1; 32])]),
            }),
            ..said(grown)
        };
        assert_eq!(world.says(*sensor, &shown).await, Some(grown));
        assert_eq!(
            world.written(*sensor).await,
            None,
            "nothing is written for it alone"
        );
    }
    world.app.write_sensor_logs().await.unwrap();
    for sensor in &sensors {
        assert_eq!(world.written(*sensor).await, Some(grown));
        assert_eq!(world.says(*sensor, &said(grown)).await, Some(grown));
    }
    assert!(world.told(MISMATCH).await.is_empty());
}

#[tokio::test]
async fn t47_a_cut_is_found_out_also_of_what_is_not_written_yet() {
    let world = World::new().await;
    let sensor = world.sensor("a").await;
    world.says(sensor, &said(head(3))).await;
    world.app.write_sensor_logs().await.unwrap();
    let grown = head(3).after(&[AuditHash([1; 32]), AuditHash([2; 32])]);
    let shown = SensorHead {
        leads: Some(SensorLeads {
            after: 3,
            digests: Some(vec![AuditHash([1; 32]), AuditHash([2; 32])]),
        }),
        ..said(grown)
    };
    world.says(sensor, &shown).await;
    assert_eq!(world.written(sensor).await, Some(head(3)));
    assert_eq!(world.says(sensor, &said(head(4))).await, Some(head(4)));
    let told = world.told(MISMATCH).await;
    assert_eq!(told.len(), 1);
    let known: AuditHead = serde_json::from_value(told[0].details["known"].clone()).unwrap();
    assert_eq!(known, grown, "with what was known");
    // What it says now is what the next report is compared with, whatever waited.
    world.app.write_sensor_logs().await.unwrap();
    assert_eq!(world.written(sensor).await, Some(head(4)));
}

#[tokio::test]
async fn t47_a_sensor_that_cut_its_log_and_refuses_a_checkpoint_is_told_of_for_both() {
    let world = World::new().await;
    let sensor = world.sensor("a").await;
    world.says(sensor, &said(head(9))).await;
    let both = SensorHead {
        refused: Some(7),
        ..said(head(5))
    };
    for _ in 0..3 {
        world.says(sensor, &both).await;
    }
    let told = world.told(MISMATCH).await;
    let problems: Vec<_> = told
        .iter()
        .map(|entry| entry.details["problem"].as_str().unwrap())
        .collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("shorter") && problems[1].contains("at record 7"));
}

#[tokio::test]
async fn conflicts_that_shut_nobody_out_are_told_of_once_a_minute() {
    let world = World::new().await;
    let mut sensors = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let sensor = world.sensor(name).await;
        world.session(sensor).await;
        sensors.push(sensor);
    }
    let conflict = async |sensor| {
        let second = MachineFacts::default();
        world
            .app
            .conflict(world.tenant, sensor, "a test", &second)
            .await
            .unwrap();
    };
    for sensor in &sensors[..3] {
        conflict(*sensor).await;
    }
    assert_eq!(world.told("sensor.quarantine").await.len(), 3);
    for _ in 0..5 {
        conflict(sensors[3]).await;
    }
    assert_eq!(world.told("sensor.conflict").await.len(), 1);
    world.clock.advance(std::time::Duration::from_secs(60));
    conflict(sensors[3]).await;
    let told = world.told("sensor.conflict").await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].details["times"], 5, "with those in between");
}

#[tokio::test]
async fn the_roots_are_in_the_log_and_others_in_their_place_are_grave() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        let (now, rng) = (world.app.clock.now(), std::sync::Arc::clone(&world.app.rng));
        Authority::open(&folder.path().join(name), now, rng).unwrap()
    };
    let (first, second) = (open("first"), open("second"));
    for _ in 0..2 {
        world.app.note_authority(&first).await.unwrap();
    }
    let roots = world.told("ca.root").await;
    let objects: Vec<_> = roots.iter().map(|entry| entry.object.as_str()).collect();
    assert_eq!(objects, ["ca:server-root", "ca:sensor-root"]);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, first.server_root());
    assert_eq!(
        roots[0].details["fingerprint"],
        data_encoding::HEXLOWER.encode(digest.as_ref())
    );
    assert_eq!(world.told("ca.issuing").await.len(), 2);

    world.clock.advance(std::time::Duration::from_secs(50 * 86_400));
    assert!(first.refresh(world.app.clock.now()).unwrap());
    world.app.note_authority(&first).await.unwrap();
    assert_eq!(world.told("ca.issuing_replaced").await.len(), 2);
    assert!(world.told("ca.root_replaced").await.is_empty());

    world.app.note_authority(&second).await.unwrap();
    let replaced = world.told("ca.root_replaced").await;
    assert_eq!(replaced.len(), 2);
    assert!(replaced.iter().all(|entry| entry.severity == AuditSeverity::High));
    assert_eq!(replaced[0].details["before"], roots[0].details["fingerprint"]);
}
