//! Jobs over sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portolan_agent::wiring::AgentEnd;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body as Down;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_shared::model::{Reason, RunState};

use crate::agent::refusal;
use crate::agent::{accepted, offer, run_agent};
use crate::plane::{ControlPlane, DAY, Scripts};

#[tokio::test]
async fn a_job_is_taken_reported_and_closed_over_the_upload_connection() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let mut agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    assert_eq!((session.hello.incarnation, session.hello.replaces_epoch), (1, 0));
    assert_eq!(session.hello.policy_summary, "allows nothing");
    session.welcome(1, true).await;
    let attempt = accepted(&mut session, "h").await;
    assert_eq!(agent.started.recv().await, Some(attempt));
    let progress = session
        .hear_matching(|body| match body {
            Up::JobProgress(progress) => Some(progress),
            _ => None,
        })
        .await;
    assert_eq!((progress.tags, progress.attempt), (5, Some(attempt.into())));
    agent.go.add_permits(1);
    let mut view = agent.handle.view();
    let seen = view
        .wait_for(|view| view.last_work.is_some())
        .await
        .unwrap()
        .clone();
    assert_eq!(
        seen.last_work.unwrap().end,
        format!("the run ended {}", RunState::Complete)
    );
    assert!(agent.handle.status().ready);
    let (closed, uploaded) = plane.closed();
    assert_eq!((closed.tags, closed.requests), (5, 17), "the attempt's last word");
    assert_eq!(
        closed.bytes_up, uploaded,
        "offers and the close itself are counted"
    );

    let (_, forbidden) = offer("forbidden");
    session.say(forbidden).await;
    let Some(Up::JobReject(reject)) = session.hear().await else {
        panic!("the job was not refused");
    };
    assert_eq!(
        (reject.reason(), reject.rule.as_str()),
        (v1::Reason::Policy, "policy:default")
    );
    assert_eq!(agent.stop().await, AgentEnd::Stopped);
    assert!(matches!(session.hear().await, Some(Up::Goodbye(_))));
}

#[tokio::test]
async fn t58_a_cancelled_job_stops_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let mut agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    let attempt = accepted(&mut session, "h").await;
    agent.started.recv().await.unwrap();
    let cancel = v1::JobCancel {
        attempt: Some(attempt.into()),
        reason: v1::Reason::Cancelled.into(),
    };
    session.say(Down::JobCancel(cancel)).await;
    let Some(Up::JobDone(done)) = session.hear().await else {
        panic!("the end was not reported");
    };
    assert_eq!(
        (done.reason(), done.attempt),
        (v1::Reason::Cancelled, Some(attempt.into()))
    );
    agent.stop().await;
}

#[tokio::test]
async fn t23_a_running_attempt_survives_a_reconnect_and_uploads_under_the_new_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let stale = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&stale);
    let scripts = Scripts {
        upload: Arc::new(move |_, fence| {
            if fence.session_epoch < 9 {
                seen.fetch_add(1, Ordering::SeqCst);
                return Err(refusal(Reason::StaleSession));
            }
            Ok(())
        }),
        ..Scripts::default()
    };
    let mut plane = ControlPlane::start(scripts, DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let mut agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    session.welcome(8, true).await;
    let attempt = accepted(&mut session, "h").await;
    agent.started.recv().await.unwrap();
    // Its upload is refused while the epoch is an old one.
    agent.go.add_permits(1);
    drop(session);
    let mut session = plane.session().await;
    assert_eq!(session.hello.replaces_epoch, 8);
    assert_eq!(session.hello.running[0].attempt, Some(attempt.into()));
    session.welcome(9, true).await;
    let mut view = agent.handle.view();
    let seen = view
        .wait_for(|view| view.last_work.is_some())
        .await
        .unwrap()
        .clone();
    assert_eq!(seen.last_work.unwrap().end, "the run ended complete");
    assert!(
        stale.load(Ordering::SeqCst) <= 1,
        "a stale epoch is not tried twice"
    );
    agent.stop().await;
}

#[tokio::test]
async fn t27_an_attempt_that_a_welcome_does_not_keep_is_given_up_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let mut agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    accepted(&mut session, "h").await;
    agent.started.recv().await.unwrap();
    drop(session);
    let mut session = plane.session().await;
    session.welcome(2, false).await;
    let mut view = agent.handle.view();
    view.wait_for(|view| view.last_work.is_some()).await.unwrap();
    agent.stop().await;
    assert!(
        matches!(session.hear().await, Some(Up::Goodbye(_))),
        "no end of the attempt was reported"
    );
}
