//! Registries that mean harm: the examination ends, within its bounds, and says so.

use std::sync::Arc;
use std::time::Duration;

use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::registry::{Behaviour, Flavour, Paging};
use portolan_doubles::{Content, RegistryDouble};
use portolan_registry::doctor::Question;
use portolan_shared::model::{Stage, Verdict, limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::scene::{PickyGate, Scene, ask, examine, report, with_login};
use crate::scripted::{self, Answer};

async fn open(scene: &Scene, paging: Paging) -> RegistryDouble {
    RegistryDouble::builder(Content::gitlab_fixture())
        .behaviour(Behaviour {
            flavour: Flavour::Plain,
            paging,
            ..Behaviour::default()
        })
        .start(None, &scene.tasks)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_catalog_without_end_is_left_after_its_first_pages() {
    let scene = Scene::new();
    let registry = open(&scene, Paging::Endless).await;
    let diagnosis = examine(scene.access(&registry.url())).await;
    assert!(report(&diagnosis, Stage::Discovery).verdict != Verdict::Skipped);
    let pages = registry.log().count(|seen| seen.path().ends_with("/_catalog"));
    assert!(pages <= 3, "{pages} pages");
}

#[tokio::test]
async fn bodies_without_end_stop_at_their_bounds() {
    let scene = Scene::new();
    for fault in [Fault::Endless, Fault::EndlessGzip] {
        for path in ["/_catalog", "/tags/list", "/manifests/", "/blobs/"] {
            let registry = open(&scene, Paging::Relative).await;
            registry.faults().add(Rule::on(path), fault.clone());
            let mut access = scene.access(&registry.url());
            access.limits.list_bytes = 64 * 1024;
            access.limits.manifest_bytes = 64 * 1024;
            let diagnosis = examine(access).await;
            assert!(!diagnosis.is_sound(), "{path} {diagnosis:#?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let scene = Scene::new();
    let registry = open(&scene, Paging::Relative).await;
    registry
        .faults()
        .add(Rule::on("/tags/list"), Fault::Delay(Duration::from_secs(3_600)));
    let mut access = scene.access(&registry.url());
    access.limits.list_total = Duration::from_millis(50);
    let diagnosis = examine(access).await;
    let tags = report(&diagnosis, Stage::Tags);
    assert_eq!(tags.verdict, Verdict::Failed, "{tags:?}");
}

#[tokio::test]
async fn nothing_that_a_server_says_reaches_a_terminal_unchecked() {
    let scene = Scene::new();
    let escape = "\u{1b}[2J\u{1b}]0;owned\u{7}";
    let url = scripted::registry(&scene.tasks, move |_, path| match path {
        "/v2/" => Some(
            Answer::json(401, "{}")
                .with("docker-distribution-api-version", "registry/2.0")
                .with(
                    "www-authenticate",
                    format!("Bearer realm=\"/token\",service=\"s{}\"", "x".repeat(2_000)),
                ),
        ),
        "/token" => Some(Answer::json(200, format!(r#"{{"token":"{}"}}"#, "t".repeat(100)))),
        "/v2/_catalog" => Some(Answer::json(
            200,
            serde_json::json!({"repositories": [format!("a{escape}"), "acme/shop"]}).to_string(),
        )),
        "/v2/acme/shop/tags/list" => Some(Answer::error(403, "DENIED", escape)),
        _ => None,
    })
    .await;
    let diagnosis = examine(with_login(scene.access(&url), ("reader", "secret"))).await;
    for stage in &diagnosis.stages {
        assert!(stage.seen.len() <= limits::STAGE_LINES && stage.findings.len() <= limits::STAGE_FINDINGS);
        let findings = stage.findings.iter().map(|finding| &finding.seen);
        for line in stage.seen.iter().chain(findings) {
            assert!(line.len() <= limits::FINDING_BYTES, "{line}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
            assert!(!line.contains("secret"), "{line}");
        }
    }
}

/// A realm is shown as a place alone: what else it holds may be a secret.
#[tokio::test]
async fn secrets_in_a_realm_are_not_shown() {
    let scene = Scene::new();
    let url = scripted::registry(&scene.tasks, |_, path| {
        (path == "/v2/").then(|| {
            let realm = "https://robot:pa55word@tokens.example.com/issue?sig=signed&service=x#frag";
            Answer::error(401, "UNAUTHORIZED", "authentication required").with(
                "www-authenticate",
                format!("Bearer realm=\"{realm}\",service=\"registry\""),
            )
        })
    })
    .await;
    let diagnosis = examine(scene.access(&url)).await;
    let text = serde_json::to_string(&diagnosis).unwrap();
    for secret in ["robot", "pa55word", "signed", "frag"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(text.contains("tokens.example.com"), "the place is named: {text}");
}

#[tokio::test]
async fn garbage_on_the_wire_is_a_finding() {
    let scene = Scene::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = scene.tasks.shutdown().clone();
    scene.tasks.spawn("garbage", async move {
        loop {
            tokio::select! {
                () = shutdown.draining() => return,
                accepted = listener.accept() => {
                    let mut stream = accepted.unwrap().0;
                    let mut byte = [0];
                    let _ = stream.read(&mut byte).await;
                    let _ = stream.write_all(&[0xff; 64]).await;
                }
            }
        }
    });
    for scheme in ["http", "https"] {
        let diagnosis = examine(scene.access(&format!("{scheme}://{address}"))).await;
        assert!(!diagnosis.is_sound() && !diagnosis.first_failure().unwrap().findings.is_empty());
    }
}

#[tokio::test]
async fn a_handshake_that_is_never_answered_is_given_up() {
    let scene = Scene::new();
    // Connections wait in its queue for ever.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut access = scene.access(&format!("https://{}", listener.local_addr().unwrap()));
    access.limits.connect = Duration::from_millis(50);
    let diagnosis = examine(access).await;
    let tls = report(&diagnosis, Stage::Tls);
    assert_eq!(tls.findings[0].code.as_str(), "registry.tls_failed", "{tls:?}");
}

/// Whatever is asked of whatever server, the rules on addresses hold.
#[tokio::test]
async fn a_redirect_to_the_metadata_service_leads_nowhere() {
    let scene = Scene::new();
    let registry = open(&scene, Paging::Relative).await;
    let location = "http://169.254.169.254/latest/meta-data/".to_owned();
    registry.faults().add(
        Rule::on("/blobs/"),
        Fault::Redirect {
            status: 307,
            location,
        },
    );
    let mut access = scene.access(&registry.url());
    access.gate = Arc::new(PickyGate {
        loopback: true,
        ..PickyGate::default()
    });
    let diagnosis = ask(access, Question::default()).await;
    let config = report(&diagnosis, Stage::Config);
    assert_eq!(config.verdict, Verdict::Failed);
    assert_eq!(config.findings[0].code.as_str(), "policy.address", "{config:?}");
}
