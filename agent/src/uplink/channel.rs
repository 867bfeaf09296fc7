//! One HTTP/2 connection to the control plane, over TLS.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use portolan_shared::process::{Clock, Tasks};
use portolan_shared::tls::{ClientIdentity, ControlPlaneTrust, SpkiPin, TrustFailure, control_plane_client};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::body::Body;
use tower::Service;

use super::account::counted;
use super::dial::dial;
use super::endpoint::Endpoint;
use super::failure::Failure;
use crate::audit::{Line, Outgoing};
use crate::policy::ControlPlaneDoors;
use crate::settings::ProxySettings;

const TLS_WITHIN: Duration = Duration::from_secs(5);
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_WITHIN: Duration = Duration::from_secs(10);

/// How much may be on its way before it was read, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    stream: u32,
    connection: u32,
    send: usize,
}

impl Windows {
    pub(super) const SESSION: Self = Self {
        stream: 256 * 1024,
        connection: 1024 * 1024,
        send: 64 * 1024,
    };
    pub(super) const UPLOAD: Self = Self {
        stream: 64 * 1024,
        connection: 256 * 1024,
        send: 512 * 1024,
    };
}

/// Makes connections.
#[derive(Clone)]
pub struct Connector {
    proxies: ProxySettings,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    outgoing: Option<Arc<Outgoing>>,
    doors: Arc<ControlPlaneDoors>,
}

impl Connector {
    /// Connections run as tasks of the process.
    #[must_use]
    pub fn new(proxies: ProxySettings, clock: Arc<dyn Clock>, tasks: Tasks) -> Self {
        Self {
            proxies,
            clock,
            tasks,
            outgoing: None,
            doors: Arc::default(),
        }
    }

    /// The same, which tells these where the names of the control plane resolve to.
    #[must_use]
    pub fn telling(self, doors: Arc<ControlPlaneDoors>) -> Self {
        Self { doors, ..self }
    }

    /// The same, with every connection and what goes over it in this account.
    #[must_use]
    pub fn counted_in(self, outgoing: Arc<Outgoing>) -> Self {
        Self {
            outgoing: Some(outgoing),
            ..self
        }
    }

    /// Connects; gives an error before a single byte of a request is sent if the other side is not trusted.
    pub(super) async fn connect(
        &self,
        to: &Endpoint,
        trust: ControlPlaneTrust,
        identity: Option<ClientIdentity>,
        windows: Windows,
    ) -> Result<Channel, Failure> {
        let local = |error: &dyn std::fmt::Display| Failure::Local(error.to_string());
        let accepted = pins(&trust);
        let config =
            control_plane_client(trust, identity, Arc::clone(&self.clock)).map_err(|error| local(&error))?;
        let name = ServerName::try_from(to.host.clone()).map_err(|error| local(&error))?;
        let line = self.outgoing.as_ref().map_or_else(Line::default, |outgoing| {
            let proxy = self.proxies.for_host(&to.host, to.port);
            outgoing.connecting(&to.host, to.port, proxy)
        });
        let tcp = dial(to, &self.proxies, &self.doors).await?;
        let connector = TlsConnector::from(Arc::new(config));
        let tls = timeout(TLS_WITHIN, connector.connect(name, tcp))
            .await
            .map_err(|_| Failure::Timeout {
                what: "the TLS handshake",
                seconds: TLS_WITHIN.as_secs(),
            })?
            .map_err(|source| handshake_failure(to, source))?;
        let (_, connection) = tls.get_ref();
        let presented = connection.peer_certificates().unwrap_or_default();
        let anchor = anchor(presented, &accepted).ok_or_else(|| local(&"no trusted root"))?;
        let alert = Arc::new(OnceLock::new());
        let watched = Watched {
            stream: tls,
            alert: Arc::clone(&alert),
            line: line.clone(),
        };
        let (sender, driver) = http2::Builder::new(Executor(self.tasks.clone()))
            .timer(TokioTimer::new())
            .initial_stream_window_size(windows.stream)
            .initial_connection_window_size(windows.connection)
            .max_send_buf_size(windows.send)
            .max_header_list_size(16 * 1024)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_WITHIN)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(watched))
            .await
            .map_err(|error| Failure::Transport(error.to_string()))?;
        self.tasks.spawn("control plane connection", async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "the connection to the control plane ended");
            }
        });
        let origin = format!("https://{to}")
            .parse::<Uri>()
            .map_err(|error| local(&error))?;
        Ok(Channel {
            sender,
            origin,
            to: to.to_string(),
            alert,
            anchor,
            line,
        })
    }
}

fn handshake_failure(to: &Endpoint, source: io::Error) -> Failure {
    let to = to.to_string();
    if let Some(trust) = TrustFailure::in_error(&source) {
        return Failure::Untrusted {
            to,
            source: trust.clone(),
        };
    }
    match alert_in(&source) {
        Some(alert) => Failure::Alert {
            to,
            alert,
            established: false,
        },
        None => Failure::Tls { to, source },
    }
}

fn pins(trust: &ControlPlaneTrust) -> Vec<SpkiPin> {
    match trust {
        ControlPlaneTrust::Pins(pins) => pins.clone(),
        ControlPlaneTrust::Roots(roots) => roots
            .iter()
            .filter_map(|root| SpkiPin::of_certificate(root))
            .collect(),
    }
}

/// The root that the other side was recognised by: it presents it; if it does not, there is only one to be meant.
fn anchor(presented: &[CertificateDer<'_>], accepted: &[SpkiPin]) -> Option<SpkiPin> {
    presented
        .iter()
        .filter_map(|der| SpkiPin::of_certificate(der))
        .find(|pin| accepted.contains(pin))
        .or_else(|| accepted.first().copied())
}

/// One connection. Cheap to clone; ends when all clones are gone.
#[derive(Clone)]
pub(super) struct Channel {
    sender: http2::SendRequest<Body>,
    origin: Uri,
    to: String,
    alert: Arc<OnceLock<String>>,
    anchor: SpkiPin,
    line: Line,
}

impl Channel {
    /// What requests are addressed to.
    pub(super) fn origin(&self) -> Uri {
        self.origin.clone()
    }

    /// Host and port.
    pub(super) fn to(&self) -> &str {
        &self.to
    }

    /// Counts what goes over it.
    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    /// The root that the other side was recognised by.
    pub(super) fn anchor(&self) -> SpkiPin {
        self.anchor
    }

    /// What to make of a call that failed on this connection.
    pub(super) fn failure(&self, status: &tonic::Status) -> Failure {
        Failure::of_call(status, self.alert.get().map(String::as_str), &self.to)
    }

    /// Whether no further request can be sent.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.sender.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.sender.send_request(counted(&self.line, request)))
    }
}

/// Runs what hyper needs to run beside a connection as tasks that the process owns.
#[derive(Clone)]
struct Executor(Tasks);

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        self.0.spawn("control plane request", async move {
            future.await;
        });
    }
}

/// A TLS stream that counts, and remembers the alert it was ended with: HTTP/2 forgets it.
struct Watched {
    stream: TlsStream<TcpStream>,
    alert: Arc<OnceLock<String>>,
    line: Line,
}

fn alert_in(error: &io::Error) -> Option<String> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(format!("{alert:?}")),
        _ => None,
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, into);
        match into.filled().len() - before {
            0 => {}
            bytes => self.line.read(bytes),
        }
        if let Poll::Ready(Err(error)) = &polled
            && let Some(alert) = alert_in(error)
        {
            // The first alert stands.
            let _ = self.alert.set(alert);
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = &polled {
            self.line.wrote(*written);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
