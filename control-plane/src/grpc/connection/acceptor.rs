//! Accepts connections and lets through those whose handshake is done in time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portolan_shared::tls::PeerIdentity;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;

use super::guard::guard;
use super::io::SensorIo;
use super::registry::{Connection, quarter};
use crate::fair::{Shares, Source};
use crate::grpc::door::Door;

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
    pub(in crate::grpc) door: Arc<Door>,
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
        let most = self.door.limits.handshakes.saturating_mul(WAITING);
        let waiting = Arc::new(Semaphore::new(most));
        let handshakes = Arc::new(Semaphore::new(self.door.limits.handshakes));
        let sources = Shares::new(quarter(self.door.limits.handshakes), quarter(most));
        let shutdown = self.door.tasks.shutdown().clone();
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
                    self.door.tasks.spawn("handshake", async move {
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
        let tls = match tokio::time::timeout(self.door.limits.handshake, self.tls.accept(stream)).await {
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
            Some(leaf) => {
                let deployment = self.door.authority.deployment();
                Some(PeerIdentity::from_certificate(deployment, leaf).ok()?)
            }
        };
        let entered = self
            .door
            .connections
            .enter(remote, identity, self.door.limits.strangers);
        let entered = match (entered, identity) {
            (None, Some(identity)) => self.squeeze_in(remote, identity).await,
            (entered, _) => entered,
        };
        let Some(connection) = entered else {
            tracing::info!(%remote, sensor = ?identity.map(|peer| peer.sensor), "too many connections");
            self.refused("too_many");
            return None;
        };
        let now = self.door.app.clock.uptime();
        let honoured = identity.map(|identity| self.door.certificate_ends(&identity).since(now));
        let (guarded, unused) = (Arc::clone(&connection), self.door.limits.stranger_life);
        self.door.tasks.spawn("guard of a connection", async move {
            guard(&guarded, unused, honoured).await;
        });
        let connections = Arc::clone(&self.door.connections);
        let gauge = self.door.meters.connections.clone();
        Some(SensorIo::new(tls, connection, connections, gauge))
    }

    /// All places of the sensor are taken. Whoever has a certificate that sessions can be opened with takes that of a connection which is used
    /// for nothing: TLS lets in who has an older one as well, and no number of those is to keep the sensor out.
    async fn squeeze_in(&self, remote: SocketAddr, identity: PeerIdentity) -> Option<Arc<Connection>> {
        let mut sources = self.door.connections.sources(identity.sensor);
        sources.push(remote);
        self.door.note_crowd(&identity, &sources).await;
        // Where the database does not say, everybody's certificate is as good as the other's.
        let good = self.door.good_serials(&identity).await.ok().flatten();
        let is_good = |serial: &_| good.as_ref().is_none_or(|good| good.contains(serial));
        if !is_good(&identity.serial) {
            return None;
        }
        self.door.connections.enter_instead(remote, identity, is_good)
    }

    fn refused(&self, reason: &str) {
        self.door
            .meters
            .handshakes_refused
            .with_label_values(&[reason])
            .inc();
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
