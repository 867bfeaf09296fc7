//! A clock that is two hours off while the agent is connected.

use std::path::Path;
use std::sync::Arc;

use portolan_proto::v1;
use portolan_proto::v1::control_message::Body as Down;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_shared::model::AttemptRef;
use portolan_shared::process::Clock as _;

use crate::agent::{accepted, run_agent, run_agent_at, state_files};
use crate::clock::ShiftedClock;
use crate::opened::Opened;
use crate::plane::{ControlPlane, DAY, Scripts};

const HOUR_MS: i64 = 3_600_000;

/// The clocks of both sides are apart from the start, the machine's two hours behind or ahead: its own certificate begins later than now, or began
/// two hours before it came.
async fn connects(folder: &Path, ahead_there: i64) {
    let there = Arc::new(ShiftedClock::default());
    there.set_wall_ahead(ahead_there);
    let mut plane = ControlPlane::start_at(Scripts::default(), DAY, there).await;
    plane.enrol(folder, &plane.token()).await.unwrap();
    let enrolled = state_files(folder);
    let mut agent = run_agent(folder).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    let view = agent.sees(|view| view.epoch == Some(1)).await;
    let apart = view.skew_ms.unwrap() - ahead_there * HOUR_MS;
    assert!(
        apart.abs() < 60_000,
        "{ahead_there} h: {apart} ms beside the truth"
    );
    let attempt = accepted(&mut session, "h").await;
    agent.started.recv().await.unwrap();
    let status = agent.handle.status();
    let warnings = status.warnings.join("\n");
    assert!(
        warnings.contains("differ by more than two minutes"),
        "{ahead_there} h: {warnings}"
    );
    assert_eq!(
        status.certificate.unwrap().health,
        "good",
        "{ahead_there} h: it does not reject what it was given"
    );
    agent.go.add_permits(1);
    let view = agent.sees(|view| view.last_work.is_some()).await;
    let work = view.last_work.unwrap();
    assert_eq!(
        (work.attempt, work.end.as_str()),
        (attempt, "the run ended complete"),
        "{ahead_there} h"
    );
    assert_eq!(
        (plane.recoveries(), plane.renewals(), plane.opens()),
        ((0, 0), 0, 1),
        "{ahead_there} h"
    );
    agent.stop().await;
    assert_eq!(
        state_files(folder)["certificate"],
        enrolled["certificate"],
        "{ahead_there} h"
    );
}

#[tokio::test]
async fn t17_two_hours_off_it_connects_and_works_and_says_so() {
    for ahead_there in [2, -2] {
        connects(tempfile::tempdir().unwrap().path(), ahead_there).await;
    }
}

/// Waits for a heartbeat, in which this attempt must run, and renews its lease.
async fn beats(plane: &ControlPlane, session: &mut Opened, attempt: AttemptRef) {
    let beat = session
        .hear_matching(|body| match body {
            Up::Heartbeat(beat) => Some(beat),
            Up::JobDone(done) => panic!("the job has ended: {done:?}"),
            Up::Goodbye(goodbye) => panic!("the session has ended: {goodbye:?}"),
            _ => None,
        })
        .await;
    assert_eq!(beat.running[0].attempt, Some(attempt.into()));
    let renewed = v1::HeartbeatAck {
        counter: beat.counter,
        renewed: vec![attempt.into()],
        server_time_ms: plane.shared().clock.now().as_millisecond(),
        ..v1::HeartbeatAck::default()
    };
    session.say(Down::HeartbeatAck(renewed)).await;
}

#[tokio::test]
async fn t17_a_clock_that_is_set_by_hours_costs_no_lease_and_no_session() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let clock = Arc::new(ShiftedClock::default());
    let mut agent = run_agent_at(folder.path(), Arc::<ShiftedClock>::clone(&clock)).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    let attempt = accepted(&mut session, "h").await;
    agent.started.recv().await.unwrap();
    // Two hours ahead; from there, two hours behind; and right again, so that the upload finds a certificate that has begun.
    for hours in [2, -4] {
        clock.set_wall_ahead(hours);
        beats(&plane, &mut session, attempt).await;
    }
    clock.set_wall_ahead(2);
    agent.go.add_permits(1);
    let view = agent.sees(|view| view.last_work.is_some()).await;
    assert_eq!(view.last_work.unwrap().end, "the run ended complete");
    assert_eq!(view.epoch, Some(1));
    assert_eq!(
        (plane.recoveries(), plane.renewals(), plane.opens()),
        ((0, 0), 0, 1)
    );
    agent.stop().await;
}
