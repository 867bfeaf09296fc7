//! Sessions: opening, losing, replacing, renewal, revocation.

use jiff::SignedDuration;
use portolan_agent::wiring::{Agent, AgentEnd};
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body as Down;
use portolan_proto::v1::sensor_message::Body as Up;
use tonic::Status;

use crate::agent::parts;
use crate::agent::{accepted, run_agent, state_files};
use crate::plane::{ControlPlane, DAY, Scripts};

#[tokio::test]
async fn t51_errors_without_a_reason_change_no_state() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = Scripts {
        open: Box::new(|n| match n {
            0 => Err(Status::permission_denied(
                "a proxy says that this sensor is revoked",
            )),
            1 => Err(Status::unauthenticated("a proxy wants a login")),
            _ => Ok(()),
        }),
        ..Scripts::default()
    };
    let mut plane = ControlPlane::start(scripts, DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let agent = run_agent(folder.path()).await;
    let before = state_files(folder.path());
    let mut session = plane.session().await;
    assert_eq!(state_files(folder.path()), before);
    session.welcome(1, true).await;
    assert!(agent.handle.connected().await);
    assert_eq!(agent.handle.view().borrow().failures, 2);
    agent.stop().await;
}

#[tokio::test]
async fn t16_a_revoked_sensor_destroys_its_keys_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let mut agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    accepted(&mut session, "h").await;
    let goodbye = v1::Goodbye {
        reason: v1::Reason::SensorRevoked.into(),
        ..v1::Goodbye::default()
    };
    session.say(Down::Goodbye(goodbye)).await;
    assert_eq!(agent.ended.recv().await, Some(AgentEnd::Revoked));
    agent.tasks.ended().await;
    let left: Vec<String> = state_files(folder.path()).into_keys().collect();
    assert_eq!(left, ["enrolment", "incarnation", "lock", "trust"]);
    // The handle lives on, and the directory is free all the same.
    assert!(!agent.handle.status().ready);
    let refused = Agent::build_with(parts(folder.path()), |_, _, _| panic!("nothing is built")).await;
    assert!(refused.err().unwrap().to_string().contains("was revoked"));
}

#[tokio::test]
async fn t18_a_renewed_certificate_is_stored_and_used_before_the_old_session_ends() {
    let folder = tempfile::tempdir().unwrap();
    // Three seconds of its life are left: renewal is due after less than two.
    let mut plane = ControlPlane::start(Scripts::default(), SignedDuration::from_secs(3)).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let before = state_files(folder.path());
    let agent = run_agent(folder.path()).await;
    let mut former = plane.session().await;
    former.welcome(1, true).await;
    let mut session = plane.session().await;
    assert_eq!(session.hello.replaces_epoch, 1);
    assert_eq!(
        session.hello.instance_nonce, former.hello.instance_nonce,
        "by which the control plane sees that it is no copy"
    );
    assert_eq!(plane.renewals(), 1);
    let after = state_files(folder.path());
    assert_ne!(after["certificate"], before["certificate"]);
    assert_eq!(after["certificate.previous"], before["certificate"]);
    assert_eq!(
        agent.handle.view().borrow().epoch,
        Some(1),
        "the former session is still open"
    );
    session.welcome(2, true).await;
    assert!(matches!(former.hear().await, Some(Up::Goodbye(_))));
    let mut view = agent.handle.view();
    view.wait_for(|view| view.epoch == Some(2)).await.unwrap();
    agent.stop().await;
}

#[tokio::test]
async fn a_gap_in_the_sequence_ends_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    session.skip_one();
    session
        .say(Down::Drain(v1::Drain {
            reconnect_after_ms: 1,
        }))
        .await;
    let mut view = agent.handle.view();
    let seen = view
        .wait_for(|view| view.last_failure.is_some())
        .await
        .unwrap()
        .clone();
    assert!(
        seen.last_failure
            .unwrap()
            .contains("message 3 came where 2 was due")
    );
    agent.stop().await;
}

#[tokio::test]
async fn t25_a_drain_leads_to_a_new_session_before_the_old_one_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let agent = run_agent(folder.path()).await;
    let mut former = plane.session().await;
    former.welcome(4, true).await;
    former
        .say(Down::Drain(v1::Drain {
            reconnect_after_ms: 10,
        }))
        .await;
    let mut session = plane.session().await;
    assert_eq!(session.hello.replaces_epoch, 4);
    session.welcome(5, true).await;
    assert!(matches!(former.hear().await, Some(Up::Goodbye(_))));
    agent.stop().await;
}

#[tokio::test]
async fn where_tls_is_refused_only_the_control_planes_own_answer_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let before = state_files(folder.path());
    plane.shut_out(v1::Reason::Unspecified);
    let mut agent = run_agent(folder.path()).await;
    let mut view = agent.handle.view();
    let seen = view.wait_for(|view| view.failures > 0).await.unwrap().clone();
    assert!(seen.last_failure.unwrap().contains("TLS alert"));
    let after = state_files(folder.path());
    assert!(
        before
            .iter()
            .all(|(name, content)| name == "incarnation" || after[name] == *content)
    );
    // In good standing: it tries again, and is let in.
    plane.let_in();
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    assert!(agent.handle.connected().await);
    plane.shut_out(v1::Reason::SensorRevoked);
    drop(session);
    assert_eq!(agent.ended.recv().await, Some(AgentEnd::Revoked));
    agent.tasks.ended().await;
}
