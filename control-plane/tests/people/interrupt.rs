//! Ctrl-C while waiting for a run: the command ends, the run does not.

use std::process::Stdio;

use portolan::web;
use portolan_shared::process::Shutdown;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::world::World;

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test's server ends with its runtime"
)]
async fn an_interrupt_detaches_and_says_how_to_watch() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    world.registry("gl", "https://h", "berlin-1").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(web::serve(listener, None, world.router.clone(), Shutdown::new()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"))
        .args(["sync", "gl", "--wait"])
        .env_clear()
        .env("PORTOLAN_URL", format!("http://{address}"))
        .env("PORTOLAN_TOKEN", &world.operator)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut told = BufReader::new(command.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("gl: queued") {
        line.clear();
        assert_ne!(told.read_line(&mut line).await.unwrap(), 0, "it ended early");
    }
    let pid = i32::try_from(command.id().unwrap()).ok().and_then(Pid::from_raw);
    kill_process(pid.unwrap(), Signal::INT).unwrap();
    let mut rest = String::new();
    told.read_to_string(&mut rest).await.unwrap();
    assert_eq!(command.wait().await.unwrap().code(), Some(130));
    assert!(rest.contains("portolan run watch "), "{rest}");
    let runs = world.get("/api/v1/runs").await.json();
    assert_eq!(runs["items"][0]["state"], "queued");
}
