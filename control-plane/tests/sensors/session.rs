//! The session stream.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use portolan_proto::v1::control_message::Body;
use portolan_proto::v1::sensor_message;
use portolan_proto::{convert::Refusal, v1};
use portolan_shared::model::{AttemptRef, Reason, limits};
use portolan_store::ContinuityHash;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::scene::{GIVE_UP, Scene, eventually, reason};
use crate::sensor::{Past, Sensor};

/// The client's end of a session.
pub(crate) struct Session {
    sent: mpsc::Sender<v1::SensorMessage>,
    received: Streaming<v1::ControlMessage>,
    seq: u64,
    counter: u64,
    past: Arc<Mutex<Past>>,
}

/// Opens a stream. The control plane may not have noticed yet that an earlier connection is gone; then it is asked again.
pub(crate) async fn open(scene: &Scene, sensor: &Sensor) -> Session {
    try_open(scene, sensor).await.unwrap()
}

/// The same, for a sensor that is perhaps not let in.
pub(crate) async fn try_open(scene: &Scene, sensor: &Sensor) -> Result<Session, Reason> {
    loop {
        let (sent, messages) = mpsc::channel(512);
        let mut client = sensor.session(scene).await;
        match client.open(ReceiverStream::new(messages)).await {
            Ok(received) => {
                return Ok(Session {
                    sent,
                    received: received.into_inner(),
                    seq: 0,
                    counter: 0,
                    past: Arc::clone(&sensor.past),
                });
            }
            Err(status) => match reason(&status) {
                Reason::Overloaded => {}
                reason => return Err(reason),
            },
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn hello(running: &[AttemptRef]) -> v1::Hello {
    v1::Hello {
        protocol: Some(v1::VersionRange { min: 1, max: 1 }),
        instance_nonce: vec![0; 16].into(),
        job_slots: 2,
        running: wire(running),
        ..v1::Hello::default()
    }
}

fn wire(running: &[AttemptRef]) -> Vec<v1::RunningAttempt> {
    running
        .iter()
        .map(|attempt| v1::RunningAttempt {
            attempt: Some((*attempt).into()),
        })
        .collect()
}

impl Session {
    /// Sends a message. A Hello that does not say otherwise goes on from the sensor's last session.
    pub(crate) async fn send(&mut self, mut body: sensor_message::Body) {
        self.seq += 1;
        if let sensor_message::Body::Hello(hello) = &mut body {
            let past = self.past.lock().unwrap();
            if hello.continuity_token.is_empty() {
                hello.continuity_token = past.continuity_token.clone().into();
            }
            if hello.replaces_epoch == 0 {
                hello.replaces_epoch = past.epoch;
            }
        }
        let message = v1::SensorMessage {
            seq: self.seq,
            body: Some(body),
        };
        // The other side may have ended already.
        let _ = self.sent.send(message).await;
    }

    pub(crate) async fn receive(&mut self) -> Option<Result<Body, Option<Reason>>> {
        let message = tokio::time::timeout(GIVE_UP, self.received.message())
            .await
            .unwrap();
        match message {
            Ok(Some(message)) => Some(Ok(message.body.unwrap())),
            Ok(None) => None,
            Err(status) => Some(Err(Refusal::in_status(&status).map(|refusal| refusal.reason))),
        }
    }

    pub(crate) async fn body(&mut self) -> Body {
        self.receive().await.unwrap().unwrap()
    }

    pub(crate) async fn hello(&mut self, hello: v1::Hello) -> v1::Welcome {
        self.try_hello(hello).await.unwrap()
    }

    /// The same, for a sensor that is perhaps not let in.
    pub(crate) async fn try_hello(&mut self, hello: v1::Hello) -> Result<v1::Welcome, Reason> {
        self.send(sensor_message::Body::Hello(hello)).await;
        let welcome = match self.receive().await {
            Some(Ok(Body::Welcome(welcome))) => welcome,
            Some(Ok(Body::Refuse(refuse))) => return Err(refuse.reason().try_into().unwrap()),
            Some(Err(Some(reason))) => return Err(reason),
            other => panic!("no welcome: {other:?}"),
        };
        *self.past.lock().unwrap() = Past {
            continuity_token: welcome.continuity_token.to_vec(),
            epoch: welcome.session_epoch,
        };
        let stored = v1::ContinuityAck {
            token_sha256: ContinuityHash::of(&welcome.continuity_token).0.to_vec().into(),
        };
        self.send(sensor_message::Body::ContinuityAck(stored)).await;
        Ok(welcome)
    }

    pub(crate) async fn heartbeat(&mut self, running: &[AttemptRef]) {
        self.counter += 1;
        let heartbeat = v1::Heartbeat {
            counter: self.counter,
            running: wire(running),
            ..v1::Heartbeat::default()
        };
        self.send(sensor_message::Body::Heartbeat(heartbeat)).await;
    }

    pub(crate) async fn ack(&mut self) -> v1::HeartbeatAck {
        loop {
            match self.body().await {
                Body::HeartbeatAck(ack) => return ack,
                Body::JobCancel(_) => {}
                other => panic!("no answer to a heartbeat: {other:?}"),
            }
        }
    }

    /// Everything up to the end of the stream; gives the reason.
    pub(crate) async fn end(&mut self) -> Option<Reason> {
        loop {
            match self.receive().await {
                Some(Ok(_)) => {}
                Some(Err(reason)) => return reason,
                None => return None,
            }
        }
    }
}

#[tokio::test]
async fn a_session_opens_beats_and_is_seen() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    let welcome = session.hello(hello(&[])).await;
    assert_eq!((welcome.protocol, welcome.session_epoch), (1, 1));
    assert_eq!(u64::from(welcome.heartbeat_ms), limits::HEARTBEAT_SECONDS * 1_000);
    for counter in 1..=3 {
        session.heartbeat(&[]).await;
        assert_eq!(session.ack().await.counter, counter);
    }
    let record = scene.app().sensor(&scene.admin, "berlin").await.unwrap();
    assert_eq!(record.state, portolan_shared::model::SensorState::Active);
    let opened = scene.app().clock.now();
    eventually("the sensor is seen", || async {
        let record = scene.app().sensor(&scene.admin, "berlin").await.unwrap();
        record
            .last_seen_at
            .is_some_and(|seen| seen >= opened - jiff::SignedDuration::from_secs(10))
    })
    .await;
}

#[tokio::test]
async fn the_newest_session_stands() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut old = open(&scene, &sensor).await;
    let epoch = old.hello(hello(&[])).await.session_epoch;
    let mut new = open(&scene, &sensor).await;
    let welcome = new
        .hello(v1::Hello {
            replaces_epoch: epoch,
            ..hello(&[])
        })
        .await;
    assert!(welcome.session_epoch > epoch);
    assert_eq!(old.end().await, Some(Reason::StaleSession));
    new.heartbeat(&[]).await;
    assert_eq!(new.ack().await.counter, 1);
    assert_eq!(scene.control_plane().sessions().count(), 1);
}

#[tokio::test]
async fn violations_end_the_session_with_their_reason() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;

    let mut gap = open(&scene, &sensor).await;
    gap.hello(hello(&[])).await;
    gap.seq += 1;
    gap.heartbeat(&[]).await;
    assert_eq!(gap.end().await, Some(Reason::ProtocolViolation));

    let mut silent = open(&scene, &sensor).await;
    silent.heartbeat(&[]).await;
    assert_eq!(silent.end().await, Some(Reason::ProtocolViolation));

    let mut newer = open(&scene, &sensor).await;
    newer
        .send(sensor_message::Body::Hello(v1::Hello {
            protocol: Some(v1::VersionRange { min: 2, max: 9 }),
            ..hello(&[])
        }))
        .await;
    match newer.body().await {
        Body::Refuse(refuse) => {
            assert_eq!(refuse.reason(), v1::Reason::VersionUnsupported);
            assert_eq!(refuse.supported, Some(v1::VersionRange { min: 1, max: 1 }));
            assert_eq!(refuse.retry_after_ms, 3_600_000);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(newer.end().await, Some(Reason::VersionUnsupported));
}

/// A message of exactly this size.
fn padded(seq: u64, bytes: usize, make: impl Fn(String) -> sensor_message::Body) -> sensor_message::Body {
    let size = |fill: usize| {
        let body = Some(make("x".repeat(fill)));
        v1::SensorMessage { seq, body }.encoded_len()
    };
    let fill = (0..=bytes).rev().find(|fill| size(*fill) <= bytes).unwrap();
    assert_eq!(size(fill), bytes);
    make("x".repeat(fill))
}

#[tokio::test]
async fn t37_messages_hold_at_their_bound_and_end_the_session_above() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let long_hello = |seq, bytes| {
        padded(seq, bytes, |boot_id| {
            let past = sensor.past.lock().unwrap().clone();
            sensor_message::Body::Hello(v1::Hello {
                boot_id,
                continuity_token: past.continuity_token.into(),
                replaces_epoch: past.epoch.max(1),
                ..hello(&[])
            })
        })
    };
    let long_heartbeat = |seq, bytes| {
        padded(seq, bytes, |last_error| {
            sensor_message::Body::Heartbeat(v1::Heartbeat {
                counter: seq,
                last_error,
                ..v1::Heartbeat::default()
            })
        })
    };
    let mut session = open(&scene, &sensor).await;
    session.send(long_hello(1, limits::HELLO_BYTES)).await;
    assert!(matches!(session.body().await, Body::Welcome(_)));
    session.send(long_heartbeat(2, limits::HEARTBEAT_BYTES)).await;
    assert_eq!(session.ack().await.counter, 2);
    session.send(long_heartbeat(3, limits::HEARTBEAT_BYTES + 1)).await;
    assert_eq!(session.end().await, Some(Reason::ProtocolViolation));

    let mut session = open(&scene, &sensor).await;
    session.send(long_hello(1, limits::HELLO_BYTES + 1)).await;
    assert_eq!(session.end().await, Some(Reason::MessageTooLarge));

    let long_reject = |seq, bytes| {
        padded(seq, bytes, |rule| {
            sensor_message::Body::JobReject(v1::JobReject {
                attempt: Some(v1::AttemptRef {
                    run_id: vec![0; 16].into(),
                    attempt: 1,
                }),
                rule,
                ..v1::JobReject::default()
            })
        })
    };
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    session.send(long_reject(2, limits::SESSION_MESSAGE_BYTES)).await;
    session.heartbeat(&[]).await;
    session.ack().await;
    session
        .send(long_reject(4, limits::SESSION_MESSAGE_BYTES + 1))
        .await;
    assert_eq!(session.end().await, Some(Reason::MessageTooLarge));

    let mut session = open(&scene, &sensor).await;
    let attempt = |n: usize| AttemptRef {
        run: portolan_shared::model::RunId::from_slice(&[7; 16]).unwrap(),
        attempt: u32::try_from(n).unwrap(),
    };
    let many: Vec<_> = (1..=limits::RUNNING_ATTEMPTS + 1).map(attempt).collect();
    let welcome = session.hello(hello(&many[1..])).await;
    assert_eq!(welcome.verdicts.len(), limits::RUNNING_ATTEMPTS);
    assert!(welcome.verdicts.iter().all(|verdict| !verdict.keep));
    session.heartbeat(&many).await;
    assert_eq!(session.end().await, Some(Reason::ProtocolViolation));
}

#[tokio::test]
async fn too_many_new_sessions_are_sent_away_for_a_while() {
    let mut limits = crate::scene::wide();
    limits.sessions_all = portolan::settings::RateLimit::new(0.001, 1.0);
    let scene = Scene::with(limits).await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    open(&scene, &sensor).await.hello(hello(&[])).await;
    let mut second = open(&scene, &sensor).await;
    second.send(sensor_message::Body::Hello(hello(&[]))).await;
    match second.body().await {
        Body::Refuse(refuse) => {
            assert_eq!(refuse.reason(), v1::Reason::Overloaded);
            let wait = Duration::from_millis(refuse.retry_after_ms.into());
            assert!(wait >= Duration::from_secs(1), "{wait:?}");
        }
        other => panic!("{other:?}"),
    }
}
