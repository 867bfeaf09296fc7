#![expect(clippy::disallowed_methods, reason = "a test owns its task by its handle")]

use super::*;
use axum::routing::get;
use rustls::server::ResolvesServerCertUsingSni;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

/// How long anything may take before a test gives up: less than any bound that a test does not set.
const GIVE_UP: Duration = Duration::from_secs(8);
/// A bound that is reached.
const SOON: Duration = Duration::from_millis(50);
/// Preface and empty settings of an HTTP/2 client.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(bounds: Bounds, tls: Option<rustls::ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "here"));
        let shutdown = Shutdown::new();
        let task = tokio::spawn(serve_within(bounds, listener, tls, router, shutdown.clone()));
        Self {
            address,
            shutdown,
            task,
        }
    }

    async fn connect(&self) -> TcpStream {
        self.connect_from("127.0.0.1:0").await
    }

    async fn connect_from(&self, source: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(source.parse().unwrap()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    async fn stop(self) {
        self.shutdown.start_drain();
        self.task.await.unwrap();
    }
}

async fn ask(stream: &mut TcpStream) {
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
}

async fn answered(stream: &mut TcpStream) {
    let mut some = [0; 512];
    let read = stream.read(&mut some).await.unwrap();
    assert!(some[..read].starts_with(b"HTTP/1.1 200"));
}

/// Waits until the server has closed the connection.
async fn closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // Closed or reset, whichever comes first.
    let end = tokio::time::timeout(GIVE_UP, stream.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "it is open still");
}

#[tokio::test]
async fn connections_above_the_bound_wait_until_one_ends() {
    let one = Bounds {
        connections: 1,
        ..Bounds::default()
    };
    let server = Server::start(one, None).await;
    let mut first = server.connect().await;
    ask(&mut first).await;
    answered(&mut first).await;
    let mut second = server.connect().await;
    ask(&mut second).await;
    for _ in 0..20 {
        ask(&mut first).await;
        answered(&mut first).await;
    }
    let early = second.try_read(&mut [0; 1]);
    assert_eq!(early.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(first);
    answered(&mut second).await;
    drop(second);
    server.stop().await;
}

#[tokio::test]
async fn one_source_leaves_room_for_others() {
    let bounds = Bounds {
        connections: 3,
        of_source: 1,
        ..Bounds::default()
    };
    let server = Server::start(bounds, None).await;
    let mut first = server.connect().await;
    ask(&mut first).await;
    answered(&mut first).await;
    closed(server.connect().await).await;
    let mut other = server.connect_from("127.0.0.2:0").await;
    ask(&mut other).await;
    answered(&mut other).await;
    drop((first, other));
    server.stop().await;
}

#[tokio::test]
async fn who_says_nothing_or_too_little_is_sent_away() {
    let bounds = Bounds {
        first: SOON,
        ..Bounds::default()
    };
    let server = Server::start(bounds, None).await;
    closed(server.connect().await).await;
    let mut little = server.connect().await;
    little.write_all(&HTTP2[..10]).await.unwrap();
    closed(little).await;
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_shake_hands_is_sent_away() {
    let bounds = Bounds {
        first: SOON,
        ..Bounds::default()
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
    let server = Server::start(bounds, Some(tls)).await;
    closed(server.connect().await).await;
    server.stop().await;
}

#[tokio::test]
async fn half_a_head_is_not_waited_for() {
    let bounds = Bounds {
        head: SOON,
        ..Bounds::default()
    };
    let server = Server::start(bounds, None).await;
    let mut half = server.connect().await;
    half.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    closed(half).await;
    server.stop().await;
}

#[tokio::test]
async fn an_http2_peer_that_does_not_answer_is_cut() {
    let bounds = Bounds {
        ping: SOON,
        pong: SOON,
        ..Bounds::default()
    };
    let server = Server::start(bounds, None).await;
    let mut mute = server.connect().await;
    mute.write_all(HTTP2).await.unwrap();
    closed(mute).await;
    server.stop().await;
}

#[tokio::test]
async fn a_connection_ends_when_it_is_old_and_its_request_is_answered() {
    let bounds = Bounds {
        age: SOON,
        ..Bounds::default()
    };
    let server = Server::start(bounds, None).await;
    let mut old = server.connect().await;
    ask(&mut old).await;
    answered(&mut old).await;
    closed(old).await;
    server.stop().await;
}
