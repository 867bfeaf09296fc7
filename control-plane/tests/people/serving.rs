//! The listener: plain and over TLS, and how it stops.

use std::net::SocketAddr;

use portolan::web;
use portolan_shared::model::CaTrust;
use portolan_shared::process::Shutdown;
use portolan_shared::tls::{RegistryTrust, SystemRoots, provider};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::world::World;

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
