//! Sensors that the control plane lets in no more, and how they come back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portolan_proto::v1;
use portolan_proto::v1::control_message::Body as Down;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_shared::model::Reason;

use crate::agent::{Running, accepted, run_agent_at, state_files};
use crate::clock::ShiftedClock;
use crate::opened::Opened;
use crate::plane::{ControlPlane, DAY, Recovery, Scripts};

async fn present(session: &mut Opened, nonce: u8) {
    let ask = v1::PresenceAsk {
        nonce: vec![nonce; 16].into(),
    };
    session.say(Down::PresenceAsk(ask)).await;
    let reply = session
        .hear_matching(|body| match body {
            Up::PresenceReply(reply) => Some(reply),
            _ => None,
        })
        .await;
    assert_eq!(reply.nonce, vec![nonce; 16]);
}

/// An agent with a session and a job, on a machine whose time can pass.
async fn at_work(folder: &Path, scripts: Scripts) -> (ControlPlane, Running, Opened, Arc<ShiftedClock>) {
    let clock = Arc::new(ShiftedClock::default());
    let mut plane = ControlPlane::start_at(scripts, DAY, Arc::clone(&clock)).await;
    let token = plane.token();
    let enrolled = plane
        .enrol_at(folder, &token, Arc::<ShiftedClock>::clone(&clock))
        .await;
    enrolled.unwrap();
    let agent = run_agent_at(folder, Arc::<ShiftedClock>::clone(&clock)).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    accepted(&mut session, "h").await;
    (plane, agent, session, clock)
}

/// Waits until the control plane was asked once more what it thinks of the sensor.
async fn asks_again(plane: &ControlPlane, agent: &Running, clock: &ShiftedClock) {
    let (before, failures) = (plane.asked_who(), agent.handle.view().borrow().failures);
    clock.pass(1);
    agent.sees(|view| view.failures > failures).await;
    assert_eq!(plane.asked_who(), before + 1);
}

#[tokio::test]
async fn t12_a_live_sensor_says_that_it_is_there_and_stops_when_its_identity_is_seen_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (plane, agent, mut session, clock) = at_work(folder.path(), Scripts::default()).await;
    present(&mut session, 3).await;
    let before = state_files(folder.path());
    plane.say_of_it(v1::Reason::SensorQuarantined);
    session.goodbye(v1::Reason::IdentityConflict).await;
    let view = agent.sees(|view| view.refused.is_some() && view.jobs == 1).await;
    let refused = view.refused.unwrap();
    assert_eq!(
        (refused.reason, refused.state.as_str()),
        (Reason::IdentityConflict, "quarantined")
    );
    assert_eq!(agent.handle.status().sensor.unwrap().state, "quarantined");
    let status = agent.handle.status().to_string();
    assert!(status.contains("portolan sensor approve hamburg"), "{status}");
    asks_again(&plane, &agent, &clock).await;
    assert_eq!(
        (plane.opens(), plane.recoveries()),
        (1, (0, 0)),
        "it does no more than ask"
    );
    let after = state_files(folder.path());
    for name in ["certificate", "continuity", "identity.key", "enrolment"] {
        assert_eq!(before[name], after[name], "{name} is kept");
    }
    agent.stop().await;
}

#[tokio::test]
async fn t14_a_restored_state_is_let_in_by_one_approved_recovery() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = Scripts {
        recover: Box::new(|n| {
            if n == 0 {
                Recovery::Approved
            } else {
                Recovery::Judged
            }
        }),
        ..Scripts::default()
    };
    let clock = Arc::new(ShiftedClock::default());
    let mut plane = ControlPlane::start_at(scripts, DAY, Arc::clone(&clock)).await;
    let token = plane.token();
    let enrolled = plane
        .enrol_at(folder.path(), &token, Arc::<ShiftedClock>::clone(&clock))
        .await;
    enrolled.unwrap();
    let snapshot = state_files(folder.path());
    let agent = run_agent_at(folder.path(), Arc::<ShiftedClock>::clone(&clock)).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    session.acknowledged().await;
    agent.stop().await;
    std::fs::write(folder.path().join("continuity"), &snapshot["continuity"]).unwrap();

    let mut agent = run_agent_at(folder.path(), Arc::<ShiftedClock>::clone(&clock)).await;
    let mut questioned = plane.session().await;
    assert!(!questioned.fits);
    // Before the welcome: whoever answers is no late packet.
    present(&mut questioned, 8).await;
    plane.say_of_it(v1::Reason::SensorQuarantined);
    let refuse = v1::Refuse {
        reason: v1::Reason::IdentityConflict.into(),
        ..v1::Refuse::default()
    };
    questioned.say(Down::Refuse(refuse)).await;
    let refused = agent.sees(|view| view.refused.is_some()).await.refused.unwrap();
    assert_eq!(refused.reason, Reason::IdentityConflict);
    asks_again(&plane, &agent, &clock).await;
    assert_eq!(plane.recoveries(), (0, 0));

    plane.say_of_it(v1::Reason::Unspecified);
    clock.pass(1);
    let mut session = plane.session().await;
    assert!(session.fits, "with the token that the recovery brought");
    assert_eq!(plane.recoveries(), (1, 1));
    session.welcome(2, true).await;
    session.acknowledged().await;
    let view = agent.sees(|view| view.epoch == Some(2)).await;
    assert_eq!((view.recoveries, view.refused), (1, None));
    accepted(&mut session, "h").await;
    assert!(agent.started.recv().await.is_some());
    agent.stop().await;
}

#[tokio::test]
async fn a_suspended_sensor_stops_its_work_keeps_its_state_and_is_back_when_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut plane, agent, mut session, clock) = at_work(folder.path(), Scripts::default()).await;
    let before = state_files(folder.path());
    plane.say_of_it(v1::Reason::SensorSuspended);
    session.goodbye(v1::Reason::SensorSuspended).await;
    let view = agent.sees(|view| view.refused.is_some() && view.jobs == 1).await;
    assert_eq!(view.refused.unwrap().state, "suspended");
    let status = agent.handle.status().to_string();
    assert!(status.contains("portolan sensor resume hamburg"), "{status}");
    asks_again(&plane, &agent, &clock).await;
    assert_eq!(plane.opens(), 1, "it does no more than ask");
    plane.say_of_it(v1::Reason::Unspecified);
    clock.pass(1);
    let mut session = plane.session().await;
    assert!(session.fits);
    assert_eq!(plane.recoveries(), (0, 0));
    assert_eq!(state_files(folder.path())["certificate"], before["certificate"]);
    session.welcome(2, true).await;
    let view = agent.sees(|view| view.epoch == Some(2)).await;
    assert_eq!(view.refused, None);
    agent.stop().await;
}

#[tokio::test]
async fn whoever_needs_an_approval_asks_until_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let approved = Arc::new(AtomicBool::new(false));
    let said = Arc::clone(&approved);
    let scripts = Scripts {
        recover: Box::new(move |_| match said.load(Ordering::SeqCst) {
            true => Recovery::Approved,
            false => Recovery::Refused(Reason::NeedsApproval),
        }),
        ..Scripts::default()
    };
    let (mut plane, agent, mut session, clock) = at_work(folder.path(), scripts).await;
    session.goodbye(v1::Reason::CertificateExpired).await;
    let view = agent.sees(|view| view.refused.is_some()).await;
    let refused = view.refused.unwrap();
    assert_eq!(
        (refused.reason, refused.state.as_str()),
        (Reason::NeedsApproval, "waiting for approval")
    );
    assert!(refused.advice.contains("portolan sensor approve hamburg"));
    clock.pass(1);
    agent.sees(|later| later.failures > view.failures).await;
    assert_eq!(plane.recoveries(), (2, 0));
    approved.store(true, Ordering::SeqCst);
    clock.pass(1);
    let mut session = plane.session().await;
    assert!(session.fits);
    session.welcome(2, true).await;
    agent
        .sees(|view| view.epoch == Some(2) && view.refused.is_none())
        .await;
    agent.stop().await;
}
