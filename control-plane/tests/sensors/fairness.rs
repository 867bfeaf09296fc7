//! One peer does not take from the others what all of them need.

use std::time::Duration;

use portolan::settings::DoorLimits;
use portolan_proto::v1;
use portolan_proto::v1::enrolment_client::EnrolmentClient;
use portolan_proto::v1::session_client::SessionClient;
use portolan_proto::v1::upload_client::UploadClient;
use portolan_shared::model::{AttemptRef, Reason, RunId};
use portolan_shared::process::SystemRng;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::iter;
use tokio_stream::wrappers::ReceiverStream;

use crate::scene::{GIVE_UP, Scene, is_transport, reason, wide};
use crate::sensor::{Sensor, connect_from, stranger};
use crate::session::{hello, open};
use crate::upload::{MANIFEST, Work, close, fence, manifest, tags};

#[tokio::test]
async fn a_stream_without_a_lease_takes_no_room() {
    let scene = Scene::with(DoorLimits { uploads: 1, ..wide() }).await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    let idle = Sensor::enrol(&scene, "paris").await;
    let epoch = open(&scene, &idle).await.hello(hello(&[])).await.session_epoch;
    let (_silent, nothing) = mpsc::channel::<v1::PutContentRequest>(1);
    let mut client = idle.upload(&scene).await;
    let mut waiting = Box::pin(client.put_content(ReceiverStream::new(nothing)));
    tokio::select! {
        ended = &mut waiting => panic!("it was not let in: {ended:?}"),
        put = work.put(vec![manifest(MANIFEST)]) => assert_eq!(put.unwrap(), 1),
    }
    // What it says then is that it has no lease, and that is all it gets to say.
    let nobodys = AttemptRef {
        run: RunId::random(&SystemRng),
        attempt: 1,
    };
    let (says, said) = mpsc::channel(1);
    let message = v1::PutContentRequest {
        fence: Some(fence(nobodys, epoch)),
        items: vec![manifest(MANIFEST)],
    };
    says.send(message).await.unwrap();
    let mut client = idle.upload(&scene).await;
    let refused = client.put_content(ReceiverStream::new(said)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::StaleAttempt);
}

#[tokio::test]
async fn a_stream_has_its_time_however_busy_it_is() {
    let scene = Scene::with(DoorLimits {
        upload_deadline: Duration::from_millis(300),
        ..wide()
    })
    .await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    let (says, said) = mpsc::channel(1);
    let message = v1::PutContentRequest {
        fence: Some(work.fence.clone()),
        items: vec![manifest(MANIFEST)],
    };
    let talk = async {
        while says.send(message.clone()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        put = work.upload.put_content(ReceiverStream::new(said)) => {
            assert_eq!(reason(&put.unwrap_err()), Reason::SlowConsumer);
        }
        () = talk => {}
    }
}

#[tokio::test]
async fn messages_that_carry_nothing_are_refused_but_for_the_last() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    let full = v1::PutContentRequest {
        fence: Some(work.fence.clone()),
        items: vec![manifest(MANIFEST)],
    };
    let empty = v1::PutContentRequest {
        items: Vec::new(),
        ..full.clone()
    };
    let last = iter([full.clone(), empty.clone()]);
    assert_eq!(
        work.upload.put_content(last).await.unwrap().into_inner().stored,
        1
    );
    let first = iter([empty, full]);
    let refused = work.upload.put_content(first).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::ProtocolViolation);
    let commit = tags(&work.fence, &["1.0"], "listed");
    let head = v1::CommitRepositoryRequest {
        tags: Vec::new(),
        end: None,
        ..commit.clone()
    };
    let refused = work.upload.commit_repository(iter([head, commit.clone()])).await;
    assert_eq!(reason(&refused.unwrap_err()), Reason::ProtocolViolation);
    work.upload.commit_repository(iter([commit])).await.unwrap();
}

#[tokio::test]
async fn a_connection_with_a_session_takes_no_uploads() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let channel = sensor.channel(&scene).await;
    let (_says, said) = mpsc::channel::<v1::SensorMessage>(1);
    let mut session = SessionClient::new(channel.clone());
    let _session = session.open(ReceiverStream::new(said)).await.unwrap();
    let refused = UploadClient::new(channel)
        .report_coverage(v1::ReportCoverageRequest::default())
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), Reason::ProtocolViolation);
    assert!(refused.message().contains("not for both"), "{refused:?}");
}

#[tokio::test]
async fn unfinished_handshakes_of_one_source_do_not_keep_others_out() {
    let scene = Scene::with(DoorLimits {
        handshakes: 4,
        handshake: 2 * GIVE_UP,
        ..wide()
    })
    .await;
    let token = scene.invite("berlin").await;
    let address = scene.control_plane().bound().sensors;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let other = connect_from(&scene, stranger(&scene, &token), "127.0.0.2");
    let other = tokio::time::timeout(GIVE_UP, other).await;
    other.expect("the other source has its share").unwrap();
}

#[tokio::test]
async fn strangers_of_one_source_do_not_keep_others_out() {
    let scene = Scene::with(DoorLimits {
        strangers: 8,
        ..wide()
    })
    .await;
    let token = scene.invite("berlin").await;
    let enrol = async |source| {
        let channel = connect_from(&scene, stranger(&scene, &token), source).await?;
        let mut client = EnrolmentClient::new(channel);
        let refused = client.enrol(v1::EnrolRequest::default()).await.unwrap_err();
        if is_transport(&refused) {
            return Err(refused);
        }
        Ok(client)
    };
    let _held = [
        enrol("127.0.0.1").await.unwrap(),
        enrol("127.0.0.1").await.unwrap(),
    ];
    assert!(enrol("127.0.0.1").await.is_err(), "a third one of the source");
    enrol("127.0.0.2").await.unwrap();
}

/// Closing a run is the last of an attempt's calls; it takes room as the others do, and gives it back.
#[tokio::test]
async fn calls_give_their_room_back() {
    let scene = Scene::with(DoorLimits { uploads: 1, ..wide() }).await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    for _ in 0..3 {
        work.put(vec![manifest(MANIFEST)]).await.unwrap();
    }
    let commit = tags(&work.fence, &["1.0"], "listed");
    work.upload.commit_repository(iter([commit])).await.unwrap();
    work.upload.close_run(close(&work.fence)).await.unwrap();
}
