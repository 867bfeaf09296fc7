//! Sockets and TLS, and who may hold how many of them.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use portolan_shared::process::{Clock, Rng, Shutdown, Tasks};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::callers::{Callers, Seat};
use super::counts::Refused;
use super::desk::NotifyDesk;
use super::door::Door;
use super::registry::Notifiers;
use super::secret_file::FileFault;
use super::tls::TlsFiles;
use super::watch::ListenerFiles;
use crate::settings::NotifySettings;

/// Connections at once, of all addresses together.
pub(super) const CONNECTIONS: usize = 64;
/// Connections at once of addresses that no registry may notify from: they do not take the places of those that may.
pub(super) const STRANGERS: usize = 8;
/// A TLS handshake has this long, as has a header from the end of the request before it.
const HEADER_WITHIN: Duration = Duration::from_secs(10);
/// A connection lasts this long, and no longer than it takes to end the request at hand.
const LIFE: Duration = Duration::from_secs(300);
/// A request at hand has this long when its connection is to end.
const END_WITHIN: Duration = Duration::from_secs(10);
/// What is read ahead of a connection, header included, in bytes.
const BUFFER: usize = 16 * 1024;
/// Lines of a header.
const HEADER_LINES: usize = 64;
/// A socket that cannot be taken (no file descriptors left) is tried again after this.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// What a listener is made of.
pub struct ListenerParts {
    /// Where, and for whom: those that the desk was made for.
    pub settings: NotifySettings,
    /// Who takes what comes in.
    pub desk: Arc<NotifyDesk>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// Owns connections.
    pub tasks: Tasks,
}

/// Notifications cannot be listened for.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// A secret, the certificate or its key.
    #[error("a file of [notify] in the settings cannot be used")]
    File(#[from] FileFault),
    /// The port.
    #[error("cannot listen on {address} for notifications; to do: {}", to_do(source))]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// TLS is not to be had at all.
    #[error("no TLS configuration for notifications")]
    Tls(#[source] rustls::Error),
}

fn to_do(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "end what holds the port (`ss -ltnp`), or set another notify.listen",
        io::ErrorKind::AddrNotAvailable => "set notify.listen to an address of this machine",
        io::ErrorKind::PermissionDenied => {
            "set notify.listen to a port above 1023, for which the agent needs no privilege"
        }
        _ => "set another notify.listen",
    }
}

/// Listens for notifications.
pub struct Listener {
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    files: Arc<ListenerFiles>,
    hall: Arc<Hall>,
    tasks: Tasks,
}

/// What all connections share.
struct Hall {
    door: Door,
    desk: Arc<NotifyDesk>,
    notifiers: Arc<Notifiers>,
    callers: Arc<Callers>,
    places: Arc<Semaphore>,
    places_of_strangers: Arc<Semaphore>,
}

/// A connection's share of the bounds.
struct Admission {
    source: IpAddr,
    _seat: Seat,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// Reads the files and binds the port. Nothing is accepted before [`Listener::run`].
    pub async fn bind(parts: ListenerParts) -> Result<Self, NotifyError> {
        let ListenerParts {
            settings,
            desk,
            clock,
            rng,
            tasks,
        } = parts;
        let notifiers = Notifiers::open(&settings.registries, &*rng)?;
        let tls_files = settings.tls.map(TlsFiles::open).transpose()?;
        let tls = match &tls_files {
            Some(files) => Some(TlsAcceptor::from(Arc::new(
                files.server_config().map_err(NotifyError::Tls)?,
            ))),
            None => None,
        };
        let address = settings.listen;
        let socket = TcpListener::bind(address)
            .await
            .map_err(|source| NotifyError::Listen { address, source })?;
        let hall = Hall {
            door: Door::new(Arc::clone(&desk), Arc::clone(&notifiers), clock),
            desk,
            notifiers: Arc::clone(&notifiers),
            callers: Arc::default(),
            places: Arc::new(Semaphore::new(CONNECTIONS)),
            places_of_strangers: Arc::new(Semaphore::new(STRANGERS)),
        };
        Ok(Self {
            socket,
            tls,
            files: Arc::new(ListenerFiles {
                notifiers,
                tls: tls_files,
            }),
            hall: Arc::new(hall),
            tasks,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// What it reads from files, to be watched.
    #[must_use]
    pub fn files(&self) -> Arc<ListenerFiles> {
        Arc::clone(&self.files)
    }

    /// Accepts connections until the drain begins.
    pub async fn run(self, shutdown: Shutdown) {
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = shutdown.draining() => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!(%error, "no connection could be taken");
                    sleep(ACCEPT_AGAIN).await;
                    continue;
                }
            };
            let Some(admission) = self.hall.admit(peer.ip().to_canonical()) else {
                continue;
            };
            let (tls, hall, shutdown) = (self.tls.clone(), Arc::clone(&self.hall), shutdown.clone());
            self.tasks.spawn("notification connection", async move {
                tokio::select! {
                    () = hall.converse(stream, tls, &admission, &shutdown) => {}
                    () = shutdown.cutting() => {}
                }
            });
        }
    }
}

impl Hall {
    /// Lets a connection in, if there is a place for it.
    fn admit(&self, source: IpAddr) -> Option<Admission> {
        let seat = self.callers.enter(source);
        let places = if self.notifiers.expect(source) {
            &self.places
        } else {
            &self.places_of_strangers
        };
        let place = Arc::clone(places).try_acquire_owned().ok();
        let (Some(seat), Some(place)) = (seat, place) else {
            self.desk
                .refuse(None, Refused::Rate, source, "too many connections");
            return None;
        };
        Some(Admission {
            source,
            _seat: seat,
            _place: place,
        })
    }

    async fn converse(
        &self,
        stream: TcpStream,
        tls: Option<TlsAcceptor>,
        admission: &Admission,
        shutdown: &Shutdown,
    ) {
        // An answer is one small packet: it is not to wait for a second one.
        let _ = stream.set_nodelay(true);
        let Some(acceptor) = tls else {
            return self.serve(stream, admission, shutdown).await;
        };
        match timeout(HEADER_WITHIN, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => self.serve(stream, admission, shutdown).await,
            // Worth being said: the first thing that goes wrong is that a registry does not trust the certificate.
            Ok(Err(error)) => {
                let why = format!("no TLS: {error}");
                self.desk.refuse(None, Refused::Tls, admission.source, &why);
            }
            Err(_) => tracing::debug!(source = %admission.source, "a sender of notifications did not speak"),
        }
    }

    async fn serve<S>(&self, stream: S, admission: &Admission, shutdown: &Shutdown)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let service = service_fn(|request| async move {
            let answer = self.door.answer(request, admission.source);
            Ok::<_, Infallible>(answer.await)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_WITHIN)
            .max_buf_size(BUFFER)
            .max_headers(HEADER_LINES)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => Ok(ended),
            () = sleep(LIFE) => Err(()),
            () = shutdown.draining() => Err(()),
        };
        let ended = match ended {
            Ok(ended) => ended,
            Err(()) => {
                connection.as_mut().graceful_shutdown();
                let Ok(ended) = timeout(END_WITHIN, connection).await else {
                    return;
                };
                ended
            }
        };
        if let Err(error) = ended {
            tracing::debug!(source = %admission.source, %error, "a connection for notifications broke");
        }
    }
}
