//! The database does not say any more who is shut out.

use std::time::Duration;

use portolan::app::SessionCommand;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_shared::model::Reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::probes::{able, offered, probe};
use crate::scene::{Scene, eventually, reason};
use crate::sensor::Sensor;
use crate::session::{hello, open};
use crate::vault::client;

/// What the people's listener answers to whoever asks whether it is ready.
async fn readiness(scene: &Scene) -> String {
    let address = scene.control_plane().bound().http;
    let mut connection = TcpStream::connect(address).await.unwrap();
    let question = b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n";
    connection.write_all(question).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn t19_without_word_of_the_database_nothing_is_handed_out_and_in_the_end_sessions_are_sent_away() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(able()).await;
    let mut sealing = client(&scene, &sensor).await;
    let live = scene.control_plane().sessions().of(sensor.id).unwrap();
    let probes = [(); 2].map(|()| probe(&scene, &sensor, 600));
    let [first, second] = [0, 1].map(|i| SessionCommand::Probe(Box::new(probes[i].clone())));
    assert!(live.tell(first));
    offered(&mut session).await;

    scene.app().store.close().await;
    scene.clock.advance(Duration::from_secs(6));
    assert!(live.takes_probe(probes[1].id));
    assert!(live.tell(second));
    session.heartbeat(&[]).await;
    // The session goes on, and no probe comes before its answer.
    session.ack().await;
    assert!(live.takes_probe(probes[1].id), "it is to be brought again");
    let refused = sealing.outdated_wraps(v1::OutdatedWrapsRequest::default()).await;
    assert_eq!(reason(&refused.unwrap_err()), Reason::StorageUnavailable);

    scene.clock.advance(Duration::from_secs(25));
    match session.receive().await {
        Some(Ok(Body::Goodbye(goodbye))) => {
            assert_eq!(goodbye.reason(), v1::Reason::Overloaded);
            let back = goodbye.retry_after_ms;
            assert!((5_000..=30_000).contains(&back), "{back} ms");
        }
        other => panic!("{other:?}"),
    }
    session.end().await;
    let again = sealing.outdated_wraps(v1::OutdatedWrapsRequest::default()).await;
    assert_eq!(reason(&again.unwrap_err()), Reason::Overloaded);
    let age = || {
        let metrics = scene.control_plane().meters().render();
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("portolan_denials_age_seconds "));
        line.unwrap().parse::<f64>().unwrap()
    };
    eventually("the age is told of", || async { age() > 30.0 }).await;
    let ready = readiness(&scene).await;
    assert!(ready.starts_with("HTTP/1.0 503 "), "{ready}");
    assert!(
        ready.ends_with("\r\n\r\nthe database does not say who is shut out\n"),
        "{ready}"
    );
}

#[tokio::test]
async fn t19_a_word_in_time_and_everything_goes_on() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    // Longer than any bound, as after a sleep: the database is asked before anybody is sent away.
    scene.clock.advance(Duration::from_secs(31));
    assert!(readiness(&scene).await.starts_with("HTTP/1.0 200 "));
    session.heartbeat(&[]).await;
    session.ack().await;
}
