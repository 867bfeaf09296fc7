//! A listener on loopback, and a sender that speaks to it byte by byte.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use portolan_shared::events::Sender;
use portolan_shared::model::RelayedEvent;
use portolan_shared::process::{Clock, ManualClock, SeededRng, Shutdown, Tasks, Uptime};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::super::listener::{Listener, ListenerParts};
use super::super::view::NotifierView;
use super::super::watch::ListenerFiles;
use super::super::{NotifyDesk, NotifyError};
use crate::policy::LivePolicy;
use crate::settings::{NotifyRegistry, NotifySettings, NotifyTls};

pub(super) const SECRET: &str = "correct-horse-battery-staple";
pub(super) const NOW: i64 = 1_800_000_000;

/// A listener, for as long as this lives.
pub(super) struct Scene {
    pub(super) folder: TempDir,
    pub(super) address: std::net::SocketAddr,
    pub(super) desk: Arc<NotifyDesk>,
    pub(super) files: Arc<ListenerFiles>,
    pub(super) clock: Arc<ManualClock>,
    tasks: Tasks,
}

pub(super) fn private_file(path: &Path, content: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, content).unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&beside, path).unwrap();
}

/// One registry for each sender, called after it, which may notify from 127.0.0.0/24; and `elsewhere`, which may from 10.0.0.0/8.
pub(super) async fn scene() -> Scene {
    scene_with(tempfile::tempdir().unwrap(), None).await.unwrap()
}

pub(super) async fn scene_with(folder: TempDir, tls: Option<NotifyTls>) -> Result<Scene, NotifyError> {
    let secret_file = folder.path().join("secret");
    private_file(&secret_file, SECRET);
    let policy = folder.path().join("policy.toml");
    fs::write(
        &policy,
        "version = 1\n[[allow]]\nhost = \"h\"\nrepositories = [\"acme/**\"]\n",
    )
    .unwrap();
    let registry = |name: &str, sender, from: &[&str]| NotifyRegistry {
        name: name.parse().unwrap(),
        sender,
        secret_file: secret_file.clone(),
        from: from.iter().map(|range| range.parse().unwrap()).collect(),
    };
    let registries = Sender::ALL
        .iter()
        .map(|sender| registry(sender.as_str(), *sender, &["127.0.0.0/24"]));
    let elsewhere = registry("elsewhere", Sender::Distribution, &["10.0.0.0/8"]);
    let settings = NotifySettings {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls,
        public_url: None,
        registries: registries.chain([elsewhere]).collect(),
    };
    let clock = Arc::new(ManualClock::at_unix_seconds(NOW));
    let desk = Arc::new(NotifyDesk::new(
        Some(settings.clone()),
        Arc::new(LivePolicy::load(&policy).unwrap()),
        Arc::clone(&clock) as Arc<dyn Clock>,
    ));
    let tasks = Tasks::new(Shutdown::new());
    let listener = Listener::bind(ListenerParts {
        settings,
        desk: Arc::clone(&desk),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        rng: Arc::new(SeededRng::new(1)),
        tasks: tasks.clone(),
    })
    .await?;
    let (address, files) = (listener.address().unwrap(), listener.files());
    tasks.spawn("notifications", listener.run(tasks.shutdown().clone()));
    Ok(Scene {
        folder,
        address,
        desk,
        files,
        clock,
        tasks,
    })
}

impl Scene {
    pub(super) async fn connect(&self) -> Wire<TcpStream> {
        Wire(TcpStream::connect(self.address).await.unwrap())
    }

    /// A connection from this address of the machine.
    pub(super) async fn connect_from(&self, source: [u8; 4]) -> Wire<TcpStream> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(std::net::SocketAddr::from((source, 0))).unwrap();
        Wire(socket.connect(self.address).await.unwrap())
    }

    /// Sends one request over a connection of its own. Gives the status.
    pub(super) async fn send(&self, request: &Request<'_>) -> u16 {
        self.connect().await.ask(&request.bytes()).await.status()
    }

    /// What would be told to the control plane by now, whole registries left out.
    pub(super) fn told(&self) -> Vec<RelayedEvent> {
        let late = Uptime(self.clock.uptime().0 + super::super::queue::COUNTS_WAIT);
        let mut told = Vec::new();
        while let Some(batch) = self.desk.next(1, late) {
            self.desk.acknowledged(batch.number, &[]);
            told.extend(batch.events.iter().cloned());
        }
        told.retain(|event| event.subject != portolan_shared::model::EventSubject::Registry);
        told
    }

    pub(super) fn notifier(&self, name: &str) -> NotifierView {
        let view = self.desk.view().unwrap();
        view.registries
            .into_iter()
            .find(|registry| registry.name == name)
            .unwrap()
    }

    /// Ends the listener and everything that it has begun.
    pub(super) async fn end(self) {
        self.tasks.shutdown().start_cut();
        self.tasks.ended().await;
        assert!(!self.tasks.any_failed());
    }
}

/// A request, as a sender writes it.
#[derive(Clone)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) path: String,
    pub(super) version: &'a str,
    pub(super) headers: Vec<(&'a str, String)>,
    pub(super) body: String,
    pub(super) chunked: bool,
}

impl<'a> Request<'a> {
    pub(super) fn to(path: &str) -> Self {
        Self {
            method: "POST",
            path: path.to_owned(),
            version: "HTTP/1.1",
            headers: Vec::new(),
            body: push("acme/app", "1.0"),
            chunked: false,
        }
    }

    /// A push that the registry `distribution` tells of.
    pub(super) fn genuine() -> Self {
        Self::to("/notify/distribution").with("Authorization", SECRET)
    }

    pub(super) fn with(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn with_body(self, body: impl Into<String>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut text = format!(
            "{} {} {}\r\nHost: agent\r\n",
            self.method, self.path, self.version
        );
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        if self.chunked {
            text += "Transfer-Encoding: chunked\r\n\r\n";
            for part in self.body.as_bytes().chunks(1_000) {
                text += &format!("{:x}\r\n{}\r\n", part.len(), std::str::from_utf8(part).unwrap());
            }
            text += "0\r\n\r\n";
        } else {
            text += &format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body);
        }
        text.into_bytes()
    }
}

/// A notification of Distribution.
pub(super) fn push(repository: &str, tag: &str) -> String {
    format!(
        r#"{{"events":[{{"id":"{repository}-{tag}","action":"push","target":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae","repository":"{repository}","tag":"{tag}"}}}}]}}"#
    )
}

/// A connection.
pub(super) struct Wire<S>(pub(super) S);

/// An answer, to the byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer(pub(super) String);

impl Answer {
    pub(super) fn status(&self) -> u16 {
        let word = self.0.split(' ').nth(1);
        word.unwrap_or_else(|| panic!("no answer: {:?}", self.0))
            .parse()
            .unwrap()
    }

    /// Without the line that says when.
    pub(super) fn timeless(&self) -> String {
        self.0
            .lines()
            .filter(|line| !line.starts_with("date:"))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next answer: they have no bodies. Empty if the connection is closed instead.
    pub(super) async fn answer(&mut self) -> Answer {
        let mut text = Vec::new();
        let mut byte = [0];
        while !text.ends_with(b"\r\n\r\n") {
            match self.0.read(&mut byte).await {
                Ok(1..) => text.push(byte[0]),
                Ok(0) | Err(_) => break,
            }
        }
        Answer(String::from_utf8(text).unwrap())
    }

    pub(super) async fn ask(&mut self, bytes: &[u8]) -> Answer {
        self.write(bytes).await;
        self.answer().await
    }

    /// Waits until the other side has closed it.
    pub(super) async fn closed(&mut self) -> bool {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest).await;
        rest.is_empty()
    }
}
