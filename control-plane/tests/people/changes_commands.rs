//! `portolan changes`: where it goes on after whatever ended it.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode, header};
use axum::routing::get;
use portolan::cli::{Environment, Exit};
use portolan_shared::secret::Secret;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};

use crate::changes::push;
use crate::changes_waiting::fill;
use crate::desk::{Desk, Said};
use crate::shop::Shop;
use crate::world::World;

/// How long anything may take before a test gives up.
const GIVE_UP: Duration = Duration::from_secs(60);

/// The cursor that standard error names.
fn cursor(told: &str) -> Option<&str> {
    let mut lines = told.lines();
    lines.find_map(|line| line.strip_prefix("to go on from here: --cursor "))
}

fn subjects(said: &Said) -> Vec<String> {
    let events = said
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    events
        .map(|event| event["subject"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// The program itself, with a terminal that the test reads.
fn start(desk: &Desk, arguments: &[&str]) -> Child {
    let token = desk.environment.token.as_ref().unwrap();
    Command::new(env!("CARGO_BIN_EXE_portolan"))
        .args(arguments)
        .env_clear()
        .env("PORTOLAN_URL", desk.environment.url.as_deref().unwrap())
        .env("PORTOLAN_TOKEN", token.expose())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

fn send(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id().unwrap()).ok().and_then(Pid::from_raw);
    kill_process(pid.unwrap(), signal).unwrap();
}

/// Reads so many lines.
async fn read(out: &mut BufReader<ChildStdout>, lines: usize) {
    for _ in 0..lines {
        assert_ne!(
            out.read_line(&mut String::new()).await.unwrap(),
            0,
            "it ended early"
        );
    }
}

#[tokio::test]
async fn the_cursor_is_told_however_it_ends() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    let said = desk.say("changes").await;
    let begun = cursor(&said.err).unwrap();
    let line = format!("changes --cursor {begun}");
    let nobody = Environment {
        token: Some(Secret::new(world.viewer.replace(char::is_alphanumeric, "a"))),
        ..desk.environment.clone()
    };
    let denied = desk.say_with(&line, "", &nobody).await;
    assert_eq!((denied.exit, cursor(&denied.err)), (Exit::Denied, Some(begun)));
    let nowhere = Environment {
        url: Some("http://127.0.0.1:1".to_owned()),
        ..desk.environment.clone()
    };
    let away = desk.say_with(&line, "", &nowhere).await;
    assert_eq!((away.exit, cursor(&away.err)), (Exit::Unavailable, Some(begun)));
    // Where nobody can go on, nothing is told to go on from.
    let expired = desk.say("changes --cursor MiBhbGwgY2hhbmdlcyA0Mg").await;
    assert_eq!((expired.exit, cursor(&expired.err)), (Exit::NotFound, None));
    push(&world, &shop, &[("1.0", &shop.index), ("2.0", &shop.index)]).await;
    let on = desk.say(&format!("{line} -o json")).await;
    assert_eq!(subjects(&on), ["gl/acme/shop:1.0"]);
}

#[tokio::test]
async fn a_file_keeps_the_cursor_behind_what_was_printed() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cursor");
    let line = format!("changes -o json --cursor-file {}", file.display());
    let first = desk.say(&line).await;
    assert_eq!(first.exit, Exit::Done, "{}", first.err);
    assert_eq!(subjects(&first), ["gl/acme/shop:1.0", "gl/acme/shop:2.0", ""]);
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(Some(kept.trim()), cursor(&first.err));
    assert_eq!(subjects(&desk.say(&line).await), [""; 0]);
    push(&world, &shop, &[("1.0", &shop.index), ("2.0", &shop.index)]).await;
    assert_eq!(subjects(&desk.say(&line).await), ["gl/acme/shop:1.0"]);
    assert_eq!(subjects(&desk.say(&line).await), [""; 0]);
    let kept = std::fs::read_to_string(&file).unwrap();
    let mut names = std::fs::read_dir(folder.path()).unwrap();
    assert!(
        names.next().is_some() && names.next().is_none(),
        "nothing is left beside it"
    );
    for damaged in ["", "two words\n", "\u{fffd}", &"a".repeat(2_000)] {
        std::fs::write(&file, damaged).unwrap();
        let refused = desk.say(&line).await;
        assert!(
            matches!(refused.exit, Exit::Usage | Exit::Failed),
            "{damaged:?}: {}",
            refused.err
        );
        assert!(
            refused.out.is_empty() && refused.err.contains("cursor"),
            "{}",
            refused.err
        );
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            damaged,
            "it is left alone"
        );
    }
    std::fs::write(&file, kept).unwrap();
    let nowhere = folder.path().join("no/folder");
    let line = format!("changes --from now --cursor-file {}", nowhere.display());
    let failed = desk.say(&line).await;
    assert_eq!(failed.exit, Exit::Failed, "{}", failed.err);
    assert!(cursor(&failed.err).is_some(), "{}", failed.err);
}

#[tokio::test]
async fn a_follower_that_is_told_to_end_tells_its_cursor() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    for signal in [Signal::TERM, Signal::INT] {
        let mut command = start(&desk, &["changes", "--follow"]);
        let mut out = BufReader::new(command.stdout.take().unwrap());
        read(&mut out, 3).await;
        send(&command, signal);
        let mut told = String::new();
        let mut err = command.stderr.take().unwrap();
        let ended = tokio::time::timeout(GIVE_UP, err.read_to_string(&mut told)).await;
        ended.expect("it is there still").unwrap();
        assert_eq!(command.wait().await.unwrap().code(), Some(0), "{told}");
        let on = desk
            .say(&format!("changes --cursor {}", cursor(&told).unwrap()))
            .await;
        assert_eq!(on.out, "");
    }
    // One that is killed has its file.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cursor");
    let path = file.to_str().unwrap();
    let mut command = start(&desk, &["changes", "--follow", "--cursor-file", path]);
    let mut out = BufReader::new(command.stdout.take().unwrap());
    read(&mut out, 3).await;
    push(&world, &shop, &[("1.0", &shop.index), ("2.0", &shop.index)]).await;
    read(&mut out, 1).await;
    settled(&desk, &file).await;
    send(&command, Signal::KILL);
    command.wait().await.unwrap();
    let on = desk.say(&format!("changes --cursor-file {path}")).await;
    assert_eq!((on.exit, on.out.as_str()), (Exit::Done, ""));
}

/// Until nothing is behind the cursor in the file.
async fn settled(desk: &Desk, file: &Path) {
    loop {
        if let Ok(kept) = std::fs::read_to_string(file) {
            let line = format!("changes --cursor {}", kept.trim());
            if desk.say(&line).await.out.is_empty() {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_interrupt_is_heard_while_nobody_reads_the_output() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    // Many times what a pipe takes.
    fill(&world, &shop, 2_000).await;
    let desk = Desk::open(&world).await;
    let mut command = start(&desk, &["changes", "-o", "json"]);
    let mut out = BufReader::new(command.stdout.take().unwrap());
    read(&mut out, 1).await;
    send(&command, Signal::INT);
    let ended = tokio::time::timeout(GIVE_UP, command.wait()).await;
    assert_eq!(ended.expect("it is there still").unwrap().code(), Some(0));
    let mut rest = String::new();
    out.read_to_string(&mut rest).await.unwrap();
    assert!(rest.ends_with('\n') && !rest.contains("baseline.complete"));
    for line in rest.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
}

#[tokio::test]
async fn who_follows_a_registry_that_was_removed_is_told_and_ends() {
    let world = World::new().await;
    Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    let begun = desk.say("changes --registry gl --from now").await;
    let begun = cursor(&begun.err).unwrap();
    let removed = world
        .ask(&world.admin, Method::DELETE, "/api/v1/registries/gl", None)
        .await;
    assert!(removed.status.is_success());
    world
        .registry("gl", "https://another.example.com", "berlin-1")
        .await;
    let line = format!("changes --registry gl -o json --cursor {begun}");
    let once = desk.say(&line).await;
    assert_eq!((once.exit, subjects(&once)), (Exit::Done, vec!["gl".to_owned()]));
    let follows = format!("{line} --follow");
    let followed = tokio::time::timeout(GIVE_UP, desk.say(&follows)).await.unwrap();
    assert_eq!(
        (followed.exit, subjects(&followed)),
        (Exit::NotFound, vec!["gl".to_owned()])
    );
    for said in [&once, &followed] {
        assert!(said.err.contains("has been removed"), "{}", said.err);
    }
    let behind = cursor(&followed.err).unwrap();
    let again = desk
        .say(&format!("changes --registry gl --follow --cursor {behind}"))
        .await;
    assert_eq!((again.exit, again.out.as_str()), (Exit::NotFound, ""));
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test's server ends with its runtime"
)]
async fn who_finds_no_place_to_follow_asks_for_one_as_long_as_there_is_none() {
    let world = World::new().await;
    let desk = Desk::open(&world).await;
    let (clock, asked) = (Arc::clone(&world.clock), Arc::new(AtomicU64::new(0)));
    let times = Arc::clone(&asked);
    // An hour passes with each question; the second and third answer is that of something in front of the control plane.
    let answer = move || async move {
        clock.advance(Duration::from_secs(3_600));
        let wait = [(header::RETRY_AFTER, "1")];
        match times.fetch_add(1, Ordering::Relaxed) {
            0 => {
                let body = r#"{"code":"too_many_streams","message":"full","request_id":"1"}"#;
                (StatusCode::TOO_MANY_REQUESTS, wait, body.to_owned())
            }
            1 | 2 => (StatusCode::TOO_MANY_REQUESTS, wait, String::new()),
            _ => {
                let body = r#"{"items":[],"next_cursor":"abc","at_end":true,"ended":true}"#;
                (StatusCode::OK, wait, body.to_owned())
            }
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let full = Environment {
        url: Some(format!("http://{}", listener.local_addr().unwrap())),
        ..desk.environment.clone()
    };
    let router = Router::new().route("/api/v1/changes", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let followed = tokio::time::timeout(GIVE_UP, desk.say_with("changes --follow", "", &full)).await;
    let followed = followed.unwrap();
    assert_eq!(
        (followed.exit, cursor(&followed.err)),
        (Exit::NotFound, Some("abc"))
    );
    assert_eq!(asked.load(Ordering::Relaxed), 4);
    // Who does not follow is told.
    asked.store(0, Ordering::Relaxed);
    let once = desk.say_with("changes", "", &full).await;
    assert_eq!(once.exit, Exit::Unavailable);
    assert!(once.err.contains("full"), "{}", once.err);
}
