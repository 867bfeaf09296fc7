//! What the log never says.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span;

use super::scene::{Request, SECRET, scene};

/// Everything that is logged, at every level and by whomever, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Text<'t>(&'t mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut Text(&mut self.0.lock().unwrap()));
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Text(&mut self.0.lock().unwrap()));
    }
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Text(&mut self.0.lock().unwrap()));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn no_path_with_a_secret_and_no_header_with_one_is_logged() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let scene = scene().await;
    let mut get = Request::to(&format!("/notify/distribution/{SECRET}"));
    get.method = "GET";
    let in_path = |name: &str| Request::to(&format!("/notify/{name}/{SECRET}"));
    for (status, request) in [
        (200, in_path("distribution")),
        (200, in_path("distribution").with_body("rubbish")),
        (401, in_path("elsewhere")),
        (401, in_path("nowhere")),
        (401, Request::to(&format!("/{SECRET}"))),
        (401, get),
        (401, Request::to("/notify/quay/hunter2-in-a-path")),
        (
            401,
            Request::to("/notify/harbor").with("Authorization", "hunter2-in-a-header"),
        ),
        (401, in_path("gitea").with("X-Gitea-Signature", "hunter2")),
        (413, in_path("zot").with_body(" ".repeat(1024 * 1024 + 1))),
    ] {
        assert_eq!(scene.send(&request).await, status, "{}", request.path);
    }
    let logged = log.0.lock().unwrap().clone();
    assert!(logged.contains("a notification was refused"), "{logged}");
    for secret in [SECRET, "hunter2", "/notify/"] {
        assert!(!logged.contains(secret), "{secret} in {logged}");
    }
    scene.end().await;
}
