//! The way to the registry.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portolan_doubles::tls::Alpn;
use portolan_doubles::{ConnectProxy, Content, RegistryDouble};
use portolan_registry::doctor::Question;
use portolan_registry::{Access, Purpose};
use portolan_shared::model::{Diagnosis, FindingCode, Stage, Verdict};
use tokio::io::AsyncWriteExt as _;

use crate::scene::{Names, PickyGate, Scene, access, ask, closed_port, examine, found, provoked, report};

provoked! {
    a_registry_that_no_entry_allows: PolicyRefused at Policy = refused(Purpose::Registry);
    a_token_service_that_no_entry_allows: PolicyRefused at Challenge = refused(Purpose::Realm);
    a_name_that_leads_to_the_metadata_service: AddressRefused at NameResolution = at([169, 254, 169, 254]);
    a_name_that_nobody_knows: NameResolution at NameResolution = unknown_name();
    a_name_that_only_its_own_network_knows: NameSingleLabel at NameResolution = alias("https://docker:2376");
    a_service_without_an_alias: NameSingleLabel at NameResolution = alias("registry");
    the_port_is_missing: PortClosed at Tcp = nobody_listens();
    a_firewall_drops_everything: ConnectTimedOut at Tcp = nobody_answers();
    the_connection_is_cut: Unreachable at Tls = cut_off();
    a_proxy_that_wants_a_login: ProxyRefused at Tcp = by_proxy(Some(("user", "pass")), None);
    a_proxy_that_forbids_the_host: ProxyRefused at Tcp = by_proxy(None, Some("elsewhere.test:443"));
    a_proxy_that_is_away: ProxyUnreachable at Tcp = no_proxy();
}

async fn refused(purpose: Purpose) -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    let mut access = scene.access(&gitlab.registry_url());
    access.gate = Arc::new(PickyGate {
        refused: vec![purpose],
        loopback: true,
        ..PickyGate::default()
    });
    let diagnosis = examine(access).await;
    if purpose == Purpose::Registry {
        assert_eq!(gitlab.registry().connections(), 0, "nothing was contacted");
        let why = &report(&diagnosis, Stage::Tcp).seen[0];
        assert_eq!(why, "not reached: policy failed");
    }
    let rule = diagnosis.first_failure().unwrap();
    assert!(rule.findings[0].seen.contains("test:refused"), "{rule:?}");
    diagnosis
}

async fn at(address: [u8; 4]) -> Diagnosis {
    let mut access = access("https://registry.example.com", None);
    access.resolver = Names::one("registry.example.com", address);
    examine(access).await
}

async fn unknown_name() -> Diagnosis {
    let mut access = access("https://registrry.example.com", None);
    access.resolver = Names::one("registry.example.com", [10, 0, 0, 1]);
    examine(access).await
}

/// A name without a domain, which a resolver of our own does not know.
async fn alias(url: &str) -> Diagnosis {
    let mut access = access(url, None);
    access.resolver = Names::one("docker.example.com", [10, 0, 0, 1]);
    examine(access).await
}

async fn nobody_listens() -> Diagnosis {
    let diagnosis = examine(access(&format!("https://{}", closed_port()), None)).await;
    let seen = report(&diagnosis, Stage::Tcp).seen.join("\n");
    assert!(seen.contains("the connection was refused"), "{seen}");
    assert!(
        seen.contains("https://127.0.0.1:5050") && seen.contains("https://127.0.0.1:4567"),
        "{seen}"
    );
    assert_eq!(report(&diagnosis, Stage::Tls).verdict, Verdict::Skipped);
    diagnosis
}

/// A listener whose queue is full answers as a firewall that drops packets: not at all.
async fn nobody_answers() -> Diagnosis {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let loopback: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&loopback.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let one = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        one.set_nonblocking(true).unwrap();
        // Whether it has come into the queue or is still knocking does not matter.
        let _ = one.connect(&address.into());
        waiting.push(one);
    }
    let mut access = access(&format!("https://{address}"), None);
    access.limits.connect = Duration::from_millis(200);
    examine(access).await
}

/// A registry that is known to the proxy alone, under `route` if that is another name than the right one.
async fn by_proxy(login: Option<(&str, &str)>, route: Option<&str>) -> Diagnosis {
    let scene = Scene::new();
    let leaf = scene.ca.leaf(&["registry.test"]).unwrap();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .start(Some(leaf.server_config(Alpn::Both).unwrap()), &scene.tasks)
        .await
        .unwrap();
    let proxy = ConnectProxy::start(login, &scene.tasks).await.unwrap();
    proxy.route(route.unwrap_or("registry.test:443"), registry.address());
    let diagnosis = examine(through(
        scene.access("https://registry.test"),
        &proxy.address().to_string(),
    ))
    .await;
    let resolution = report(&diagnosis, Stage::NameResolution);
    assert_eq!(resolution.seen, ["the proxy resolves the name"]);
    diagnosis
}

fn through(mut access: Access, proxy: &str) -> Access {
    access.proxy.https = Some(format!("http://{proxy}").parse().unwrap());
    access
}

async fn no_proxy() -> Diagnosis {
    examine(through(
        Scene::new().access("https://registry.test"),
        &closed_port().to_string(),
    ))
    .await
}

#[tokio::test]
async fn a_connection_waits_and_is_counted_as_a_request_is() {
    let place = closed_port();
    let gate = Arc::new(PickyGate {
        only: Some(place.port()),
        loopback: true,
        ..PickyGate::default()
    });
    let mut access = access(&format!("https://{place}"), None);
    access.gate = Arc::<PickyGate>::clone(&gate);
    let diagnosis = examine(access).await;
    assert_eq!(diagnosis.first_failure().unwrap().stage, Stage::Tcp);
    let counts = [&gate.places, &gate.contacts].map(|count| count.load(Ordering::SeqCst));
    assert_eq!(counts, [1, 1]);
}

#[tokio::test]
async fn a_registry_behind_a_proxy_is_examined_to_its_end() {
    let diagnosis = by_proxy(None, None).await;
    assert!(diagnosis.is_sound(), "{diagnosis:#?}");
    for stage in [Stage::Route, Stage::Tcp, Stage::Tls, Stage::Config] {
        assert_eq!(
            report(&diagnosis, stage).verdict,
            Verdict::Passed,
            "{diagnosis:#?}"
        );
    }
}

async fn cut_off() -> Diagnosis {
    let scene = Scene::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let shutdown = scene.tasks.shutdown().clone();
    scene.tasks.spawn("hangs up", async move {
        loop {
            tokio::select! {
                () = shutdown.draining() => return,
                accepted = listener.accept() => accepted.unwrap().0.shutdown().await.unwrap(),
            }
        }
    });
    examine(scene.access(&url)).await
}

#[tokio::test]
async fn every_address_is_tried_and_those_that_are_refused_are_shown() {
    let scene = Scene::new();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let port = registry.address().port();
    let mut access = scene.access(&format!("http://registry.test:{port}"));
    access.gate = Arc::new(PickyGate {
        loopback: true,
        ..PickyGate::default()
    });
    let addresses = ["169.254.169.254", "127.0.0.2", "127.0.0.1"].map(|address| address.parse().unwrap());
    access.resolver = Arc::new(Names([("registry.test", addresses.to_vec())].into()));
    let diagnosis = examine(access).await;
    let resolution = report(&diagnosis, Stage::NameResolution);
    assert_eq!(resolution.verdict, Verdict::Passed);
    assert!(resolution.seen[0].contains("169.254.169.254: never connected to (rule address.link_local)"));
    let tcp = report(&diagnosis, Stage::Tcp);
    assert_eq!(
        tcp.seen[0],
        format!("127.0.0.2:{port} the connection was refused")
    );
    assert!(
        tcp.seen[1].starts_with(&format!("127.0.0.1:{port} connected in")),
        "{tcp:?}"
    );
    assert!(diagnosis.is_sound(), "{diagnosis:#?}");
}

#[tokio::test]
async fn the_time_for_everything_is_kept() {
    let scene = Scene::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let question = Question {
        time: Duration::from_millis(300),
        ..Question::default()
    };
    let diagnosis = ask(scene.access(&url), question).await;
    found(&diagnosis, Stage::Api, FindingCode::Unreachable);
    let skipped = report(&diagnosis, Stage::Flavour);
    assert_eq!(skipped.verdict, Verdict::Skipped);
    assert!(skipped.seen[0].contains("was over"), "{skipped:?}");
}
