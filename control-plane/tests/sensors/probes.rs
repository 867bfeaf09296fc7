//! Probes reach sessions that know them, and their reports the database.

use std::time::Duration;

use portolan_proto::convert::probe_report_to_wire;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_proto::v1::sensor_message;
use portolan_shared::model::{
    Budget, CaTrust, Diagnosis, ProbeId, RegistryId, RegistryTarget, RepositoryPatterns, SensorId, Stage,
    StageReport, TagFilter,
};
use portolan_shared::process::SystemRng;
use portolan_store::{NewProbe, ProbeOutcome};

use crate::scene::{Scene, eventually, note};
use crate::sensor::Sensor;
use crate::session::{Session, hello, open};

pub(crate) fn probe(scene: &Scene, sensor: &Sensor, seconds: u64) -> NewProbe {
    let now = scene.app().clock.now();
    NewProbe {
        id: ProbeId::random(&SystemRng),
        tenant: sensor.tenant,
        registry: None,
        target: RegistryTarget {
            registry: RegistryId::random(&SystemRng),
            url: "https://registry.example.com:5050".parse().unwrap(),
            ca: CaTrust::default(),
            repositories: RepositoryPatterns::all(),
            credential: None,
            tags: TagFilter::default(),
            budget: Budget::default(),
            requests_left: None,
        },
        repository: Some("acme/shop".parse().unwrap()),
        sensors: vec![sensor.id],
        trial: None,
        asked_by: "operator".to_owned(),
        asked_at: now,
        expires_at: now + Duration::from_secs(seconds),
    }
}

pub(crate) async fn ask(scene: &Scene, probe: &NewProbe) {
    let outcome = scene
        .app()
        .store
        .add_probe(probe, &note(probe.asked_at))
        .await
        .unwrap();
    assert_eq!(outcome, ProbeOutcome::Added);
    scene.app().signals.probes.notify_one();
}

pub(crate) fn able() -> v1::Hello {
    v1::Hello {
        capabilities: vec!["probe".into(), "telepathy".into()],
        ..hello(&[])
    }
}

pub(crate) async fn offered(session: &mut Session) -> v1::ProbeOffer {
    match session.body().await {
        Body::ProbeOffer(offer) => offer,
        other => panic!("no probe: {other:?}"),
    }
}

async fn report(session: &mut Session, probe: &NewProbe, seen: &str) {
    let diagnosis = Diagnosis {
        stages: vec![StageReport::new(Stage::Tcp, 3, &[seen.to_owned()], Vec::new())],
        ..Diagnosis::default()
    };
    let wire = probe_report_to_wire(probe.id, &diagnosis);
    session.send(sensor_message::Body::ProbeReport(wire)).await;
}

async fn seen(scene: &Scene, probe: &NewProbe) -> Option<(SensorId, String)> {
    let record = scene
        .app()
        .store
        .probe(probe.tenant, probe.id)
        .await
        .unwrap()
        .unwrap();
    let report = record.report?;
    Some((report.sensor, report.diagnosis.stages[0].seen[0].clone()))
}

#[tokio::test]
async fn a_probe_is_brought_and_its_first_report_is_stored() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(able()).await;
    let probe = probe(&scene, &sensor, 120);
    ask(&scene, &probe).await;
    let offer = offered(&mut session).await;
    assert_eq!(offer.probe_id, probe.id.as_bytes().to_vec());
    assert_eq!(offer.registry.unwrap().url, "https://registry.example.com:5050");
    assert_eq!(offer.repository, "acme/shop");
    assert!((1..=120).contains(&offer.seconds_left), "{}", offer.seconds_left);
    report(&mut session, &probe, "first").await;
    report(&mut session, &probe, "second").await;
    let of_nobody = self::probe(&scene, &sensor, 120);
    report(&mut session, &of_nobody, "never asked for").await;
    eventually("a report is stored", || async {
        seen(&scene, &probe).await.is_some()
    })
    .await;
    // Everything before it has been dealt with when the heartbeat is answered.
    session.heartbeat(&[]).await;
    session.ack().await;
    assert_eq!(seen(&scene, &probe).await, Some((sensor.id, "first".to_owned())));
}

#[tokio::test]
async fn a_probe_is_brought_again_after_a_reconnect_and_never_to_who_does_not_know_it() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut old = open(&scene, &sensor).await;
    let welcome = old.hello(hello(&[])).await;
    assert!(welcome.capabilities.is_empty());
    let probe = probe(&scene, &sensor, 120);
    ask(&scene, &probe).await;
    for _ in 0..2 {
        let mut session = open(&scene, &sensor).await;
        let welcome = session.hello(able()).await;
        assert_eq!(welcome.capabilities, ["probe"]);
        assert_eq!(offered(&mut session).await.probe_id, probe.id.as_bytes().to_vec());
    }
    assert_eq!(seen(&scene, &probe).await, None);
}

#[tokio::test]
async fn a_malformed_report_ends_the_session() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(able()).await;
    let malformed = v1::ProbeReport {
        stages: vec![v1::StageReport::default()],
        ..v1::ProbeReport::default()
    };
    session.send(sensor_message::Body::ProbeReport(malformed)).await;
    while let Some(Ok(body)) = session.receive().await {
        assert!(matches!(body, Body::Goodbye(_)), "{body:?}");
    }
}
