//! A server that answers as it is told, for what no double would do.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use portolan_shared::process::Tasks;
use tokio::net::TcpListener;

/// What is answered: status, headers, body.
pub(crate) struct Answer(
    pub(crate) u16,
    pub(crate) Vec<(&'static str, String)>,
    pub(crate) String,
);

impl Answer {
    pub(crate) fn json(status: u16, body: impl Into<String>) -> Self {
        Self(
            status,
            vec![("content-type", "application/json".to_owned())],
            body.into(),
        )
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(
            status,
            format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#),
        )
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.1.push((name, value.into()));
        self
    }
}

type Script = dyn Fn(&str, &str) -> Answer + Send + Sync;

/// Serves plain HTTP until the tasks' drain; `script` is given method and path, and gives the answer.
pub(crate) async fn serve(
    tasks: &Tasks,
    script: impl Fn(&str, &str) -> Answer + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (owner, script): (Tasks, Arc<Script>) = (tasks.clone(), Arc::new(script));
    tasks.spawn("scripted server", async move {
        loop {
            let stream = tokio::select! {
                () = owner.shutdown().draining() => return,
                accepted = listener.accept() => accepted.unwrap().0,
            };
            let (script, shutdown) = (Arc::clone(&script), owner.shutdown().clone());
            owner.spawn("scripted connection", async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let answer = script(request.method().as_str(), request.uri().path());
                    async move { Ok::<_, Infallible>(response(answer)) }
                });
                let serving = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    () = shutdown.draining() => {}
                    _ = serving => {}
                }
            });
        }
    });
    address
}

fn response(Answer(status, headers, body): Answer) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from(body))).unwrap()
}

/// A registry of one repository, `acme/shop`, with one tag, `latest`, and a catalog; `odd` is asked first.
pub(crate) async fn registry(
    tasks: &Tasks,
    odd: impl Fn(&str, &str) -> Option<Answer> + Send + Sync + 'static,
) -> String {
    let address = serve(tasks, move |method, path| {
        if let Some(answer) = odd(method, path) {
            return answer;
        }
        match path {
            "/v2/" => Answer::json(200, "{}").with("docker-distribution-api-version", "registry/2.0"),
            "/v2/_catalog" => Answer::json(200, r#"{"repositories":["acme/shop"]}"#),
            "/v2/acme/shop/tags/list" => Answer::json(200, r#"{"name":"acme/shop","tags":["latest"]}"#),
            _ => Answer::error(404, "NAME_UNKNOWN", "repository name not known to registry"),
        }
    })
    .await;
    format!("http://{address}")
}
