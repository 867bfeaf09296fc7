//! The listener: plain and over TLS, and how it stops.

use std::net::SocketAddr;

use portolan::web;
use portolan_shared::model::{CaTrust, limits};
use portolan_shared::process::Shutdown;
use portolan_shared::tls::{RegistryTrust, SystemRoots, provider};
use portolan_store::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::world::{World, token};

#[expect(clippy::disallowed_methods, reason = "a test owns its tasks by their handles")]
async fn serve(world: &World, tls: Option<rustls::ServerConfig>) -> (SocketAddr, Shutdown, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let task = tokio::spawn(web::serve(listener, tls, world.router.clone(), shutdown.clone()));
    (address, shutdown, task)
}

/// A server's TLS for one name, and its certificate as PEM.
pub(crate) fn self_signed(name: &str) -> (rustls::ServerConfig, String) {
    let key = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let mut server = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![key.cert.der().clone()],
            key.signing_key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (server, key.cert.pem())
}

#[tokio::test]
async fn answers_over_tls_with_http_2() {
    let world = World::new().await;
    let (server, pem) = self_signed("localhost");
    let (address, shutdown, task) = serve(&world, Some(server)).await;
    let ca = CaTrust {
        bundle_pem: Some(pem),
        only_bundle: true,
    };
    let client = RegistryTrust::new(SystemRoots::none(), &ca, None)
        .unwrap()
        .client_config("localhost", address.port(), false)
        .unwrap();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(client)
        .no_proxy()
        .resolve("localhost", address)
        .build()
        .unwrap();
    let answer = client
        .get(format!("https://localhost:{}/api/v1/whoami", address.port()))
        .bearer_auth(&world.viewer)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status(), answer.version()),
        (reqwest::StatusCode::OK, reqwest::Version::HTTP_2)
    );
    drop(client);
    shutdown.start_drain();
    task.await.unwrap();
}

#[tokio::test]
async fn a_drain_lets_go_of_idle_connections_and_refuses_new_ones() {
    let world = World::new().await;
    let (address, shutdown, task) = serve(&world, None).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut some = [0; 256];
    let read = idle.read(&mut some).await.unwrap();
    assert!(some[..read].starts_with(b"HTTP/1.1 200"));
    shutdown.start_drain();
    task.await.unwrap();
    assert_eq!(idle.read(&mut some).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

/// Asks for a stream of changes, and gives the answer's head.
async fn follow(address: SocketAddr, token: &str) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET /api/v1/changes?from=now HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\naccept: text/event-stream\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.contains("\r\n\r\n") {
        let mut some = [0; 1_024];
        let read = socket.read(&mut some).await.unwrap();
        assert_ne!(read, 0, "the connection was dropped");
        answer.push_str(std::str::from_utf8(&some[..read]).unwrap());
    }
    (socket, answer)
}

#[tokio::test]
async fn as_many_streams_as_a_tenant_may_have_leave_room_behind_one_proxy() {
    let world = World::new().await;
    let (address, shutdown, task) = serve(&world, None).await;
    let mut open = Vec::new();
    for i in 0..limits::FEED_READERS_PER_TENANT / limits::FEED_READERS_PER_TOKEN {
        let token = token(&world.app, world.tenant, &format!("reader {i}"), Role::Viewer).await;
        for _ in 0..limits::FEED_READERS_PER_TOKEN {
            let (socket, answer) = follow(address, &token).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            open.push(socket);
        }
    }
    let (_, refused) = follow(address, &world.viewer).await;
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    assert!(refused.contains("\r\nretry-after: "), "{refused}");
    let mut other = TcpStream::connect(address).await.unwrap();
    let mut some = [0; 256];
    for path in ["/livez", "/readyz"] {
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        other.write_all(head.as_bytes()).await.unwrap();
        let read = other.read(&mut some).await.unwrap();
        assert!(some[..read].starts_with(b"HTTP/1.1 200"), "{path}");
    }
    let (_, theirs) = follow(address, &world.neighbour).await;
    assert!(theirs.starts_with("HTTP/1.1 200 "), "{theirs}");
    shutdown.start_drain();
    shutdown.start_cut();
    task.await.unwrap();
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test owns its tasks by their handles")]
async fn connections_of_one_source_are_as_many_as_is_set() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let router = world.router.clone();
    let task = tokio::spawn(web::serve_sources(1, listener, None, router, shutdown.clone()));
    let (one, answer) = follow(address, &world.viewer).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let mut above = TcpStream::connect(address).await.unwrap();
    assert_eq!(above.read(&mut [0; 1]).await.unwrap_or(0), 0);
    drop(one);
    shutdown.start_drain();
    task.await.unwrap();
}

#[tokio::test]
async fn a_cut_ends_requests_that_do_not_end() {
    let world = World::new().await;
    let (address, shutdown, task) = serve(&world, None).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/v1/tokens HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n",
        world.admin
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body: the request has begun.
    let mut some = [0; 64];
    let read = slow.read(&mut some).await.unwrap();
    assert!(some[..read].starts_with(b"HTTP/1.1 100"));
    shutdown.start_drain();
    assert!(!task.is_finished());
    shutdown.start_cut();
    task.await.unwrap();
    assert_eq!(
        slow.read(&mut some).await.unwrap_or(0),
        0,
        "nothing but the end of the connection"
    );
}
