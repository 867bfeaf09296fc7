//! Transport: HTTP/2 servers that refuse in its own ways (case 51).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portolan_registry::{Access, RegistryClient};
use portolan_shared::model::Digest;
use portolan_shared::process::{Shutdown, Tasks};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::client::access;
use crate::tls::{Authority, LOOPBACK, config, parameters, trust};
use crate::transport::resolve_many;

/// What is done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Answer,
    /// The stream ends with this reason.
    Reset(h2::Reason),
    /// The whole connection ends with this reason.
    GoAway(h2::Reason),
    /// The whole connection ends without a word.
    Drop,
}

/// An HTTP/2 server that decides by the number of the request, counted over all connections.
struct Http2 {
    address: SocketAddr,
    root: Authority,
    served: Arc<AtomicUsize>,
    shutdown: Shutdown,
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.shutdown.start_cut();
    }
}

impl Http2 {
    async fn start(streams: u32, script: fn(usize) -> Move) -> Self {
        let root = Authority::new("Private Root", None);
        let (leaf, key, _) = root.issue(&parameters("registry", LOOPBACK));
        let acceptor = TlsAcceptor::from(config(vec![leaf], key, None, &["h2"]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, served) = (Shutdown::new(), Arc::new(AtomicUsize::new(0)));
        let tasks = Tasks::new(shutdown.clone());
        let (owner, stop, counter) = (tasks.clone(), shutdown.clone(), Arc::clone(&served));
        tasks.spawn("server", async move {
            loop {
                let stream = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap().0,
                    () = stop.cutting() => return,
                };
                let (acceptor, counter, stop) = (acceptor.clone(), Arc::clone(&counter), stop.clone());
                owner.spawn("connection", async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let mut builder = h2::server::Builder::new();
                    builder.max_concurrent_streams(streams);
                    let Ok(connection) = builder.handshake(stream).await else {
                        return;
                    };
                    tokio::select! {
                        () = converse(connection, script, &counter) => {}
                        () = stop.cutting() => {}
                    }
                });
            }
        });
        Self {
            address,
            root,
            served,
            shutdown,
        }
    }

    fn client(&self) -> RegistryClient {
        RegistryClient::new(Access {
            trust: trust(Some(&self.root.pem), None),
            ..access(&format!("https://{}", self.address))
        })
        .unwrap()
    }
}

type Connection =
    h2::server::Connection<tokio_rustls::server::TlsStream<tokio::net::TcpStream>, bytes::Bytes>;

async fn converse(mut connection: Connection, script: fn(usize) -> Move, served: &AtomicUsize) {
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        match script(served.fetch_add(1, Ordering::SeqCst)) {
            Move::Answer => {
                let response = hyper::Response::builder()
                    .header("docker-content-digest", Digest::sha256_of(b"").to_string())
                    .body(())
                    .unwrap();
                let _ = respond.send_response(response, true);
            }
            Move::Reset(reason) => respond.send_reset(reason),
            Move::GoAway(reason) => connection.abrupt_shutdown(reason),
            Move::Drop => return,
        }
    }
}

#[tokio::test]
async fn c51_one_stream_at_a_time() {
    let server = Http2::start(1, |_| Move::Answer).await;
    let client = server.client();
    resolve_many(&client, 60).await;
    assert_eq!(
        (server.served.load(Ordering::SeqCst), client.counts().retries),
        (60, 0)
    );
}

#[tokio::test]
async fn c51_refused_and_reset_streams_are_asked_for_again() {
    for refusal in [
        |number: usize| match number % 5 {
            2 => Move::Reset(h2::Reason::REFUSED_STREAM),
            _ => Move::Answer,
        },
        |number: usize| match number % 5 {
            2 => Move::Reset(h2::Reason::INTERNAL_ERROR),
            _ => Move::Answer,
        },
    ] {
        let server = Http2::start(100, refusal).await;
        let client = server.client();
        resolve_many(&client, 60).await;
        assert!(server.served.load(Ordering::SeqCst) > 60);
    }
}

#[tokio::test]
async fn c51_enhance_your_calm_makes_the_client_calmer() {
    let server = Http2::start(100, |number| match number {
        40 => Move::Reset(h2::Reason::ENHANCE_YOUR_CALM),
        _ => Move::Answer,
    })
    .await;
    let client = server.client();
    resolve_many(&client, 41).await;
    let calm = Http2::start(100, |number| match number {
        40 => Move::Reset(h2::Reason::INTERNAL_ERROR),
        _ => Move::Answer,
    })
    .await;
    let other = calm.client();
    resolve_many(&other, 41).await;
    assert!(
        client.counts().concurrency < other.counts().concurrency,
        "{:?} against {:?}",
        client.counts(),
        other.counts()
    );
}

#[tokio::test]
async fn c51_connections_that_are_dropped_in_mid_walk() {
    let server = Http2::start(100, |number| match number {
        20 => Move::Drop,
        30 => Move::GoAway(h2::Reason::ENHANCE_YOUR_CALM),
        40 => Move::GoAway(h2::Reason::NO_ERROR),
        _ => Move::Answer,
    })
    .await;
    resolve_many(&server.client(), 60).await;
    assert!(server.served.load(Ordering::SeqCst) >= 63);
}
