//! The proxies, with a server that echoes behind them.

use std::net::SocketAddr;
use std::time::Duration;

use portolan_doubles::network::{Direction, Flow, Tunnel};
use portolan_doubles::{ConnectProxy, FaultProxy, MiddleBox};
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::Scene;

async fn echo(scene: &Scene) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tasks = scene.tasks.clone();
    scene.tasks.spawn("echo", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tasks.spawn("echo's connection", async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

async fn exchange(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text).await?;
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).await?;
    Ok(back)
}

/// Returns once `condition` holds.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn passes_and_counts_then_cuts() {
    let scene = Scene::new();
    let proxy = FaultProxy::start(echo(&scene).await, &scene.tasks).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(exchange(&mut stream, b"hello").await.unwrap(), b"hello");
    assert_eq!(
        (proxy.bytes(Direction::ToServer), proxy.bytes(Direction::ToClient)),
        (5, 5)
    );
    assert_eq!((proxy.connections(), proxy.open()), (1, 1));
    proxy.set_both(Flow::Delay(Duration::from_millis(2)));
    assert_eq!(exchange(&mut stream, b"slow").await.unwrap(), b"slow");
    proxy.cut();
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    until(|| proxy.open() == 0).await;
    proxy.refuse();
    let refused = async { TcpStream::connect(proxy.address()).await?.read_u8().await };
    assert_eq!(
        refused.await.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
    proxy.accept();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(exchange(&mut stream, b"again").await.unwrap(), b"again");
    assert_eq!(proxy.connections(), 3);
    let second = echo(&scene).await;
    proxy.redirect_to(second);
    assert_eq!(exchange(&mut stream, b"still").await.unwrap(), b"still");
}

#[tokio::test]
async fn a_black_hole_swallows_bytes_and_even_the_end_of_the_connection() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap(), &scene.tasks)
        .await
        .unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"a").await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'a');
    proxy.set(Direction::ToServer, Flow::BlackHole);
    client.write_all(b"lost").await.unwrap();
    // The other direction still works.
    server.write_all(b"b").await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'b');
    drop(client);
    let mut byte = [0];
    assert!(
        server.try_read(&mut byte).is_err(),
        "neither bytes nor an end have come"
    );
    assert_eq!((proxy.open(), proxy.bytes(Direction::ToServer)), (1, 1));
    proxy.cut();
    assert!(server.read_u8().await.is_err());
}

#[tokio::test]
async fn a_stall_holds_bytes_and_gives_them_back() {
    let scene = Scene::new();
    let proxy = FaultProxy::start(echo(&scene).await, &scene.tasks).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    exchange(&mut stream, b"a").await.unwrap();
    proxy.set(Direction::ToClient, Flow::Stall);
    stream.write_all(b"held").await.unwrap();
    until(|| proxy.bytes(Direction::ToServer) == 5).await;
    assert_eq!(proxy.bytes(Direction::ToClient), 1);
    proxy.set(Direction::ToClient, Flow::Pass);
    let mut back = [0; 4];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"held");
}

#[tokio::test]
async fn cuts_after_an_exact_number_of_bytes_and_then_no_more() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap(), &scene.tasks)
        .await
        .unwrap();
    for already in [0, 10] {
        proxy.cut_after(Direction::ToServer, 10);
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(&[7; 1000]).await.unwrap();
        let mut arrived = Vec::new();
        assert!(
            server.read_to_end(&mut arrived).await.is_err(),
            "a reset, not an end"
        );
        assert_eq!(
            (arrived.len(), proxy.bytes(Direction::ToServer)),
            (10, already + 10)
        );
    }
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(&[7; 1000]).await.unwrap();
    let mut all = [0; 1000];
    server.read_exact(&mut all).await.unwrap();
}

#[tokio::test]
async fn connect_proxy_tunnels_and_remembers() {
    let scene = Scene::new();
    let target = echo(&scene).await;
    let proxy = ConnectProxy::start(Some(("agent", "pass")), &scene.tasks)
        .await
        .unwrap();
    proxy.route("control.example:443", target);
    let connect = async |target: &str, authorization: &str| {
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        (String::from_utf8(answer).unwrap()[9..12].to_owned(), stream)
    };
    // agent:pass
    let login = "Proxy-Authorization: Basic YWdlbnQ6cGFzcw==\r\n";
    let (status, mut stream) = connect("control.example:443", login).await;
    assert_eq!(status, "200");
    assert_eq!(exchange(&mut stream, b"through").await.unwrap(), b"through");
    assert_eq!(connect(&target.to_string(), login).await.0, "200");
    assert_eq!(connect("control.example:443", "").await.0, "407");
    assert_eq!(connect("127.0.0.1:0", login).await.0, "502");
    let tunnels: Vec<Tunnel> = proxy.tunnels();
    assert_eq!(
        tunnels.iter().map(|tunnel| tunnel.status).collect::<Vec<_>>(),
        [200, 200, 407, 502]
    );
    assert_eq!(tunnels[0].target, "control.example:443");
}

#[tokio::test]
async fn middle_box_answers_everything_the_same_way() {
    let scene = Scene::new();
    let boxed = MiddleBox::start(scene.tls(), StatusCode::SERVICE_UNAVAILABLE, &scene.tasks)
        .await
        .unwrap();
    for path in ["/", "/portolan.sensor.v1.Session/Open"] {
        let answer = scene
            .client
            .post(format!("https://{}{path}", boxed.address()))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.bytes().await.unwrap().is_empty());
    }
    assert_eq!(boxed.requests(), 2);
    assert!(boxed.connections() >= 1);
}
