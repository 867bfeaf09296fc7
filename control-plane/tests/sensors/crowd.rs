//! Somebody has a sensor's certificate and key, and holds as many connections as are to be had.

use std::sync::Arc;
use std::time::Duration;

use portolan_proto::v1;
use portolan_proto::v1::session_client::SessionClient;
use portolan_shared::model::{AttemptRef, Reason, RunId};
use portolan_shared::process::SystemRng;
use rustls_pki_types::ServerName;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Response, Status, Streaming};

use crate::renewal::renew;
use crate::scene::{GIVE_UP, Scene, reason, wide};
use crate::sensor::Sensor;
use crate::session::{hello, open};
use crate::upload::{MANIFEST, Work, fence, manifest};

/// Connections that one sensor may have.
const PLACES: usize = 5;

/// A connection on which nothing is ever asked, once its handshake is done.
async fn idle(scene: &Scene, sensor: &Sensor) -> TlsStream<TcpStream> {
    let address = scene.control_plane().bound().sensors;
    let tcp = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(sensor.tls(scene)));
    let mut stream = connector
        .connect(ServerName::from(address.ip()), tcp)
        .await
        .unwrap();
    // The settings frame of HTTP/2: the connection was let in.
    let _ = stream.read_u8().await;
    stream
}

async fn is_closed(mut stream: TlsStream<TcpStream>) -> bool {
    let mut rest = Vec::new();
    // Closed in good order or cut: both end it.
    tokio::time::timeout(GIVE_UP, stream.read_to_end(&mut rest))
        .await
        .is_ok()
}

type Opened = Result<Response<Streaming<v1::ControlMessage>>, Status>;

/// A session on which no hello comes, for as long as the sender lives.
async fn silent(client: &mut SessionClient<Channel>) -> (mpsc::Sender<v1::SensorMessage>, Opened) {
    let (sent, messages) = mpsc::channel(1);
    (sent, client.open(ReceiverStream::new(messages)).await)
}

#[tokio::test]
async fn a_voided_certificate_keeps_nobody_out_and_is_noticed() {
    let scene = Scene::new().await;
    let old = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &old).await;
    session.hello(hello(&[])).await;
    let new = renew(&mut old.session(&scene).await, &old).await.unwrap();
    let mut current = open(&scene, &new).await;
    current.hello(hello(&[])).await;
    drop((session, current));

    let mut thief = Vec::new();
    for _ in 0..=PLACES {
        thief.push(idle(&scene, &old).await);
    }
    open(&scene, &new).await.hello(hello(&[])).await;
    new.can_call(&scene).await.unwrap();
    let entries = scene.audit().await;
    let noticed: Vec<_> = entries
        .iter()
        .filter(|entry| entry.action == "sensor.crowded")
        .collect();
    assert_eq!(noticed.len(), 1, "once an hour");
    assert_eq!(noticed[0].object, format!("sensor:{}", new.id));
    assert_eq!(noticed[0].details["sources"], serde_json::json!(["127.0.0.1"]));
}

#[tokio::test]
async fn sessions_without_a_hello_keep_nobody_out() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(sensor.session(&scene).await);
    }
    let mut held = Vec::new();
    for client in &mut clients {
        let (sent, opened) = silent(client).await;
        held.push((sent, opened.unwrap()));
    }
    open(&scene, &sensor).await.hello(hello(&[])).await;
}

#[tokio::test]
async fn uploads_that_show_no_fence_keep_nobody_out() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    // Somebody with certificate and key, but without the session: both places, and streams on which nothing comes.
    let steal = async || {
        let mut thief = sensor.upload(&scene).await;
        let made_up = fence(work_attempt(), 1);
        let coverage = v1::ReportCoverageRequest {
            fence: Some(made_up),
            ..v1::ReportCoverageRequest::default()
        };
        let refused = thief.report_coverage(coverage).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::StaleAttempt, "{refused:?}");
        thief
    };
    let mut thieves = Vec::new();
    for _ in 0..2 {
        thieves.push(steal().await);
    }
    work.put(vec![manifest(MANIFEST)]).await.unwrap();
    for _ in 0..3 {
        thieves.push(steal().await);
    }
    // Over the same connection: a thief that comes later does not get the place of one that has shown a fence.
    work.put(vec![manifest(MANIFEST)]).await.unwrap();
}

fn work_attempt() -> AttemptRef {
    AttemptRef {
        run: RunId::random(&SystemRng),
        attempt: 1,
    }
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_cut() {
    let limits = portolan::settings::DoorLimits {
        stranger_life: Duration::from_millis(50),
        ..wide()
    };
    let scene = Scene::with(limits).await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    assert!(is_closed(idle(&scene, &sensor).await).await);
    session.heartbeat(&[]).await;
    session.ack().await;
}
