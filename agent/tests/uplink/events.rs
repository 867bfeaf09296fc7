//! What registries notify, on its way to the control plane.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portolan_agent::wiring::{Agent, AgentEnd};
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body as Down;
use portolan_proto::v1::sensor_message::Body as Up;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Status;

use crate::agent::{Running, parts, run_agent_at};
use crate::clock::ShiftedClock;
use crate::opened::Opened;
use crate::plane::{ControlPlane, DAY, Scripts};

const SECRET: &str = "correct-horse-battery-staple";

/// An agent that may be notified by `gitlab` and by `harbor`.
struct Scene {
    _folder: TempDir,
    plane: ControlPlane,
    agent: Running,
    clock: Arc<ShiftedClock>,
    address: SocketAddr,
}

pub fn write_settings(folder: &Path, listen: &str) {
    let secret = folder.join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let registry = |name: &str| {
        format!(
            "[[notify.registry]]\nname = \"{name}\"\nsender = \"{name}\"\nsecret_file = {:?}\n",
            secret.display().to_string()
        )
    };
    let settings = format!(
        "[notify]\nlisten = \"{listen}\"\npublic_url = \"https://agent.example:5443\"\n{}{}",
        registry("gitlab"),
        registry("harbor")
    );
    std::fs::write(folder.join("agent.toml"), settings).unwrap();
    let policy = "version = 1\n[[allow]]\nhost = \"h\"\n";
    std::fs::write(folder.join("policy.toml"), policy).unwrap();
}

impl Scene {
    async fn new() -> Self {
        Self::with(Scripts::default()).await
    }

    async fn with(scripts: Scripts) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plane = ControlPlane::start(scripts, DAY).await;
        plane.enrol(folder.path(), &plane.token()).await.unwrap();
        write_settings(folder.path(), "127.0.0.1:0");
        let clock = Arc::new(ShiftedClock::default());
        let agent = run_agent_at(folder.path(), Arc::clone(&clock) as Arc<_>).await;
        let address = agent.handle.notify_address().unwrap();
        Self {
            _folder: folder,
            plane,
            agent,
            clock,
            address,
        }
    }

    /// A session with a control plane that takes events.
    async fn session(&mut self, epoch: u64) -> Opened {
        let mut session = self.plane.session().await;
        session.welcome_with(epoch, true, &["sync", "events"]).await;
        session
    }

    /// A session over which the start was told.
    async fn begun(&mut self) -> Opened {
        let mut session = self.session(1).await;
        let started = events(&mut session).await;
        let actions: Vec<_> = started.events.iter().map(|event| event.action.as_str()).collect();
        assert_eq!((started.number, actions), (1, vec!["started", "started"]));
        acknowledge(&mut session, 1, &[]).await;
        session
    }

    /// The registry `gitlab` tells of pushes of `tag` to these repositories.
    async fn pushed(&self, repositories: impl IntoIterator<Item = String>, tag: &str) {
        let events: Vec<String> = repositories
            .into_iter()
            .map(|repository| {
                format!(
                    r#"{{"action":"push","target":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","repository":"{repository}","tag":"{tag}"}}}}"#
                )
            })
            .collect();
        let body = format!(r#"{{"events":[{}]}}"#, events.join(","));
        assert_eq!(notify(self.address, "gitlab", &body).await, 200);
    }

    async fn end(self) {
        assert_eq!(self.agent.stop().await, AgentEnd::Stopped);
    }
}

/// The status that a notification is answered with.
async fn notify(address: SocketAddr, registry: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST /notify/{registry} HTTP/1.0\r\nAuthorization: {SECRET}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

async fn events(session: &mut Opened) -> v1::PushEvents {
    match session.hear().await {
        Some(Up::PushEvents(events)) => events,
        other => panic!("{other:?} are no events"),
    }
}

async fn acknowledge(session: &mut Opened, number: u64, unknown: &[&str]) {
    let unknown = unknown.iter().copied().map(str::to_owned).collect();
    session
        .say(Down::PushEventsAck(v1::PushEventsAck { number, unknown }))
        .await;
}

/// Repository, tag and count of each event.
fn subjects(events: &v1::PushEvents) -> Vec<(&str, &str, u32)> {
    events
        .events
        .iter()
        .map(|event| (event.repository.as_str(), event.tag.as_str(), event.count))
        .collect()
}

fn one(name: &str) -> [String; 1] {
    [name.to_owned()]
}

#[tokio::test]
async fn what_a_registry_notifies_is_told_and_the_next_only_after_the_acknowledgement() {
    let mut scene = Scene::new().await;
    let mut session = scene.begun().await;
    assert!(session.hello.capabilities.contains(&"events".to_owned()));
    assert_eq!(session.hello.notify_url, "https://agent.example:5443/notify");
    scene.pushed(one("acme/app"), "1.0").await;
    let told = events(&mut session).await;
    assert_eq!((told.number, subjects(&told)), (2, vec![("acme/app", "1.0", 1)]));
    assert_eq!(
        (told.events[0].registry.as_str(), told.events[0].action.as_str()),
        ("gitlab", "pushed")
    );
    for tag in ["2.0", "2.0", "2.1"] {
        scene.pushed(one("acme/app"), tag).await;
    }
    assert_eq!(notify(scene.address, "harbor", "{}").await, 200);
    assert_eq!(notify(scene.address, "zot", "{}").await, 401);
    // An answer to something else comes between, and no events: they wait.
    session.say(Down::PresenceAsk(v1::PresenceAsk::default())).await;
    assert!(matches!(session.hear().await, Some(Up::PresenceReply(_))));
    let notify = scene.agent.handle.status().notify.unwrap();
    assert_eq!((notify.on_the_way, notify.registries[0].waiting), (1, 2));
    acknowledge(&mut session, 2, &[]).await;
    let told = events(&mut session).await;
    assert_eq!(
        (told.number, subjects(&told)),
        (3, vec![("acme/app", "2.0", 2), ("acme/app", "2.1", 1)])
    );
    let counts: Vec<_> = told
        .counts
        .iter()
        .map(|count| {
            (
                count.registry.as_str(),
                count.refused,
                count.last_refused.as_str(),
            )
        })
        .collect();
    assert_eq!(counts, [("", 1, "unknown_registry"), ("harbor", 1, "malformed")]);
    let notify = scene.agent.handle.status().notify.unwrap();
    assert_eq!(
        (notify.registries[0].received, notify.registries[1].refused),
        (4, 1)
    );
    assert_eq!(notify.listen, scene.address.to_string());
    scene.end().await;
}

#[tokio::test]
async fn what_was_not_acknowledged_is_told_again_over_the_next_session() {
    let mut scene = Scene::new().await;
    let mut session = scene.begun().await;
    scene.pushed(one("acme/app"), "1.0").await;
    let lost = events(&mut session).await;
    session.goodbye(v1::Reason::Draining).await;
    let gone = |view: &portolan_agent::uplink::UplinkView| view.takes_events.is_none();
    scene.agent.sees(gone).await;
    scene.pushed(one("acme/app"), "1.0").await;
    scene.clock.pass(1);
    let mut session = scene.session(2).await;
    assert_eq!(events(&mut session).await, lost, "the same, to the byte");
    acknowledge(&mut session, lost.number, &[]).await;
    let next = events(&mut session).await;
    assert_eq!(
        (next.number, subjects(&next)),
        (lost.number + 1, vec![("acme/app", "1.0", 1)])
    );
    scene.end().await;
}

#[tokio::test]
async fn a_control_plane_that_takes_no_events_is_told_nothing_and_the_status_says_so() {
    let mut scene = Scene::new().await;
    let mut session = scene.plane.session().await;
    session.welcome(1, true).await;
    session.acknowledged().await;
    scene.pushed(one("acme/app"), "1.0").await;
    session.say(Down::PresenceAsk(v1::PresenceAsk::default())).await;
    assert!(matches!(session.hear().await, Some(Up::PresenceReply(_))));
    let warned = |scene: &Scene| {
        let warnings = scene.agent.handle.status().warnings;
        warnings
            .iter()
            .any(|warning| warning.contains("takes no push events"))
    };
    scene.agent.sees(|view| view.takes_events == Some(false)).await;
    assert!(warned(&scene));
    session
        .say(Down::Drain(v1::Drain {
            reconnect_after_ms: 1,
        }))
        .await;
    let mut session = scene.session(2).await;
    let told = events(&mut session).await;
    assert_eq!(told.events.len(), 3, "the start of both, and the push");
    assert!(!warned(&scene));
    scene.end().await;
}

#[tokio::test]
async fn registries_that_the_control_plane_does_not_know_are_said_in_the_status_until_it_does() {
    let mut scene = Scene::new().await;
    let mut session = scene.session(1).await;
    events(&mut session).await;
    acknowledge(&mut session, 1, &["harbor", "made up"]).await;
    let warnings = |scene: &Scene| {
        let mut warnings = scene.agent.handle.status().warnings;
        warnings.retain(|warning| warning.contains("has no registry"));
        warnings
    };
    scene.pushed(one("acme/app"), "1").await;
    let told = events(&mut session).await;
    let said = warnings(&scene);
    assert_eq!(said.len(), 1);
    assert!(
        said[0].contains("has no registry harbor for this sensor")
            && said[0].contains("portolan registry set harbor --sensor"),
        "{said:?}"
    );
    acknowledge(&mut session, told.number, &[]).await;
    let harbor = r#"{"type":"PUSH_ARTIFACT","event_data":{"resources":[{"tag":"1","digest":"sha256:fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae"}],"repository":{"repo_full_name":"acme/app"}}}"#;
    assert_eq!(notify(scene.address, "harbor", harbor).await, 200);
    let told = events(&mut session).await;
    assert_eq!(warnings(&scene).len(), 1, "nothing was heard of it since");
    acknowledge(&mut session, told.number, &[]).await;
    scene.pushed(one("acme/app"), "1").await;
    events(&mut session).await;
    assert_eq!(warnings(&scene), [""; 0]);
    scene.end().await;
}

#[tokio::test]
async fn an_hour_of_events_without_a_control_plane_is_kept_in_bounds_and_told_afterwards() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let scripts = Scripts {
        open: Box::new(move |_| {
            if is_down.load(Ordering::SeqCst) {
                Err(Status::unavailable("down"))
            } else {
                Ok(())
            }
        }),
        ..Scripts::default()
    };
    let mut scene = Scene::with(scripts).await;
    scene.agent.sees(|view| view.failures > 0).await;
    let thousand = |from: usize| (0..1_000).map(move |n| format!("acme/r{}", from + n));
    // The same again and again, and then more than can be kept.
    for _ in 0..60 {
        scene.pushed(thousand(0).take(300), "latest").await;
    }
    let waiting = |scene: &Scene| scene.agent.handle.status().notify.unwrap().registries[0].waiting;
    assert_eq!(waiting(&scene), 300);
    for from in 1..=10 {
        scene.pushed(thousand(from * 1_000), "latest").await;
    }
    assert!(waiting(&scene) <= 10_000);
    down.store(false, Ordering::SeqCst);
    scene.clock.pass(1);
    let mut session = scene.session(1).await;
    let mut told = Vec::new();
    while told.len() < 3 {
        let message = events(&mut session).await;
        acknowledge(&mut session, message.number, &[]).await;
        told.extend(message.events);
    }
    let actions: Vec<_> = told.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["started", "overflowed", "started"]);
    assert_eq!(told[1].registry, "gitlab");
    assert_eq!(told[1].count, 60 * 300 + 10_000);
    scene.pushed(one("acme/app"), "1.0").await;
    let after = events(&mut session).await;
    assert_eq!(
        subjects(&after),
        [("acme/app", "1.0", 1)],
        "and everything is as before"
    );
    scene.end().await;
}

#[tokio::test]
async fn a_flood_that_nobody_acknowledges_holds_up_no_heartbeat() {
    let mut scene = Scene::new().await;
    let mut session = scene.begun().await;
    for from in 0..9 {
        let repositories = (0..1_000).map(|n| format!("acme/r{}", from * 1_000 + n));
        scene.pushed(repositories, "latest").await;
    }
    let mut messages = 0;
    let heartbeat = loop {
        match session.hear_matching(Some).await {
            Up::Heartbeat(heartbeat) => break heartbeat,
            Up::PushEvents(_) => messages += 1,
            other => panic!("{other:?}"),
        }
    };
    assert!(heartbeat.counter >= 1);
    assert_eq!(messages, 1, "one is on its way, and no other");
    scene.end().await;
}

#[tokio::test]
async fn an_agent_whose_port_is_taken_says_so_at_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    write_settings(folder.path(), &address);
    let refused = Agent::build_with(parts(folder.path()), |_, _, _| panic!("nothing is built")).await;
    let text = refused.err().unwrap().to_string();
    assert!(
        text.contains(&format!("cannot listen on {address} for notifications"))
            && text.contains("notify.listen"),
        "{text}"
    );
}
