//! Transport: HTTP proxies (case 56).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use portolan_registry::{Access, Fault, RegistryClient};
use portolan_shared::model::FindingCode;
use portolan_shared::process::{ProxyExceptions, ProxyRules, Shutdown, Tasks};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{TestGate, access_by_name};
use crate::server::{Answer, Server};
use crate::tls::{Authority, config, parameters, trust};

/// A proxy that tunnels to loopback, whatever the name, for whoever has this login.
struct Proxy {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    shutdown: Shutdown,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shutdown.start_cut();
    }
}

/// `u:p@ss`.
const LOGIN: &str = "proxy-authorization: basic dtpwqhnz";

impl Proxy {
    async fn start(refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, heard) = (Shutdown::new(), Arc::<Mutex<Vec<String>>>::default());
        let tasks = Tasks::new(shutdown.clone());
        let (owner, stop, log) = (tasks.clone(), shutdown.clone(), Arc::clone(&heard));
        tasks.spawn("proxy", async move {
            loop {
                let stream = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap().0,
                    () = stop.cutting() => return,
                };
                let (log, stop) = (Arc::clone(&log), stop.clone());
                owner.spawn("tunnel", async move {
                    tokio::select! {
                        () = tunnel(stream, refusal, &log) => {}
                        () = stop.cutting() => {}
                    }
                });
            }
        });
        Self {
            address,
            heard,
            shutdown,
        }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn tunnel(mut stream: TcpStream, refusal: Option<&str>, log: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    log.lock().unwrap().push(head.clone());
    let answer = match refusal {
        Some(refusal) => refusal,
        None if head.contains(LOGIN) => "200 OK",
        None => "407 Proxy Authentication Required",
    };
    let _ = stream
        .write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes())
        .await;
    if !answer.starts_with("200") {
        return;
    }
    let port: u16 = head
        .split_whitespace()
        .nth(1)
        .and_then(|target| target.rsplit(':').next()?.parse().ok())
        .unwrap();
    let mut target = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut target).await;
}

fn through(proxy: &str, except: &str) -> ProxyRules {
    ProxyRules {
        https: Some(proxy.parse().unwrap()),
        http: Some(proxy.parse().unwrap()),
        except: ProxyExceptions::read(except),
    }
}

const NAME: &str = "registry.example.com";

/// A registry over TLS by that name, and access to it.
async fn registry() -> (Server, Access) {
    let root = Authority::new("Private Root", None);
    let (leaf, key, _) = root.issue(&parameters("registry", &[NAME]));
    let server = Server::start_with(Some(config(vec![leaf], key, None, &["h2"])), |_| {
        Answer::json("{}")
    })
    .await;
    let access = Access {
        trust: trust(Some(&root.pem), None),
        ..access_by_name(&server.url_as(NAME))
    };
    (server, access)
}

#[tokio::test]
async fn c56_a_tunnel_with_a_login() {
    let (server, mut access) = registry().await;
    let proxy = Proxy::start(None).await;
    access.proxy = through(&format!("http://u:p%40ss@{}", proxy.address), "");
    // Nobody but the proxy resolves the name.
    access.resolver = Arc::new(crate::client::TestResolver::default().name(NAME, &[&[]]));
    let client = RegistryClient::new(access).unwrap();
    client.ping().await.unwrap();
    assert_eq!(
        server.heard()[0].version,
        hyper::Version::HTTP_2,
        "as without a proxy"
    );
    assert_eq!(
        server.heard()[0].header("proxy-authorization"),
        None,
        "the registry does not see it"
    );
    let heard = proxy.heard();
    assert_eq!(heard.len(), 1);
    assert!(
        heard[0].starts_with(&format!("connect {NAME}:{} ", server.address.port())),
        "{heard:?}"
    );
}

#[tokio::test]
async fn c56_a_proxy_that_refuses_or_wants_another_login() {
    for (refusal, login, problem) in [
        (None, "", "wants a login"),
        (None, "u:hidden@", "wants a login"),
        (Some("403 Forbidden"), "u:hidden@", "does not let"),
        (Some("503 Unavailable"), "", "does not let"),
    ] {
        let (server, mut access) = registry().await;
        let proxy = Proxy::start(refusal).await;
        access.proxy = through(&format!("http://{login}{}", proxy.address), "");
        let error = RegistryClient::new(access).unwrap().ping().await.unwrap_err();
        let finding = error.finding();
        assert_eq!(finding.code, FindingCode::ProxyRefused, "{error:?}");
        assert!(finding.seen.contains(problem), "{finding}");
        assert!(finding.seen.contains(&proxy.address.to_string()), "{finding}");
        assert!(!format!("{error:?} {finding}").contains("hidden"));
        assert!(error.concerns_whole_registry());
        assert_eq!(server.heard().len(), 0);
    }
}

#[tokio::test]
async fn c56_a_proxy_that_is_not_there() {
    let (_server, mut access) = registry().await;
    let proxy = Proxy::start(None).await;
    let address = proxy.address;
    let gone = {
        // A port that was bound a moment ago and is no more.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    assert_ne!(gone, address);
    access.limits.retry.retries = 0;
    access.proxy = through(&format!("http://{gone}"), "");
    let error = RegistryClient::new(access).unwrap().ping().await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::ProxyUnreachable, "{error:?}");
}

#[tokio::test]
async fn c56_what_lies_behind_the_proxy_is_not_the_proxy() {
    let (server, mut access) = registry().await;
    let proxy = Proxy::start(None).await;
    let rules = || through(&format!("http://u:p%40ss@{}", proxy.address), "");
    access.proxy = rules();
    access.trust = trust(Some(&Authority::new("Other Root", None).pem), None);
    let error = RegistryClient::new(access).unwrap().ping().await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::TlsPrivateCa, "{error:?}");
    assert_eq!(server.heard().len(), 0);
    let plain = Server::start(|_| Answer::json("{}")).await;
    let mut access = access_by_name(&plain.url_as(NAME).replace("http://", "https://"));
    access.trust = trust(Some(&Authority::new("Other Root", None).pem), None);
    access.proxy = rules();
    let error = RegistryClient::new(access).unwrap().ping().await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::TlsPlainHttp, "{error:?}");
}

#[tokio::test]
async fn c56_every_form_of_no_proxy() {
    for (except, direct) in [
        ("", false),
        ("*", true),
        (NAME, true),
        ("example.com", true),
        (".example.com", true),
        ("*.example.com", true),
        ("other.example.com,.invalid", false),
        ("registry.example.com:1", false),
        ("10.0.0.0/8", false),
    ] {
        let (server, mut access) = registry().await;
        let proxy = Proxy::start(None).await;
        access.proxy = through(&format!("http://u:p%40ss@{}", proxy.address), except);
        RegistryClient::new(access).unwrap().ping().await.unwrap();
        assert_eq!(
            (proxy.heard().is_empty(), server.heard().len()),
            (direct, 1),
            "{except}"
        );
    }
    // A port is that of the registry, or the exception is none.
    let (server, mut access) = registry().await;
    let proxy = Proxy::start(None).await;
    let except = format!("{NAME}:{}", server.address.port());
    access.proxy = through(&format!("http://u:p%40ss@{}", proxy.address), &except);
    RegistryClient::new(access).unwrap().ping().await.unwrap();
    assert_eq!((proxy.heard().len(), server.heard().len()), (0, 1));
    // Loopback needs no exception.
    let server = Server::start(|_| Answer::json("{}")).await;
    let proxy = Proxy::start(None).await;
    let client = RegistryClient::new(Access {
        proxy: through(&proxy.address.to_string(), ""),
        ..crate::client::access(&server.url())
    })
    .unwrap();
    client.ping().await.unwrap();
    assert!(proxy.heard().is_empty());
}

#[tokio::test]
async fn c56_networks_and_ports_that_are_no_exception() {
    // What is an exception would be connected to, and no test leaves this machine: that side is proved where the forms are read.
    for (host, except) in [
        ("203.0.113.7:5000", "203.0.112.0/24"),
        ("203.0.113.7:5000", "192.168.0.0/16, 203.0.112.0/24"),
        ("203.0.113.7:5000", "203.0.113.7:5001"),
        ("[2001:db8::7]:5000", "2001:db9::/32"),
    ] {
        let proxy = Server::start(|_| Answer::json("{}")).await;
        let mut access = access_by_name(&format!("http://{host}"));
        access.proxy = through(&format!("http://{}", proxy.address), except);
        let outcome = RegistryClient::new(access).unwrap().ping().await;
        assert!(
            outcome.is_ok() && !proxy.heard().is_empty(),
            "{host} {except}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn c56_in_clear_the_proxy_is_asked_itself() {
    let proxy = Server::start(|heard| match heard.header("proxy-authorization") {
        Some("Basic dTpw") => Answer::json("{}"),
        _ => Answer::status(407),
    })
    .await;
    for (login, code) in [("u:p@", None), ("", Some(FindingCode::ProxyRefused))] {
        let client = RegistryClient::new(Access {
            proxy: through(&format!("http://{login}{}", proxy.address), ""),
            ..access_by_name("http://registry.example.com:5000")
        })
        .unwrap();
        let outcome = client.ping().await;
        assert_eq!(outcome.err().map(|error| error.finding().code), code);
        let heard = proxy.heard().pop().unwrap();
        assert_eq!(heard.header("host"), Some("registry.example.com:5000"));
    }
}

#[tokio::test]
async fn c56_a_proxy_is_no_way_around_the_gate() {
    let proxy = Proxy::start(None).await;
    let rules = || through(&format!("http://u:p%40ss@{}", proxy.address), "");
    let refusing = RegistryClient::new(Access {
        gate: Arc::new(TestGate {
            refused: vec![NAME],
            ..TestGate::default()
        }),
        proxy: rules(),
        ..access_by_name(&format!("https://{NAME}"))
    });
    // Trust is set up first, and there is none here.
    assert!(refusing.is_err());
    for (url, rule) in [
        ("http://169.254.169.254", "address.link_local"),
        ("http://registry.example.com", "test.host"),
    ] {
        let client = RegistryClient::new(Access {
            gate: Arc::new(TestGate {
                refused: vec![NAME],
                ..TestGate::default()
            }),
            proxy: rules(),
            ..access_by_name(url)
        })
        .unwrap();
        let error = client.ping().await.unwrap_err();
        match error.fault() {
            Fault::Address { rule: by, .. } | Fault::Policy { rule: by, .. } => assert_eq!(by, rule, "{url}"),
            other => panic!("{url}: {other:?}"),
        }
    }
    assert!(proxy.heard().is_empty());
    // The proxy's own address is checked as well.
    let client = RegistryClient::new(Access {
        proxy: through("http://169.254.169.254:3128", ""),
        ..access_by_name("http://registry.example.com")
    });
    assert!(client.is_err());
}
