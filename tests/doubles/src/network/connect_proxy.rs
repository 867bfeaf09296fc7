//! A forward proxy that knows CONNECT and nothing else.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use data_encoding::BASE64;
use portolan_shared::process::Tasks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Longest request head that is read, in bytes: a longer one is answered with 431.
const HEAD_BYTES: usize = 8 * 1024;

/// One CONNECT that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// The `host:port` in the request line.
    pub target: String,
    /// The status that it was answered with.
    pub status: u16,
}

/// An HTTP proxy for tunnels, optionally with Basic authentication. Records who asked for what. Connects to routed names and to
/// loopback addresses; answers 502 for anything else.
#[derive(Debug)]
pub struct ConnectProxy {
    address: SocketAddr,
    state: Arc<State>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct State {
    authorization: Option<String>,
    routes: Mutex<BTreeMap<String, SocketAddr>>,
    tunnels: Mutex<Vec<Tunnel>>,
}

impl ConnectProxy {
    /// Starts it. With `login`, only requests with that user and password are served, others get 407.
    pub async fn start(login: Option<(&str, &str)>, tasks: &Tasks) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("bind a loopback port")?;
        let address = listener.local_addr().context("read the bound address")?;
        let state = Arc::new(State {
            authorization: login.map(|(user, password)| {
                format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes()))
            }),
            routes: Mutex::default(),
            tunnels: Mutex::default(),
        });
        let stop = CancellationToken::new();
        tasks.spawn(
            "connect proxy",
            accept(listener, Arc::clone(&state), tasks.clone(), stop.clone()),
        );
        Ok(Self {
            address,
            state,
            _stop: stop.drop_guard(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends tunnels to `target` (`host:port` as asked for) to `address`; no name is ever resolved.
    pub fn route(&self, target: &str, address: SocketAddr) {
        lock(&self.state.routes).insert(target.to_owned(), address);
    }

    /// The tunnels asked for so far, in order.
    #[must_use]
    pub fn tunnels(&self) -> Vec<Tunnel> {
        lock(&self.state.tunnels).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, state: Arc<State>, tasks: Tasks, stop: CancellationToken) {
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            () = tasks.shutdown().draining() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => { tokio::task::yield_now().await; continue }
            },
        };
        let (state, stop, shutdown) = (Arc::clone(&state), stop.clone(), tasks.shutdown().clone());
        tasks.spawn("connect proxy's tunnel", async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = shutdown.draining() => {}
                // How a tunnel ends is for its two ends to notice.
                _ = tunnel(stream, &state) => {}
            }
        });
    }
}

async fn tunnel(mut client: TcpStream, state: &State) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD_BYTES {
            return client
                .write_all(b"HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n")
                .await;
        }
        // Byte by byte: nothing that the client sends behind the head may be swallowed.
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let authorization = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"))
        .map(|(_, value)| value.trim());
    let allowed = state.authorization.is_none() || authorization == state.authorization.as_deref();
    let route = lock(&state.routes).get(target).copied();
    let upstream = match (method == "CONNECT", allowed) {
        (false, _) => Err(405),
        (true, false) => Err(407),
        (true, true) => match route {
            Some(address) => TcpStream::connect(address).await.map_err(|_| 502),
            None => match target.parse::<SocketAddr>() {
                Ok(address) if address.ip().is_loopback() => {
                    TcpStream::connect(address).await.map_err(|_| 502)
                }
                // A test's proxy is no way out of the machine.
                Ok(_) | Err(_) => Err(502),
            },
        },
    };
    let status = *upstream.as_ref().err().unwrap_or(&200);
    lock(&state.tunnels).push(Tunnel {
        target: target.to_owned(),
        status,
    });
    match upstream {
        Ok(mut upstream) => {
            client
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .await?;
            tokio::io::copy_bidirectional(&mut client, &mut upstream)
                .await
                .map(|_| ())
        }
        Err(407) => {
            let answer =
                "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"\r\n";
            client
                .write_all(format!("{answer}Content-Length: 0\r\n\r\n").as_bytes())
                .await
        }
        Err(status) => {
            let answer = format!("HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n\r\n");
            client.write_all(answer.as_bytes()).await
        }
    }
}
