//! What proves who a sensor is: certificates that end or are lost, and the continuity token.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use portolan_proto::v1;
use portolan_proto::v1::control_message::Body as Down;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_shared::model::Reason;
use tonic::Status;

use crate::agent::{offer, refusal, run_agent, run_agent_at, state_files};
use crate::clock::ShiftedClock;
use crate::plane::{ControlPlane, DAY, Recovery, Scripts};

/// A control plane that finds the certificate of the first session replaced.
fn not_current_at_first(recover: impl Fn(usize) -> Recovery + Send + Sync + 'static) -> Scripts {
    Scripts {
        open: Box::new(|n| match n {
            0 => Err(refusal(Reason::CertificateNotCurrent)),
            _ => Ok(()),
        }),
        recover: Box::new(recover),
        ..Scripts::default()
    }
}

fn on_disk(folder: &Path) -> Vec<u8> {
    let content = std::fs::read(folder.join("continuity")).unwrap();
    content[content.len() - 32..].to_vec()
}

#[tokio::test]
async fn t11_a_host_that_slept_for_three_days_recovers_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ShiftedClock::default());
    let mut plane = ControlPlane::start_at(Scripts::default(), DAY, Arc::clone(&clock)).await;
    let token = plane.token();
    let enrolled = plane
        .enrol_at(folder.path(), &token, Arc::<ShiftedClock>::clone(&clock))
        .await;
    enrolled.unwrap();
    let agent = run_agent_at(folder.path(), Arc::<ShiftedClock>::clone(&clock)).await;
    let mut asleep = plane.session().await;
    asleep.welcome(1, true).await;
    asleep.acknowledged().await;
    clock.pass(3 * 24);
    let woke = agent.handle.view().borrow().clone();
    let mut session = plane.session().await;
    assert!(session.fits, "it shows the token that the recovery brought");
    session.welcome(2, true).await;
    session.acknowledged().await;
    let view = agent.sees(|view| view.epoch == Some(2)).await;
    assert_eq!((woke.recoveries, view.recoveries), (0, 1));
    assert_eq!(plane.recoveries(), (1, 1));
    assert_eq!(plane.renewals(), 0, "over which session?");
    let status = agent.handle.status();
    assert_eq!(status.certificate.unwrap().health, "good");
    agent.stop().await;
}

#[tokio::test]
async fn t18_a_recovery_whose_answer_is_lost_is_repeated_with_the_token_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = not_current_at_first(|n| if n == 0 { Recovery::Lost } else { Recovery::Judged });
    let mut plane = ControlPlane::start(scripts, DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let before = state_files(folder.path());
    let agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    assert!(session.fits);
    assert_eq!(
        plane.recoveries(),
        (2, 2),
        "the first one counts, and its answer never came"
    );
    let after = state_files(folder.path());
    assert_ne!(after["certificate"], before["certificate"]);
    assert_eq!(after["certificate.previous"], before["certificate"]);
    session.welcome(1, true).await;
    assert_eq!(agent.sees(|view| view.epoch == Some(1)).await.recoveries, 1);
    agent.stop().await;
}

#[tokio::test]
async fn t18_a_crash_before_a_recovery_is_stored_costs_another_recovery() {
    let folder = tempfile::tempdir().unwrap();
    let crashed = Arc::new(AtomicBool::new(false));
    let tries = AtomicUsize::new(0);
    let before_the_crash = Arc::clone(&crashed);
    let scripts = Scripts {
        open: Box::new(move |n| {
            if !before_the_crash.load(Ordering::SeqCst) {
                // Its first Hello with the new certificate never arrives.
                return Err(match n {
                    0 => refusal(Reason::CertificateNotCurrent),
                    _ => Status::unavailable("a proxy says"),
                });
            }
            match tries.fetch_add(1, Ordering::SeqCst) {
                0 => Err(refusal(Reason::CertificateNotCurrent)),
                _ => Ok(()),
            }
        }),
        ..Scripts::default()
    };
    let mut plane = ControlPlane::start(scripts, DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let before = state_files(folder.path());
    let agent = run_agent(folder.path()).await;
    agent.sees(|view| view.recoveries == 1 && view.failures > 1).await;
    agent.stop().await;
    // The machine died before any of it was on disk.
    crashed.store(true, Ordering::SeqCst);
    for name in ["certificate", "continuity"] {
        std::fs::write(folder.path().join(name), &before[name]).unwrap();
    }
    std::fs::remove_file(folder.path().join("certificate.previous")).unwrap();
    let agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    assert_eq!(plane.recoveries(), (2, 2));
    assert!(session.fits);
    session.welcome(1, true).await;
    agent.sees(|view| view.epoch == Some(1)).await;
    agent.stop().await;
}

#[tokio::test]
async fn t18_a_continuity_token_is_on_disk_before_it_is_acknowledged_and_shown_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let agent = run_agent(folder.path()).await;
    let mut shown = on_disk(folder.path());
    for epoch in 1..4 {
        let mut session = plane.session().await;
        assert!(session.fits);
        assert_eq!(session.hello.continuity_token, shown);
        assert_eq!(session.hello.machine_fingerprint.len() % 16, 0);
        let token = session.welcome(epoch, true).await;
        // The second one's acknowledgement is lost.
        if epoch != 2 {
            session.acknowledged().await;
        } else {
            agent.sees(|view| view.epoch == Some(2)).await;
        }
        assert_eq!(on_disk(folder.path()), token);
        shown = token;
        session
            .say(Down::Drain(v1::Drain {
                reconnect_after_ms: 1,
            }))
            .await;
    }
    agent.stop().await;
}

#[tokio::test]
async fn t56_a_token_that_cannot_be_stored_is_not_acknowledged_and_no_job_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    // No file can take the place of a folder, as none can be written to a full disk.
    let place = folder.path().join("continuity");
    std::fs::remove_file(&place).unwrap();
    std::fs::create_dir(&place).unwrap();
    let token = session.welcome(1, true).await;
    session.say(offer("h").1).await;
    let answer = session
        .hear_matching(|body| match body {
            Up::ContinuityAck(_) | Up::JobAccept(_) => panic!("nothing was stored"),
            Up::JobReject(reject) => Some(reject),
            _ => None,
        })
        .await;
    assert_eq!(answer.reason(), v1::Reason::Overloaded);
    let warnings = agent.handle.status().warnings.join("\n");
    assert!(
        warnings.contains("continuity cannot be written"),
        "it is shown: {warnings}"
    );
    std::fs::remove_dir(&place).unwrap();
    session.acknowledged().await;
    assert_eq!(on_disk(folder.path()), token);
    let warnings = agent.handle.status().warnings.join("\n");
    assert!(!warnings.contains("continuity"), "{warnings}");
    crate::agent::accepted(&mut session, "h").await;
    agent.stop().await;
}

#[tokio::test]
async fn t56_a_recovery_that_cannot_be_stored_is_kept_and_not_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("continuity");
    let full = place.clone();
    let scripts = Scripts {
        open: Box::new(move |n| {
            if n > 0 {
                return Ok(());
            }
            std::fs::remove_file(&full).unwrap();
            std::fs::create_dir(&full).unwrap();
            Err(refusal(Reason::CertificateNotCurrent))
        }),
        ..Scripts::default()
    };
    let mut plane = ControlPlane::start(scripts, DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let certificate = state_files(folder.path()).remove("certificate");
    let agent = run_agent(folder.path()).await;
    // Refused, then not stored, and once more not stored.
    let view = agent.sees(|view| view.failures == 3).await;
    assert!(view.last_failure.unwrap().contains("cannot be used"));
    assert_eq!((view.recoveries, plane.recoveries()), (0, (1, 1)));
    assert_eq!(state_files(folder.path()).remove("certificate"), certificate);
    std::fs::remove_dir(&place).unwrap();
    let mut session = plane.session().await;
    assert!(session.fits);
    assert_eq!(plane.recoveries(), (1, 1));
    session.welcome(1, true).await;
    assert_eq!(agent.sees(|view| view.epoch == Some(1)).await.recoveries, 1);
    agent.stop().await;
}

#[tokio::test]
async fn a_lost_certificate_is_replaced_by_the_proof_of_the_identity_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    std::fs::write(folder.path().join("certificate"), b"rubbish").unwrap();
    let agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    let view = agent.sees(|view| view.epoch == Some(1)).await;
    assert_eq!((view.recoveries, plane.recoveries()), (1, (1, 1)));
    assert_eq!(agent.handle.status().certificate.unwrap().health, "good");
    agent.stop().await;
}

#[tokio::test]
async fn t17_a_clock_that_is_days_ahead_discards_no_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let wrong = Arc::new(ShiftedClock::default());
    wrong.set_wall_ahead(48);
    let agent = run_agent_at(folder.path(), wrong).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    let view = agent.sees(|view| view.epoch == Some(1)).await;
    assert!(view.skew_ms.unwrap() < -47 * 3_600_000);
    assert_eq!(plane.recoveries(), (0, 0), "the control plane has accepted it");
    let warnings = agent.handle.status().warnings.join("\n");
    assert!(warnings.contains("more than two minutes"), "{warnings}");
    agent.stop().await;
}

#[tokio::test]
async fn t51_a_proxy_that_answers_for_the_control_plane_recovers_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = Scripts {
        open: Box::new(|n| match n {
            0 => Err(Status::unauthenticated("certificate_expired, says a proxy")),
            _ => Ok(()),
        }),
        ..Scripts::default()
    };
    let mut plane = ControlPlane::start(scripts, DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let before = state_files(folder.path());
    let agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    assert_eq!(plane.recoveries(), (0, 0));
    assert_eq!(
        state_files(folder.path())["certificate"],
        before["certificate"],
        "nobody who may say so has"
    );
    session.welcome(1, true).await;
    assert!(agent.handle.connected().await);
    agent.stop().await;
}
