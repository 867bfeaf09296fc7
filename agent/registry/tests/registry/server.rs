//! A scripted HTTP server: a function from what it heard to what it answers, and a record of everything it heard.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use portolan_shared::process::{Shutdown, Tasks};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) version: hyper::Version,
    /// Requests in flight when it came, itself included.
    pub(crate) at_once: usize,
    /// Over which connection, counted from 1.
    pub(crate) connection: usize,
}

impl Heard {
    /// The first value of a query parameter, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.parameters(name).into_iter().next()
    }

    pub(crate) fn parameters(&self, name: &str) -> Vec<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What is answered.
#[derive(Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
    /// How long the answer takes.
    pub(crate) after: Duration,
}

#[derive(Clone)]
pub(crate) enum Body {
    Whole(Vec<u8>),
    /// A declared length, and then fewer bytes and the end of the connection.
    CutOff(Vec<u8>),
    /// The same piece again and again, with a pause after each.
    Endless(Vec<u8>, Duration),
}

impl Default for Body {
    fn default() -> Self {
        Self::Whole(Vec::new())
    }
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(crate) fn json(body: impl Into<String>) -> Self {
        Self::status(200)
            .with("content-type", "application/json")
            .body(body.into().into_bytes())
    }

    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::json(format!(r#"{{"errors":[{{"code":"{code}","message":"m"}}]}}"#)).but(status)
    }

    /// Sets a header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.and(name, value)
    }

    /// Adds a header beside those of the same name.
    pub(crate) fn and(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Whole(body.into());
        self
    }

    pub(crate) fn taking(mut self, time: Duration) -> Self {
        self.after = time;
        self
    }

    pub(crate) fn but(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

type Script = dyn Fn(&Heard) -> Answer + Send + Sync;

/// Ends when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    https: bool,
    heard: Arc<Mutex<Vec<Heard>>>,
    shutdown: Shutdown,
}

impl Server {
    /// Over plain HTTP.
    pub(crate) async fn start(script: impl Fn(&Heard) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_with(None, script).await
    }

    /// Over TLS; asks every connection to go away after so many requests, as front ends do.
    pub(crate) async fn start_impatient(
        tls: Arc<rustls::ServerConfig>,
        after: usize,
        script: impl Fn(&Heard) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::build(Some(tls), after, script).await
    }

    /// Over TLS, with HTTP/2 and HTTP/1.1, when `tls` is given.
    pub(crate) async fn start_with(
        tls: Option<Arc<rustls::ServerConfig>>,
        script: impl Fn(&Heard) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::build(tls, usize::MAX, script).await
    }

    async fn build(
        tls: Option<Arc<rustls::ServerConfig>>,
        requests_per_connection: usize,
        script: impl Fn(&Heard) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, heard) = (Shutdown::new(), Arc::default());
        let tasks = Tasks::new(shutdown.clone());
        let https = tls.is_some();
        let server = Serving {
            acceptor: tls.map(TlsAcceptor::from),
            script: Arc::new(script),
            heard: Arc::clone(&heard),
            requests_per_connection,
            in_flight: Arc::default(),
            connections: Arc::default(),
        };
        let (stop, owner) = (shutdown.clone(), tasks.clone());
        tasks.spawn("server", async move {
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { break };
                        let (server, stop) = (server.clone(), stop.clone());
                        owner.spawn("connection", async move {
                            tokio::select! {
                                () = server.serve(stream) => {}
                                () = stop.cutting() => {}
                            }
                        });
                    }
                    () = stop.cutting() => break,
                }
            }
        });
        Self {
            address,
            https,
            heard,
            shutdown,
        }
    }

    /// `http://127.0.0.1:PORT`, or `https://`.
    pub(crate) fn url(&self) -> String {
        self.url_as("127.0.0.1")
    }

    /// The same under another name.
    pub(crate) fn url_as(&self, host: &str) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("{scheme}://{host}:{}", self.address.port())
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// How many requests came to paths that begin so.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.heard()
            .iter()
            .filter(|heard| heard.path.starts_with(path))
            .count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.start_cut();
    }
}

#[derive(Clone)]
struct Serving {
    acceptor: Option<TlsAcceptor>,
    script: Arc<Script>,
    heard: Arc<Mutex<Vec<Heard>>>,
    requests_per_connection: usize,
    in_flight: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Serving {
    async fn serve(self, stream: TcpStream) {
        let acceptor = self.acceptor.clone();
        let connection_number = self.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let (most, served) = (self.requests_per_connection, Arc::new(AtomicUsize::new(0)));
        let enough = Arc::new(Notify::new());
        let told = Arc::clone(&enough);
        let service = service_fn(move |request| {
            let server = self.clone();
            if served.fetch_add(1, Ordering::SeqCst) + 1 == most {
                told.notify_one();
            }
            async move { server.answer(request, connection_number).await }
        });
        match acceptor {
            Some(acceptor) => {
                if let Ok(stream) = acceptor.accept(stream).await {
                    connection(TokioIo::new(stream), service, &enough).await;
                }
            }
            None => connection(TokioIo::new(stream), service, &enough).await,
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        connection: usize,
    ) -> Result<Response<UnsyncBoxBody<Bytes, std::io::Error>>, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let heard = Heard {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
            version: parts.version,
            at_once: self.in_flight.fetch_add(1, Ordering::SeqCst) + 1,
            connection,
        };
        self.heard.lock().unwrap().push(heard.clone());
        let answer = (self.script)(&heard);
        if !answer.after.is_zero() {
            tokio::time::sleep(answer.after).await;
        }
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        let mut response = Response::builder().status(answer.status);
        for (name, value) in answer.headers {
            response = response.header(name, value);
        }
        let is_head = heard.method == "HEAD";
        let body = match answer.body {
            Body::Whole(_) if is_head => Full::default().map_err(|never| match never {}).boxed_unsync(),
            Body::Whole(bytes) => Full::new(Bytes::from(bytes))
                .map_err(|never| match never {})
                .boxed_unsync(),
            Body::CutOff(bytes) => {
                response = response.header("content-length", bytes.len() + 10);
                let pieces = [
                    Ok(Frame::data(Bytes::from(bytes))),
                    Err(std::io::Error::other("cut off on purpose")),
                ];
                StreamBody::new(futures::stream::iter(pieces)).boxed_unsync()
            }
            Body::Endless(piece, pause) => {
                let piece = Bytes::from(piece);
                let pieces = futures::stream::unfold((), move |()| {
                    let piece = piece.clone();
                    async move {
                        tokio::time::sleep(pause).await;
                        Some((Ok(Frame::data(piece)), ()))
                    }
                });
                StreamBody::new(pieces).boxed_unsync()
            }
        };
        Ok(response.body(body).unwrap())
    }
}

async fn connection<I, S>(io: I, service: S, enough: &Notify)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    S: hyper::service::Service<
            Request<Incoming>,
            Response = Response<UnsyncBoxBody<Bytes, std::io::Error>>,
            Error = Infallible,
            Future: Send + 'static,
        > + Send
        + 'static,
{
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut connection = std::pin::pin!(builder.serve_connection(io, service));
    tokio::select! {
        // Clients that hang up are part of the tests.
        _ = connection.as_mut() => return,
        () = enough.notified() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// A page of `tags/list`.
pub(crate) fn tags_page(tags: &[String]) -> String {
    let page: BTreeMap<&str, serde_json::Value> =
        BTreeMap::from([("name", "a/b".into()), ("tags", tags.into())]);
    serde_json::to_string(&page).unwrap()
}
