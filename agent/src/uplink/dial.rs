//! TCP to the control plane, straight or through a proxy.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use data_encoding::BASE64;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use portolan_shared::process::ProxyUrl;
use portolan_shared::secret::Secret;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::endpoint::Endpoint;
use super::failure::Failure;
use crate::policy::ControlPlaneDoors;
use crate::settings::ProxySettings;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long one address is waited for before the next is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);
/// Data that nobody acknowledges for this long ends the connection, and keepalive probes do the same for an idle one.
const DEAD_PATH: Duration = Duration::from_secs(30);
/// A proxy's answer, in bytes: refused above.
const PROXY_ANSWER: usize = 8 * 1024;

/// Connects within ten seconds. The name is resolved anew each time, and `doors` are told what to; behind a proxy nobody here knows.
pub(super) async fn dial(
    to: &Endpoint,
    proxies: &ProxySettings,
    doors: &ControlPlaneDoors,
) -> Result<TcpStream, Failure> {
    let connected = timeout(CONNECT_WITHIN, async {
        match proxies.for_host(&to.host, to.port) {
            Some(proxy) => through(proxy, to).await,
            None => {
                let found = resolve(&to.host, to.port).await?;
                doors.learn(found.iter().copied());
                straight(&to.host, to.port, found).await
            }
        }
    });
    connected.await.unwrap_or(Err(Failure::Timeout {
        what: "connecting to the control plane",
        seconds: CONNECT_WITHIN.as_secs(),
    }))
}

fn unreachable(host: &str, port: u16) -> impl Fn(io::Error) -> Failure {
    move |source| Failure::Unreachable {
        to: format!("{host}:{port}"),
        source,
    }
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let found = tokio::net::lookup_host((host, port)).await;
    Ok(found.map_err(unreachable(host, port))?.collect())
}

async fn straight(host: &str, port: u16, found: Vec<SocketAddr>) -> Result<TcpStream, Failure> {
    let unreachable = unreachable(host, port);
    let stream = race(alternate(found)).await.map_err(&unreachable)?;
    tune(&stream).map_err(&unreachable)?;
    Ok(stream)
}

/// Addresses of both families in turn, the family of the first one first (RFC 8305, section 4).
fn alternate(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let six_first = found.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|address| address.is_ipv6() == six_first);
    let mut second = second.into_iter();
    let mut order = Vec::new();
    for address in first {
        order.push(address);
        order.extend(second.next());
    }
    order.extend(second);
    order
}

async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut trying = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        if let Some(address) = waiting.next() {
            trying.push(TcpStream::connect(address));
        }
        tokio::select! {
            done = trying.next(), if !trying.is_empty() => match done {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => last = error,
                None => {}
            },
            () = sleep(HEAD_START), if waiting.len() > 0 => {}
            else => return Err(last),
        }
        if trying.is_empty() && waiting.len() == 0 {
            return Err(last);
        }
    }
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(DEAD_PATH)
            .with_interval(Duration::from_secs(10)),
    )?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(DEAD_PATH))?;
    Ok(())
}

async fn through(proxy: &ProxyUrl, to: &Endpoint) -> Result<TcpStream, Failure> {
    let found = resolve(&proxy.host, proxy.port).await?;
    let mut stream = straight(&proxy.host, proxy.port, found).await?;
    let refused = |why: String| Failure::Proxy {
        proxy: proxy.to_string(),
        to: to.to_string(),
        why,
    };
    let request = connect_request(proxy, to);
    let answer = async {
        stream.write_all(request.expose().as_bytes()).await?;
        read_head(&mut stream).await
    };
    let head = answer.await.map_err(|error| refused(error.to_string()))?;
    match status_of(&head) {
        Some(200..=299) => Ok(stream),
        Some(407) => Err(refused("it asks for another login (407)".to_owned())),
        Some(status) => Err(refused(format!("it answered with status {status}"))),
        None => Err(refused("its answer is not HTTP".to_owned())),
    }
}

fn connect_request(proxy: &ProxyUrl, to: &Endpoint) -> Secret {
    let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n");
    if let Some(login) = &proxy.login {
        let login = BASE64.encode(login.expose().as_bytes());
        request.push_str(&format!("Proxy-Authorization: Basic {login}\r\n"));
    }
    request.push_str("\r\n");
    Secret::new(request)
}

/// Reads to the empty line and not a byte further: what follows is TLS.
async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == PROXY_ANSWER {
            return Err(io::Error::other("its answer is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

fn status_of(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.split(|byte| *byte == b'\r').next()?).ok()?;
    let mut words = line.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::ProxyExceptions;
    use tokio::net::TcpListener;

    fn endpoint(port: u16) -> Endpoint {
        Endpoint {
            host: "127.0.0.1".into(),
            port,
        }
    }

    fn proxied(port: u16) -> ProxySettings {
        ProxySettings {
            proxy: Some(ProxyUrl {
                host: "127.0.0.1".into(),
                port,
                login: Some(Secret::new("user:pass".into())),
            }),
            except: ProxyExceptions::default(),
        }
    }

    /// A proxy that answers one request with `answer` and then sends `after`.
    async fn proxy(answer: &'static str) -> (u16, impl Future<Output = String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = read_head(&mut stream).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(head).unwrap()
        };
        (port, serve)
    }

    #[tokio::test]
    async fn connects_through_a_proxy_with_a_login_and_leaves_what_follows_alone() {
        let (port, serve) = proxy("HTTP/1.1 200 Connection established\r\nX: y\r\n\r\nTLS").await;
        let (proxies, to) = (proxied(port), endpoint(7443));
        let doors = ControlPlaneDoors::default();
        let (head, stream) = tokio::join!(serve, dial(&to, &proxies, &doors));
        assert!(head.starts_with("CONNECT 127.0.0.1:7443 HTTP/1.1\r\n"), "{head}");
        assert!(
            head.contains("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"),
            "{head}"
        );
        let mut rest = String::new();
        stream.unwrap().read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "TLS");
    }

    #[tokio::test]
    async fn says_what_the_proxy_answered() {
        for (answer, expected) in [
            ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407"),
            ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "502"),
            ("SSH-2.0-x\r\n\r\n", "not HTTP"),
        ] {
            let (port, serve) = proxy(answer).await;
            let (proxies, to) = (proxied(port), endpoint(1));
            let doors = ControlPlaneDoors::default();
            let (_, stream) = tokio::join!(serve, dial(&to, &proxies, &doors));
            let text = stream.unwrap_err().to_string();
            assert!(text.contains(expected) && !text.contains("pass"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_refused_connection_is_named_and_its_address_is_remembered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let doors = ControlPlaneDoors::default();
        let failure = dial(&endpoint(port), &ProxySettings::default(), &doors)
            .await
            .unwrap_err();
        assert!(matches!(failure, Failure::Unreachable { .. }), "{failure}");
        assert!(doors.check_address("h", port, [127, 0, 0, 1].into()).is_err());
    }

    #[test]
    fn families_take_turns() {
        let read = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| text.parse().unwrap())
                .collect::<Vec<SocketAddr>>()
        };
        assert_eq!(
            alternate(read(&[
                "[::1]:1",
                "[::2]:1",
                "1.1.1.1:1",
                "2.2.2.2:1",
                "3.3.3.3:1"
            ])),
            read(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "3.3.3.3:1"])
        );
    }
}
