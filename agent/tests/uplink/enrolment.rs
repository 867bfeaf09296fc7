//! Enrolment.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use portolan_agent::keyring::{Keyring, KeyringError, StateDir};
use portolan_agent::policy::Allowed;
use portolan_agent::settings::ProxySettings;
use portolan_agent::uplink::EnrolError;
use portolan_agent::wiring::{EnrolCommand, EnrolmentError, enrol};
use portolan_shared::model::Reason;
use portolan_shared::process::{Clock as _, ManualClock, SystemClock, SystemRng};
use portolan_shared::secret::EnrolmentToken;
use portolan_shared::tls::{SpkiPin, TrustFailure};
use tonic::Status;

use crate::agent::refusal;
use crate::plane::{ControlPlane, DAY, Scripts};

fn names(path: &Path) -> Vec<String> {
    let map: BTreeMap<String, ()> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| (entry.unwrap().file_name().into_string().unwrap(), ()))
        .collect();
    map.into_keys().collect()
}

#[tokio::test]
async fn one_token_makes_one_sensor_however_often_it_is_used_here() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(Scripts::default(), DAY).await;
    let token = plane.token();
    let first = plane.enrol(folder.path(), &token).await.unwrap();
    assert_eq!((first.before, first.enrolled.name.as_str()), (false, "hamburg"));
    let again = plane.enrol(folder.path(), &token).await.unwrap();
    assert!(again.before);
    assert_eq!((again.enrolled, plane.calls()), (first.enrolled, 1));
    let keyring = Keyring::open(StateDir::open(folder.path()).unwrap()).unwrap();
    assert_eq!(keyring.trust().version, 1);
    assert_eq!(
        names(folder.path()),
        [
            "certificate",
            "continuity",
            "enrolment",
            "identity.key",
            "incarnation",
            "lock",
            "trust"
        ]
    );
}

#[tokio::test]
async fn t01_a_server_with_another_root_gets_not_a_single_request() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(Scripts::default(), DAY).await;
    let mut token = plane.token();
    token.pins = vec![SpkiPin([0xab; 32])];
    let error = plane.enrol(folder.path(), &token).await.unwrap_err();
    let EnrolError::Untrusted(failure @ TrustFailure::Stranger { .. }) = &error else {
        panic!("{error}");
    };
    let text = failure.to_string();
    assert!(
        text.contains("Portolan test root") && text.contains("abababab"),
        "{text}"
    );
    assert_eq!(plane.calls(), 0);
}

#[tokio::test]
async fn t02_the_right_root_with_another_name_gets_not_a_single_request() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(Scripts::default(), DAY).await;
    let mut token = plane.token();
    token.url = token.url.replace("127.0.0.1", "localhost");
    let error = plane.enrol(folder.path(), &token).await.unwrap_err();
    assert!(
        matches!(&error, EnrolError::Untrusted(TrustFailure::Name { .. })),
        "{error}"
    );
    assert_eq!(plane.calls(), 0);
}

#[tokio::test]
async fn t17_a_wrong_clock_is_named_with_both_times_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(Scripts::default(), DAY).await;
    let two_hours_slow = ManualClock::at_unix_seconds(SystemClock.now().as_second() - 7_200);
    let error = plane
        .enrol_at(folder.path(), &plane.token(), Arc::new(two_hours_slow))
        .await
        .unwrap_err();
    let EnrolError::Untrusted(failure @ TrustFailure::Clock { .. }) = &error else {
        panic!("{error}");
    };
    let text = failure.to_string();
    assert!(
        text.contains("off by 60 min") || text.contains("off by 59 min"),
        "{text}"
    );
    assert_eq!(plane.calls(), 0);
}

#[tokio::test]
async fn t07_a_lost_reply_is_followed_by_the_same_request_with_the_same_keys() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = Scripts {
        // The control plane has committed, and its answer is lost.
        enrol: Box::new(|n| {
            if n == 0 {
                Err(Status::unavailable("a proxy says"))
            } else {
                Ok(())
            }
        }),
        ..Scripts::default()
    };
    let mut plane = ControlPlane::start(scripts, DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let (first, second) = (
        plane.enrolments.recv().await.unwrap(),
        plane.enrolments.recv().await.unwrap(),
    );
    assert_eq!(first, second, "to the byte");
}

#[tokio::test]
async fn t06_t08_each_refusal_of_a_token_has_its_own_message() {
    for (reason, part) in [
        (Reason::TokenInvalid, "already used"),
        (Reason::TokenAlreadyBound, "another machine used it first"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let scripts = Scripts {
            enrol: Box::new(move |_| Err(refusal(reason))),
            ..Scripts::default()
        };
        let plane = ControlPlane::start(scripts, DAY).await;
        let error = plane.enrol(folder.path(), &plane.token()).await.unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(plane.calls(), 1, "a refusal is not tried again");
    }
}

#[tokio::test]
async fn a_used_directory_is_named_before_a_policy_that_lies_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(Scripts::default(), DAY).await;
    let first = plane.token();
    plane.enrol(folder.path(), &first).await.unwrap();
    let policy = folder.path().join("policy.toml");
    std::fs::write(&policy, "version = 1\n").unwrap();
    let enrol_with = async |token: &EnrolmentToken| {
        let command = EnrolCommand {
            token: token.encode(),
            data_dir: folder.path().to_owned(),
            policy: policy.clone(),
            allow: Allowed {
                registries: vec!["registry.example.com".parse().unwrap()],
                ..Allowed::default()
            },
            proxy: ProxySettings::default(),
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
            tasks: plane.tasks.clone(),
        };
        enrol(command).await.unwrap_err()
    };
    let other = enrol_with(&plane.token()).await;
    assert!(
        matches!(
            other,
            EnrolmentError::Keyring(KeyringError::AlreadyEnrolled { .. })
        ),
        "{other}"
    );
    let same = enrol_with(&first).await;
    assert!(matches!(same, EnrolmentError::Policy(_)), "{same}");
    assert_eq!(plane.calls(), 1, "nothing more was sent");
}
