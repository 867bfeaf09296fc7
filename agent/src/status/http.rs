//! Health and metrics over HTTP/1.1, on a loopback port.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use portolan_shared::process::Shutdown;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::metrics::metrics_text;
use super::report::StatusSource;

/// A connection lasts this long at most; they are served one after the other.
const WITHIN: Duration = Duration::from_secs(5);

/// Serves `/livez`, `/readyz` and `/metrics` until the shutdown's cut.
pub async fn serve_health(listener: TcpListener, source: Arc<dyn StatusSource>, shutdown: Shutdown) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cutting() => return,
        };
        let Ok((stream, _)) = accepted else {
            continue;
        };
        let service = service_fn(|request: Request<Incoming>| {
            let response = answer(request.method(), request.uri().path(), &*source);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(false)
            .max_buf_size(16 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        if let Ok(Err(error)) = timeout(WITHIN, connection).await {
            tracing::debug!(%error, "a health request failed");
        }
    }
}

fn answer(method: &Method, path: &str, source: &dyn StatusSource) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
    }
    match path {
        "/livez" => check(source.report().alive, "alive", "the main loop hangs"),
        "/readyz" => check(source.report().ready, "connected", "not connected"),
        "/metrics" => match metrics_text(&source.report()) {
            Ok(text) => plain(StatusCode::OK, text),
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        _ => plain(StatusCode::NOT_FOUND, "/livez, /readyz or /metrics\n".to_owned()),
    }
}

fn check(good: bool, yes: &str, no: &str) -> Response<Full<Bytes>> {
    if good {
        plain(StatusCode::OK, format!("{yes}\n"))
    } else {
        plain(StatusCode::SERVICE_UNAVAILABLE, format!("{no}\n"))
    }
}

fn plain(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let plain = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
mod tests {
    use super::super::report::{StatusReport, tests::sample};
    use super::*;
    use portolan_shared::process::Tasks;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    struct Disconnected;
    impl StatusSource for Disconnected {
        fn report(&self) -> StatusReport {
            StatusReport {
                ready: false,
                ..sample()
            }
        }
    }

    #[tokio::test]
    async fn health_and_metrics_are_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tasks = Tasks::new(Shutdown::new());
        let shutdown = tasks.shutdown().clone();
        tasks.spawn(
            "health",
            serve_health(listener, Arc::new(Disconnected), shutdown.clone()),
        );
        for (request, status, part) in [
            ("GET /livez", "200 OK", "alive"),
            ("GET /readyz", "503 Service Unavailable", "not connected"),
            ("GET /metrics", "200 OK", "portolan_agent_connected 0"),
            ("GET /", "404 Not Found", "/readyz"),
            ("POST /livez", "405 Method Not Allowed", "only GET"),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request_text = format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n");
            stream.write_all(request_text.as_bytes()).await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            assert!(
                text.starts_with(&format!("HTTP/1.1 {status}")),
                "{request}: {text}"
            );
            assert!(text.contains(part), "{request}: {text}");
        }
        shutdown.start_cut();
        tasks.ended().await;
    }
}
