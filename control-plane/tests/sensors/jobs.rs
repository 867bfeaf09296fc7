//! Offers, leases and their ends.

use std::time::Duration;

use portolan_proto::convert::finding_to_wire;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_proto::v1::sensor_message;
use portolan_shared::model::{AttemptRef, Finding, FindingCode, RunId, RunState, RunTrigger, Scope};
use portolan_shared::process::SystemRng;
use portolan_store::{CancelOutcome, NewRun};
use serde_json::json;

use crate::scene::{Scene, eventually, note};
use crate::sensor::Sensor;
use crate::session::{Session, hello, open};

/// Waits for an offer and accepts it.
pub(crate) async fn take_offer(session: &mut Session) -> AttemptRef {
    let attempt = offer(session).await;
    let accept = v1::JobAccept {
        attempt: Some(attempt.into()),
    };
    session.send(sensor_message::Body::JobAccept(accept)).await;
    attempt
}

async fn offer(session: &mut Session) -> AttemptRef {
    match session.body().await {
        Body::JobOffer(offer) => offer.attempt.as_ref().unwrap().try_into().unwrap(),
        other => panic!("no offer: {other:?}"),
    }
}

#[tokio::test]
async fn a_run_is_offered_accepted_and_its_lease_renewed() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    let run = scene.queue_run("gitlab", "berlin").await;
    let attempt = take_offer(&mut session).await;
    assert_eq!((attempt.run, attempt.attempt), (run, 1));
    session.heartbeat(&[attempt]).await;
    assert_eq!(session.ack().await.renewed, [attempt.into()]);
    let progress = v1::JobProgress {
        attempt: Some(attempt.into()),
        tags: 42,
        ..v1::JobProgress::default()
    };
    session.send(sensor_message::Body::JobProgress(progress)).await;
    eventually("progress is stored", || async {
        scene.run(run).await.progress.tags == 42
    })
    .await;
}

#[tokio::test]
async fn t17_a_sensor_whose_clock_is_two_hours_off_keeps_its_lease_and_its_skew_is_shown() {
    for (name, millis) in [("berlin", 7_200_000), ("munich", -7_200_000)] {
        let scene = Scene::new().await;
        let sensor = Sensor::enrol(&scene, name).await;
        let mut session = open(&scene, &sensor).await;
        let there = v1::Hello {
            wall_clock_ms: scene.app().clock.now().as_millisecond() + millis,
            ..hello(&[])
        };
        session.hello(there).await;
        scene.queue_run("gitlab", name).await;
        let attempt = take_offer(&mut session).await;
        // Twice as long as a lease lasts.
        for _ in 0..6 {
            scene.clock.advance(Duration::from_secs(20));
            session.heartbeat(&[attempt]).await;
            assert_eq!(session.ack().await.renewed, [attempt.into()], "{millis}");
        }
        let shown = scene.app().sensor(&scene.admin, name).await.unwrap();
        let off = shown.clock_skew_ms - millis;
        assert!(
            (-60_000..=60_000).contains(&off),
            "{millis}: {off} beside the truth"
        );
    }
}

#[tokio::test]
async fn a_run_waits_for_its_sensor() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let other = Sensor::enrol(&scene, "munich").await;
    let run = scene.queue_run("gitlab", "berlin").await;
    let mut bystander = open(&scene, &other).await;
    bystander.hello(hello(&[])).await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    assert_eq!(offer(&mut session).await.run, run);
    bystander.heartbeat(&[]).await;
    bystander.ack().await;
}

#[tokio::test]
async fn a_policy_refusal_fails_the_run_for_good_and_a_draining_sensor_gives_it_back() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    let run = scene.queue_run("gitlab", "berlin").await;
    let rule = "gitlab.corp:443: no entry of policy.toml allows it (policy:default)";
    let reject = |attempt: AttemptRef, reason: v1::Reason| {
        sensor_message::Body::JobReject(v1::JobReject {
            attempt: Some(attempt.into()),
            reason: reason.into(),
            rule: "policy:default".to_owned(),
            finding: Some(finding_to_wire(&Finding::new(FindingCode::PolicyRefused, rule))),
        })
    };
    let attempt = offer(&mut session).await;
    session.send(reject(attempt, v1::Reason::Draining)).await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    let attempt = offer(&mut session).await;
    assert_eq!(scene.run(run).await.state, RunState::Leased);
    session.send(reject(attempt, v1::Reason::Policy)).await;
    eventually("the run has failed", || async {
        scene.run(run).await.state == RunState::Failed
    })
    .await;
    let finding = scene.run(run).await.finding.unwrap();
    assert_eq!(
        (finding.code, finding.seen.as_str()),
        (FindingCode::PolicyRefused, rule)
    );
    // A second one in the same minute is counted, one after it is told of with that.
    for (name, steps) in [("harbor", 0), ("quay", 4)] {
        // Everything before it has been dealt with when the heartbeat is answered.
        for seconds in std::iter::once(0).chain((0..steps).map(|_| 16)) {
            scene.clock.advance(Duration::from_secs(seconds));
            session.heartbeat(&[]).await;
            session.ack().await;
        }
        scene.queue_run(name, "berlin").await;
        let attempt = offer(&mut session).await;
        session.send(reject(attempt, v1::Reason::Policy)).await;
    }
    let refusals = async || {
        let mut log = scene.audit().await;
        log.retain(|entry| entry.action == "policy.refused");
        log
    };
    eventually("both entries are there", async || refusals().await.len() == 2).await;
    let told = refusals().await.pop().unwrap();
    assert_eq!(told.object, format!("run:{run}"));
    assert_eq!(told.actor, format!("sensor:{}", sensor.id));
    assert_eq!(told.details, json!({"refused": rule, "times": 1}));
    assert_eq!(refusals().await[0].details["times"], 2);
}

#[tokio::test]
async fn t58_a_cancelled_run_is_told_to_stop_and_a_late_end_is_ignored() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    let run = scene.queue_run("gitlab", "berlin").await;
    let attempt = take_offer(&mut session).await;
    session.heartbeat(&[attempt]).await;
    session.ack().await;
    scene.app().cancel_run(&scene.admin, run).await.unwrap();
    match session.body().await {
        Body::JobCancel(cancel) => {
            assert_eq!(cancel.attempt, Some(attempt.into()));
            assert_eq!(cancel.reason(), v1::Reason::Cancelled);
        }
        other => panic!("{other:?}"),
    }
    let done = v1::JobDone {
        attempt: Some(attempt.into()),
        reason: v1::Reason::Internal.into(),
        finding: None,
    };
    session.send(sensor_message::Body::JobDone(done)).await;
    session.heartbeat(&[attempt]).await;
    assert!(session.ack().await.renewed.is_empty());
    assert_eq!(scene.run(run).await.state, RunState::Cancelled);
}

#[tokio::test]
async fn running_attempts_are_kept_over_a_crash_of_the_control_plane_and_others_go_back() {
    let mut scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    scene.queue_run("gitlab", "berlin").await;
    let kept = take_offer(&mut session).await;
    let lost_run = scene.queue_run("harbor", "berlin").await;
    let lost = take_offer(&mut session).await;
    assert_eq!(lost.run, lost_run);
    session.heartbeat(&[kept, lost]).await;
    session.ack().await;

    scene.restart().await;
    let mut session = open(&scene, &sensor).await;
    let welcome = session.hello(hello(&[kept])).await;
    let verdict = &welcome.verdicts[0];
    assert_eq!((verdict.attempt.clone(), verdict.keep), (Some(kept.into()), true));
    let again = take_offer(&mut session).await;
    assert_eq!((again.run, again.attempt), (lost_run, 2));
    session.heartbeat(&[kept, again]).await;
    assert_eq!(session.ack().await.renewed.len(), 2);
}

#[tokio::test]
async fn t58_a_run_that_another_process_cancelled_is_told_to_stop_without_a_heartbeat() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    let run = scene.queue_run("gitlab", "berlin").await;
    let attempt = take_offer(&mut session).await;
    let other_run = scene.queue_run("harbor", "berlin").await;
    let other = take_offer(&mut session).await;
    // Nobody is told here: only the database knows.
    let (store, now) = (&scene.app().store, scene.app().clock.now());
    let cancelled = store.cancel_run(sensor.tenant, run, now, &note(now)).await;
    assert!(matches!(cancelled.unwrap(), CancelOutcome::Cancelled(Some(_))));
    match session.body().await {
        Body::JobCancel(cancel) => {
            assert_eq!(cancel.attempt, Some(attempt.into()));
            assert_eq!(cancel.reason(), v1::Reason::Cancelled);
        }
        other => panic!("{other:?}"),
    }
    let done = v1::JobDone {
        attempt: Some(attempt.into()),
        reason: v1::Reason::Cancelled.into(),
        finding: None,
    };
    session.send(sensor_message::Body::JobDone(done)).await;
    scene.app().remove_registry(&scene.admin, "harbor").await.unwrap();
    match session.body().await {
        Body::JobCancel(cancel) => {
            assert_eq!(cancel.attempt, Some(other.into()), "and the first was told once");
            assert_eq!(cancel.reason(), v1::Reason::StaleAttempt);
        }
        other => panic!("{other:?}"),
    }
    assert_ne!(run, other_run);
}

#[tokio::test]
async fn runs_of_sensors_that_are_not_connected_keep_nobody_waiting() {
    let scene = Scene::new().await;
    let offline = Sensor::enrol(&scene, "offline").await;
    let first = scene.queue_run("theirs", "offline").await;
    let registry = scene.run(first).await.registry;
    let now = scene.app().clock.now();
    // More than one look at the queue considers.
    for i in 0..1_100 {
        let run = NewRun {
            id: RunId::random(&SystemRng),
            tenant: offline.tenant,
            registry,
            trigger: RunTrigger::Manual,
            scope: Scope {
                repositories: vec![format!("acme/app-{i}").parse().unwrap()],
                ..Scope::default()
            },
            requested_by: "test".to_owned(),
            now,
        };
        scene.app().store.queue_run(&run, &note(now)).await.unwrap();
    }
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    let run = scene.queue_run("gitlab", "berlin").await;
    assert_eq!(take_offer(&mut session).await.run, run);
}
