//! Accepts connections and lets through those whose handshake is done in time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portolan_shared::process::Tasks;
use portolan_shared::tls::PeerIdentity;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;

use super::io::SensorIo;
use super::registry::{Connections, quarter};
use crate::app::Meters;
use crate::fair::{Shares, Source};
use crate::settings::DoorLimits;

/// Time without an answer from the peer's machine after which a connection is dead.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// Idle time before the peer's machine is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Connections that are accepted and not yet through their handshake, for each handshake that may be under way.
const WAITING: usize = 4;
/// Pause after the operating system refused to accept: mostly it is out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// The accepting end of the sensors' listener.
pub(in crate::grpc) struct Acceptor {
    pub(in crate::grpc) tls: TlsAcceptor,
    pub(in crate::grpc) deployment: String,
    pub(in crate::grpc) limits: DoorLimits,
    pub(in crate::grpc) connections: Arc<Connections>,
    pub(in crate::grpc) meters: Arc<Meters>,
    pub(in crate::grpc) tasks: Tasks,
}

impl Acceptor {
    /// Accepts until draining begins. No error ends this. At most so many handshakes are under way at once, and so many connections wait
    /// for theirs; whoever comes then waits in the operating system's queue. One source has at most a quarter of both: what else comes
    /// from there is dropped, so that the others' turn comes.
    pub(in crate::grpc) async fn run(
        self: Arc<Self>,
        listener: TcpListener,
        accepted: mpsc::Sender<Result<SensorIo, io::Error>>,
    ) {
        let most = self.limits.handshakes.saturating_mul(WAITING);
        let waiting = Arc::new(Semaphore::new(most));
        let handshakes = Arc::new(Semaphore::new(self.limits.handshakes));
        let sources = Shares::new(quarter(self.limits.handshakes), quarter(most));
        let shutdown = self.tasks.shutdown().clone();
        loop {
            let Ok(permit) = Arc::clone(&waiting).acquire_owned().await else {
                return;
            };
            let stream = tokio::select! {
                () = shutdown.draining() => return,
                stream = listener.accept() => stream,
            };
            match stream {
                Ok((stream, remote)) => {
                    let Some(mut place) = sources.enter(Source::of(remote.ip())) else {
                        tracing::debug!(%remote, "too many handshakes from one source");
                        self.refused("source");
                        continue;
                    };
                    let handshakes = Arc::clone(&handshakes);
                    let (acceptor, accepted) = (Arc::clone(&self), accepted.clone());
                    let cut = shutdown.clone();
                    self.tasks.spawn("handshake", async move {
                        let _permit = permit;
                        let io = tokio::select! {
                            () = cut.cutting() => return,
                            io = async {
                                place.turn().await;
                                let _turn = handshakes.acquire().await.ok()?;
                                acceptor.handshake(stream, remote).await
                            } => io,
                        };
                        if let Some(io) = io {
                            // The receiver is gone only when the process stops.
                            let _ = accepted.send(Ok(io)).await;
                        }
                    });
                }
                Err(error) => {
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "a connection was not accepted"
                    );
                    self.refused("accept");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn handshake(&self, stream: TcpStream, remote: SocketAddr) -> Option<SensorIo> {
        if let Err(error) = prepare(&stream) {
            tracing::debug!(%remote, error = &error as &dyn std::error::Error, "socket options were refused");
        }
        let tls = match tokio::time::timeout(self.limits.handshake, self.tls.accept(stream)).await {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => {
                tracing::info!(%remote, error = &error as &dyn std::error::Error, "TLS handshake refused");
                self.refused("tls");
                return None;
            }
            Err(_) => {
                tracing::info!(%remote, "TLS handshake took too long");
                self.refused("timeout");
                return None;
            }
        };
        let (_, state) = tls.get_ref();
        if state.alpn_protocol() != Some(b"h2") {
            self.refused("alpn");
            return None;
        }
        // The verifier has read the same identity from the same certificate before.
        let identity = match state.peer_certificates().and_then(<[_]>::first) {
            None => None,
            Some(leaf) => Some(PeerIdentity::from_certificate(&self.deployment, leaf).ok()?),
        };
        let Some(connection) = self.connections.enter(remote, identity, self.limits.strangers) else {
            tracing::info!(%remote, sensor = ?identity.map(|peer| peer.sensor), "too many connections");
            self.refused("too_many");
            return None;
        };
        if identity.is_none() {
            let (cut, life) = (connection.cut.clone(), self.limits.stranger_life);
            self.tasks.spawn("stranger", async move {
                if tokio::time::timeout(life, cut.cancelled()).await.is_err() {
                    cut.cancel();
                }
            });
        }
        let connections = Arc::clone(&self.connections);
        let gauge = self.meters.connections.clone();
        Some(SensorIo::new(tls, connection, connections, gauge))
    }

    fn refused(&self, reason: &str) {
        self.meters.handshakes_refused.with_label_values(&[reason]).inc();
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE / 4);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}
