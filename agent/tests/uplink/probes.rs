//! Probes over sessions.

use portolan_agent::wiring::AgentEnd;
use portolan_proto::convert::probe_report;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body as Down;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_shared::model::{Diagnosis, FindingCode, ProbeId, Stage};
use portolan_shared::process::SystemRng;

use crate::agent::{run_agent, target};
use crate::opened::Opened;
use crate::plane::{ControlPlane, DAY, Scripts};

fn offer(probe: ProbeId, host: &str) -> Down {
    Down::ProbeOffer(v1::ProbeOffer {
        probe_id: probe.as_bytes().to_vec().into(),
        registry: Some(target(host)),
        repository: "acme/shop".to_owned(),
        seconds_left: 120,
        credential: None,
    })
}

async fn report(session: &mut Opened) -> (ProbeId, Diagnosis) {
    match session.hear().await {
        Some(Up::ProbeReport(report)) => probe_report(&report).unwrap(),
        other => panic!("{other:?} is no report"),
    }
}

#[tokio::test]
async fn a_probe_is_carried_out_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let mut agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    assert!(session.hello.capabilities.contains(&"probe".to_owned()));
    session.welcome(1, true).await;
    let probe = ProbeId::random(&SystemRng);
    session.say(offer(probe, "h")).await;
    assert_eq!(agent.probed.recv().await, Some(probe));
    agent.go.add_permits(1);
    let (of, diagnosis) = report(&mut session).await;
    assert_eq!(of, probe);
    assert_eq!(diagnosis.stages[0].seen, ["acme/shop"]);

    let forbidden = ProbeId::random(&SystemRng);
    session.say(offer(forbidden, "forbidden")).await;
    let (of, diagnosis) = report(&mut session).await;
    let stage = diagnosis.first_failure().unwrap();
    assert_eq!(
        (of, stage.stage, stage.findings[0].code),
        (forbidden, Stage::Policy, FindingCode::PolicyRefused)
    );
    assert!(agent.probed.try_recv().is_err(), "nothing was begun");
    agent.stop().await;
}

#[tokio::test]
async fn a_report_that_nobody_hears_is_given_when_it_is_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let mut agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    let probe = ProbeId::random(&SystemRng);
    session.say(offer(probe, "h")).await;
    assert_eq!(agent.probed.recv().await, Some(probe));
    drop(session);
    let mut session = plane.session().await;
    session.welcome(2, true).await;
    // It still runs: the second offer adds nothing, and the answer goes to whoever is there now.
    session.say(offer(probe, "h")).await;
    let refused = ProbeId::random(&SystemRng);
    session.say(offer(refused, "forbidden")).await;
    assert_eq!(
        report(&mut session).await.0,
        refused,
        "what was said before has been heard"
    );
    agent.go.add_permits(1);
    assert_eq!(report(&mut session).await.0, probe);
    assert!(agent.probed.try_recv().is_err());
    session.say(offer(probe, "h")).await;
    assert_eq!(
        agent.probed.recv().await,
        Some(probe),
        "asked again, looked again"
    );
    assert_eq!(agent.stop().await, AgentEnd::Stopped);
    assert!(
        matches!(session.hear().await, Some(Up::Goodbye(_))),
        "a probe that was stopped says nothing"
    );
}
