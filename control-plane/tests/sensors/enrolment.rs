//! How a machine becomes a sensor, and how nobody else does.

use std::sync::Arc;
use std::time::Duration;

use portolan_proto::v1;
use portolan_proto::v1::enrolment_client::EnrolmentClient;
use portolan_proto::who_am_i_message;
use portolan_shared::model::{InvitationId, Reason, SensorId, limits};
use portolan_shared::process::{Clock as _, SystemClock, SystemRng};
use portolan_shared::secret::{EnrolmentToken, SecretBytes};
use portolan_store::{AuditSeverity, PageRequest};
use tonic::Status;

use crate::scene::{Scene, eventually, reason, wide};
use crate::sensor::{Keys, Sensor, connect, csr, enrol, stranger};
use portolan::settings::RateLimit;

async fn sensors(scene: &Scene) -> usize {
    let page = PageRequest::first();
    scene
        .app()
        .sensors(&scene.admin, &page)
        .await
        .unwrap()
        .items
        .len()
}

/// Enrols; waits when the control plane has not caught up with its clock yet.
async fn enrol_patiently(
    scene: &Scene,
    token: &EnrolmentToken,
    request: &v1::EnrolRequest,
) -> Result<v1::EnrolResponse, Status> {
    loop {
        match enrol(scene, token, request.clone()).await {
            Err(status) if reason(&status) == Reason::StorageUnavailable => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            answer => return answer,
        }
    }
}

#[tokio::test]
async fn t05_a_recorded_request_gives_the_same_sensor_for_ten_minutes_and_nothing_afterwards() {
    let scene = Scene::new().await;
    let token = scene.invite("berlin").await;
    let keys = Arc::new(Keys::new());
    let request = keys.request(&token);
    let first = enrol(&scene, &token, request.clone()).await.unwrap();
    assert_eq!(first.sensor_name, "berlin");
    let again = enrol(&scene, &token, request.clone()).await.unwrap();
    assert_eq!(first.sensor_id, again.sensor_id);
    let sensor = Sensor::from_response(&keys, &again);
    sensor.can_call(&scene).await.unwrap();

    let changed = v1::EnrolRequest {
        csr_der: csr(&Keys::new().tls).into(),
        ..request.clone()
    };
    let refused = enrol(&scene, &token, changed).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::TokenInvalid);

    scene.clock.advance(Duration::from_secs(601));
    let refused = enrol_patiently(&scene, &token, &request).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::TokenInvalid);
    assert_eq!(sensors(&scene).await, 1);
    let actions: Vec<_> = scene
        .audit()
        .await
        .into_iter()
        .map(|entry| entry.action)
        .collect();
    assert!(actions.contains(&"sensor.enrol_again".to_owned()), "{actions:?}");
    eventually("the refusals are in the audit log", || async {
        let refused = |entry: &portolan_store::AuditEntry| entry.action == "sensor.enrol_refused";
        scene.audit().await.iter().filter(|entry| refused(entry)).count() == 2
    })
    .await;
}

#[tokio::test]
async fn t06_of_fifty_concurrent_requests_with_one_token_one_is_enrolled() {
    let scene = Scene::new().await;
    let token = scene.invite("berlin").await;
    let attempts = (0..50).map(|_| {
        let request = Keys::new().request(&token);
        enrol(&scene, &token, request)
    });
    let outcomes = futures::future::join_all(attempts).await;
    let enrolled: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| outcome.as_ref().ok())
        .collect();
    assert_eq!(enrolled.len(), 1);
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(reason(refused), Reason::TokenAlreadyBound);
    }
    assert_eq!(sensors(&scene).await, 1);
    let high: Vec<_> = scene
        .audit()
        .await
        .into_iter()
        .filter(|entry| entry.severity == AuditSeverity::High)
        .collect();
    assert_eq!(high.len(), 1, "{high:?}");
    let sensor = scene.app().sensor(&scene.admin, "berlin").await.unwrap();
    assert!(sensor.contested);
}

#[tokio::test]
async fn t07_a_lost_answer_costs_a_retry_and_never_makes_a_second_sensor() {
    let scene = Scene::new().await;
    let token = scene.invite("berlin").await;
    let keys = Arc::new(Keys::new());
    let request = keys.request(&token);
    {
        let lost = enrol(&scene, &token, request.clone());
        let committed = eventually("the sensor is stored", || async { sensors(&scene).await == 1 });
        tokio::select! {
            biased;
            () = committed => {}
            _ = lost => {}
        }
    }
    let mut ids = Vec::new();
    for _ in 0..3 {
        let answer = enrol(&scene, &token, request.clone()).await.unwrap();
        ids.push(answer.sensor_id.clone());
        let sensor = Sensor::from_response(&keys, &answer);
        sensor.can_call(&scene).await.unwrap();
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(sensors(&scene).await, 1);
}

#[tokio::test]
async fn t08_the_second_to_show_a_secret_raises_the_alarm() {
    let scene = Scene::new().await;
    let token = scene.invite("berlin").await;
    let first = Sensor::enrol_with(&scene, &token).await;
    let second = enrol(&scene, &token, Keys::new().request(&token))
        .await
        .unwrap_err();
    assert_eq!(reason(&second), Reason::TokenAlreadyBound);
    let entries = scene.audit().await;
    let alarm = entries
        .iter()
        .find(|entry| entry.action == "sensor.contested")
        .unwrap();
    assert_eq!(alarm.severity, AuditSeverity::High);
    assert_eq!(alarm.object, format!("sensor:{}", first.id));
    for address in ["first_source", "second_source"] {
        assert_eq!(alarm.details[address], "127.0.0.1", "{address}");
    }
    let sensor = scene.app().sensor(&scene.admin, "berlin").await.unwrap();
    assert!(sensor.contested);
}

/// What an answer took and said. Which of the two comes first changes with every round, and every guess is another one.
#[tokio::test]
async fn t09_guesses_and_unknown_invitations_are_told_the_same_and_take_the_same_time() {
    const ROUNDS: u16 = 5_000;
    /// Tests run beside this one on the same machine; what is looked for in a quiet place is below a twentieth.
    const TOLERANCE: f64 = 0.25;
    let limits = portolan::settings::DoorLimits {
        stranger_life: Duration::from_secs(600),
        ..wide()
    };
    let scene = Scene::with(limits).await;
    let token = scene.invite("berlin").await;
    let channel = connect(&scene, stranger(&scene, &token)).await.unwrap();
    let mut client = EnrolmentClient::new(channel);
    let keys = Keys::new();
    let mut texts = Vec::new();
    let mut spans = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        let wrong_secret = EnrolmentToken {
            secret: SecretBytes::new(round.to_be_bytes().repeat(16)),
            ..token.clone()
        };
        let unknown = EnrolmentToken {
            invitation: InvitationId::random(&SystemRng),
            ..token.clone()
        };
        let mut guesses = [(0, wrong_secret), (1, unknown)];
        guesses.rotate_left(usize::from(round % 2));
        for (group, guess) in guesses {
            let request = keys.request(&guess);
            let begun = SystemClock.uptime();
            let refused = client.enrol(request).await.unwrap_err();
            spans[group].push(SystemClock.uptime().since(begun));
            assert_eq!(reason(&refused), Reason::TokenInvalid);
            texts.push((refused.code(), refused.message().to_owned()));
        }
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "all the same");
    let [known, unknown] = spans.map(|mut spans| {
        spans.sort_unstable();
        spans[spans.len() / 2].as_secs_f64()
    });
    let apart = (known - unknown).abs() / known.min(unknown);
    println!(
        "T09: median answer {:.0} us to a wrong secret, {:.0} us to an unknown invitation, {:.1} % apart, {ROUNDS} of each",
        known * 1e6,
        unknown * 1e6,
        apart * 100.0
    );
    assert!(apart < TOLERANCE, "{known} s and {unknown} s");
    Sensor::enrol_with(&scene, &token).await;
}

#[tokio::test]
async fn t09_the_limiter_kicks_in_at_the_configured_count() {
    let mut limits = wide();
    limits.enrol_invitation = RateLimit::new(5.0 / 60.0, 5.0);
    let scene = Scene::with(limits).await;
    let token = scene.invite("berlin").await;
    let guess = EnrolmentToken {
        secret: SecretBytes::new(vec![1; 32]),
        ..token.clone()
    };
    let mut reasons = Vec::new();
    for _ in 0..7 {
        let request = Keys::new().request(&guess);
        reasons.push(reason(&enrol(&scene, &token, request).await.unwrap_err()));
    }
    assert_eq!(reasons[..5], [Reason::TokenInvalid; 5]);
    assert_eq!(reasons[5..], [Reason::Overloaded; 2]);

    let mut limits = wide();
    limits.enrol_address = RateLimit::new(0.001, 3.0);
    let scene = Scene::with(limits).await;
    let token = scene.invite("berlin").await;
    let mut refused = Vec::new();
    for _ in 0..4 {
        let request = Keys::new().request(&EnrolmentToken {
            invitation: InvitationId::random(&SystemRng),
            ..token.clone()
        });
        refused.push(reason(&enrol(&scene, &token, request).await.unwrap_err()));
    }
    assert_eq!(refused[2..], [Reason::TokenInvalid, Reason::Overloaded]);
}

#[tokio::test]
async fn t09_no_secret_is_in_the_data_folder() {
    let mut scene = Scene::new().await;
    let token = scene.invite("berlin").await;
    Sensor::enrol_with(&scene, &token).await;
    let admin = std::fs::read_to_string(scene.control_plane().admin_token_path()).unwrap();
    let api_secret = portolan::app::ApiTokenText::parse(admin.trim()).unwrap();
    scene.stop().await;
    let database = std::fs::read(scene.folder.path().join("data/portolan.db")).unwrap();
    for secret in [token.secret.expose(), api_secret.secret.expose()] {
        assert!(!database.windows(secret.len()).any(|bytes| bytes == secret));
    }
    assert!(
        database
            .windows(16)
            .any(|bytes| bytes == token.invitation.as_bytes()),
        "the scan sees what is there"
    );
}

#[tokio::test]
async fn t37_requests_hold_at_their_bound_and_are_refused_above() {
    let scene = Scene::new().await;
    let token = scene.invite("berlin").await;
    let keys = Keys::new();
    let padded = |bytes: usize| {
        let mut request = keys.request(&token);
        let mut fill = 0;
        loop {
            let size = prost::Message::encoded_len(&request);
            if size >= bytes {
                assert_eq!(size, bytes);
                return keys.sign(&token, request);
            }
            fill += bytes - size;
            // The length of the padding takes bytes of its own.
            while {
                request.host.as_mut().unwrap().os = "x".repeat(fill);
                prost::Message::encoded_len(&request) > bytes
            } {
                fill -= 1;
            }
        }
    };
    let above = enrol(&scene, &token, padded(limits::ENROL_BYTES + 1)).await;
    assert_eq!(reason(&above.unwrap_err()), Reason::MessageTooLarge);
    enrol(&scene, &token, padded(limits::ENROL_BYTES)).await.unwrap();

    let mut large_csr = keys.request(&token);
    large_csr.csr_der = vec![0; limits::CSR_BYTES + 1].into();
    let refused = enrol(&scene, &token, keys.sign(&token, large_csr)).await;
    assert_eq!(reason(&refused.unwrap_err()), Reason::MessageTooLarge);
}

#[tokio::test]
async fn who_am_i_tells_the_sensor_alone() {
    let scene = Scene::new().await;
    let token = scene.invite("berlin").await;
    let sensor = Sensor::enrol_with(&scene, &token).await;
    let channel = connect(&scene, stranger(&scene, &token)).await.unwrap();
    let mut client = EnrolmentClient::new(channel);
    let mut ask = async |id: SensorId, keys: &Keys| {
        let sensor_id = id.as_bytes().to_vec();
        let challenge = client
            .challenge(v1::ChallengeRequest {
                sensor_id: sensor_id.clone().into(),
            })
            .await
            .unwrap()
            .into_inner();
        let message = who_am_i_message(id, &challenge.nonce, token.pins[0]);
        client
            .who_am_i(v1::WhoAmIRequest {
                sensor_id: sensor_id.into(),
                nonce: challenge.nonce,
                signature: keys.identity.sign(&message).as_ref().to_vec().into(),
            })
            .await
            .map(tonic::Response::into_inner)
    };
    let good = ask(sensor.id, &sensor.keys).await.unwrap();
    assert_eq!(
        (good.reason(), good.state.as_str()),
        (v1::Reason::Unspecified, "provisional")
    );
    let wrong_key = ask(sensor.id, &Keys::new()).await.unwrap_err();
    let unknown = ask(SensorId::random(&SystemRng), &sensor.keys).await.unwrap_err();
    assert_eq!(reason(&wrong_key), Reason::IdentityUnknown);
    assert_eq!(
        (wrong_key.code(), wrong_key.message()),
        (unknown.code(), unknown.message())
    );
    scene.revoke("berlin").await;
    let revoked = ask(sensor.id, &sensor.keys).await.unwrap();
    assert_eq!(revoked.reason(), v1::Reason::SensorRevoked);
}
