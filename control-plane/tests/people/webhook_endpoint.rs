//! Endpoints of webhooks, on loopback sockets, and what happens for them to be told of.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use portolan::app::{App, Courier, Meters};
use portolan::outgoing::{HttpCourier, HttpCourierParts, Names};
use portolan_shared::model::CaTrust;
use portolan_shared::process::Shutdown;
use portolan_shared::tls::{RegistryTrust, SystemRoots};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::shop::{Shop, commit};
use crate::world::World;

/// How an endpoint behaves.
pub(crate) enum Manner {
    /// It gives these answers, then says 204.
    Answers(Vec<&'static str>),
    /// It reads, and says nothing.
    Silent,
    /// It says 204, once somebody lets it.
    Late(Arc<Semaphore>),
    /// It says something, one byte now and then, and never comes to an end of its head.
    Drips,
    /// It says 200, and then never stops.
    Endless,
}

/// What an endpoint was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Heard {
    /// The subjects of its events.
    pub(crate) fn subjects(&self) -> Vec<String> {
        let events: Vec<Value> = serde_json::from_slice(&self.body).unwrap();
        let subject = |event: &Value| event["subject"].as_str().unwrap().to_owned();
        events.iter().map(subject).collect()
    }
}

#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    /// Connections that the other side has closed.
    pub(crate) closed: Arc<AtomicUsize>,
}

impl Endpoint {
    pub(crate) async fn open(manner: Manner) -> Self {
        Self::open_with(manner, None).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the test's server ends with its runtime"
    )]
    pub(crate) async fn open_with(manner: Manner, tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Self {
            address: listener.local_addr().unwrap(),
            heard: Arc::default(),
            closed: Arc::default(),
        };
        let answers = match &manner {
            Manner::Answers(answers) => answers.iter().copied().collect(),
            _ => VecDeque::new(),
        };
        let shared = Arc::new((manner, Mutex::new(answers), endpoint.clone()));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                tokio::spawn(async move {
                    // Whoever hangs up does what is tried here.
                    let _ = match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &shared).await,
                            Err(error) => Err(error),
                        },
                        None => serve(stream, &shared).await,
                    };
                    shared.2.closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        endpoint
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hunter2", self.address)
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) async fn has_heard(&self, messages: usize) -> Vec<Heard> {
        until(async || self.heard().len() >= messages).await;
        self.heard()
    }
}

type Shared = (Manner, Mutex<VecDeque<&'static str>>, Endpoint);

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared) -> io::Result<()> {
    let (manner, answers, endpoint) = shared;
    let heard = read(&mut stream).await?;
    endpoint.heard.lock().unwrap().push(heard);
    match manner {
        Manner::Answers(_) => {
            let next = answers.lock().unwrap().pop_front();
            let answer = next.unwrap_or("204 No Content\r\n");
            let answer = format!("HTTP/1.1 {answer}connection: close\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        }
        Manner::Silent => stream.read_u8().await.map(|_| ()),
        Manner::Late(answers) => {
            answers.acquire().await.unwrap().forget();
            let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).await?;
            stream.shutdown().await
        }
        Manner::Drips => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx-drip: ").await?;
            loop {
                stream.write_all(b"x").await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Manner::Endless => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await?;
            loop {
                stream.write_all(b"400\r\n").await?;
                stream.write_all(&[b'x'; 1024]).await?;
                stream.write_all(b"\r\n").await?;
            }
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Heard> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Heard { path, headers, body })
}

/// Waits for a condition.
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    while !condition().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Every name leads to loopback, whatever the machine says of it.
#[derive(Debug, Default)]
pub(crate) struct Loopback(pub(crate) AtomicUsize);

impl Names for Loopback {
    fn addresses<'a>(&'a self, _host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { Ok(vec![SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port)]) })
    }
}

/// A courier who goes to loopback, and trusts this authority.
pub(crate) fn courier(ca_pem: Option<String>, patience: Duration) -> HttpCourier {
    courier_by(Arc::new(Loopback::default()), ca_pem, patience)
}

pub(crate) fn courier_by(names: Arc<dyn Names>, ca_pem: Option<String>, patience: Duration) -> HttpCourier {
    let ca = CaTrust {
        bundle_pem: ca_pem,
        only_bundle: false,
    };
    HttpCourier::new(HttpCourierParts {
        exceptions: vec!["127.0.0.0/8".parse().unwrap()],
        trust: RegistryTrust::new(SystemRoots::none(), &ca, None).unwrap(),
        names,
        patience,
    })
}

/// A control plane with webhooks, and a registry in which things happen.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) shop: Shop,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(courier(None, HttpCourierParts::PATIENCE)).await
    }

    pub(crate) async fn with(courier: impl Courier + 'static) -> Self {
        let world = World::with_courier(Arc::new(courier)).await;
        let shop = Shop::open(&world).await;
        Self { world, shop }
    }

    /// Adds a webhook; gives its signing key.
    pub(crate) async fn add(&self, name: &str, url: &str) -> String {
        let body = json!({"name": name, "url": url});
        let added = self.world.post("/api/v1/webhooks", body).await;
        assert_eq!(added.status, 201, "{:?}", added.json());
        added.json()["signing_key"].as_str().unwrap().to_owned()
    }

    /// Something happens: this repository appears, with these tags.
    pub(crate) async fn happen(&self, repository: &str, tags: &[&str]) {
        let fence = self
            .world
            .leased_run("gl", self.shop.sensor, self.shop.epoch)
            .await;
        let tags: Vec<_> = tags.iter().map(|tag| (*tag, &self.shop.image)).collect();
        commit(&self.world, &fence, repository, &tags).await;
        let (store, now) = (&self.world.app.store, self.world.app.clock.now());
        store.return_lease(&fence, now).await.unwrap();
        let path = format!("/api/v1/runs/{}/cancel", fence.attempt.run);
        assert!(self.world.post(&path, json!({})).await.status.is_success());
        self.wake();
    }

    pub(crate) fn wake(&self) {
        self.world.app.signals.changes.send_modify(|count| *count += 1);
    }

    pub(crate) async fn webhook(&self, name: &str) -> Value {
        self.world.get(&format!("/api/v1/webhooks/{name}")).await.json()
    }

    pub(crate) async fn deliveries(&self, name: &str) -> Vec<Value> {
        let path = format!("/api/v1/webhooks/{name}/deliveries");
        let page = self.world.get(&path).await.json();
        page["items"].as_array().unwrap().clone()
    }

    pub(crate) async fn act(&self, name: &str, act: &str) -> Value {
        let path = format!("/api/v1/webhooks/{name}/{act}");
        let done = self.world.post(&path, json!({})).await;
        assert!(done.status.is_success(), "{:?}", done.json());
        done.json()
    }

    /// Lets time go by, and the loop look.
    pub(crate) fn later(&self, seconds: u64) {
        self.world.clock.advance(Duration::from_secs(seconds));
        self.wake();
    }

    pub(crate) fn deliver(&self) -> Deliverer {
        Deliverer::start(&self.world.app)
    }
}

/// The loop of one control plane.
pub(crate) struct Deliverer {
    pub(crate) meters: Arc<Meters>,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<()>,
}

impl Deliverer {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test stops it, or it ends with its runtime"
    )]
    pub(crate) fn start(app: &Arc<App>) -> Self {
        let shutdown = Shutdown::new();
        let meters = Arc::new(Meters::new().unwrap());
        let task = tokio::spawn(Arc::clone(app).deliver_webhooks(Arc::clone(&meters), shutdown.clone()));
        Self {
            meters,
            shutdown,
            task,
        }
    }

    /// Ends it, and cuts what is under way.
    pub(crate) async fn cut(self) {
        self.shutdown.start_cut();
        self.task.await.unwrap();
    }
}
