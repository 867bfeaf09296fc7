//! Debian's `docker-registry` (CNCF Distribution 2.8) as a child process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use portolan_shared::model::{Digest, TagName};
use portolan_shared::process::Tasks;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::child::Program;
use super::layout::Layout;
use super::settings::{Auth, Settings};
use crate::content::Content;
use crate::tls::Leaf;
use crate::token::TokenService;

const PROGRAM: Program = Program {
    path: "/usr/bin/docker-registry",
    package: "docker-registry",
};

/// Where the content lies in the registry's folder.
const STORAGE: &str = "storage";

/// Lines of output that are kept of each stream: later ones are thrown away.
const LINES: usize = 500_000;

/// Puts a real registry together.
#[derive(Debug)]
pub struct DockerRegistryBuilder {
    leaf: Option<Leaf>,
    auth: Auth,
    access_log: bool,
    listen: SocketAddr,
    notifications: String,
}

impl DockerRegistryBuilder {
    /// Serves over TLS with this certificate.
    #[must_use]
    pub fn tls(mut self, leaf: &Leaf) -> Self {
        self.leaf = Some(leaf.clone());
        self
    }

    /// Asks for tokens of this service.
    #[must_use]
    pub fn tokens(mut self, tokens: &TokenService) -> Self {
        self.auth = Auth::Tokens {
            realm: tokens.realm(),
            service: tokens.service().to_owned(),
            issuer: tokens.issuer().to_owned(),
            certificate: tokens.certificate_pem().to_owned(),
        };
        self
    }

    /// Asks for a login out of this htpasswd file; the registry knows bcrypt hashes only (`htpasswd -B`).
    #[must_use]
    pub fn htpasswd(mut self, lines: &str) -> Self {
        self.auth = Auth::Htpasswd(lines.to_owned());
        self
    }

    /// Keeps its access log, so that [`DockerRegistry::requests`] works. Costs it some speed.
    #[must_use]
    pub fn access_log(mut self) -> Self {
        self.access_log = true;
        self
    }

    /// Listens there in place of a port that the system chooses: for whoever has to know its address before it is started.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Notifies as this `notifications:` section of its configuration file says. Only what is pushed and deleted through the registry itself is
    /// notified, not what [`DockerRegistry::add`] and its like write.
    #[must_use]
    pub fn notifications(mut self, section: &str) -> Self {
        section.clone_into(&mut self.notifications);
        self
    }

    /// Writes `content` into its storage, starts it and waits until it listens. The writing blocks the thread: a few seconds for ten
    /// thousand tags.
    pub async fn start(self, content: &Content, tasks: &Tasks) -> anyhow::Result<DockerRegistry> {
        let program = PROGRAM.find()?;
        let (folder, layout) = filled(content)?;
        let storage = folder.path().join(STORAGE);
        let tls = self
            .leaf
            .as_ref()
            .map(|leaf| leaf.write(folder.path()))
            .transpose()?;
        let settings = Settings {
            storage: &storage,
            tls,
            auth: &self.auth,
            folder: folder.path(),
            access_log: self.access_log,
            listen: self.listen,
            notifications: &self.notifications,
        };
        let file = settings.write().context("write the registry's configuration")?;
        let mut child = Command::new(program)
            .arg("serve")
            .arg(&file)
            // It takes settings from REGISTRY_* variables, and proxies from others.
            .env_clear()
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("start docker-registry")?;
        let output = Output::default();
        if let Some(stdout) = child.stdout.take() {
            tasks.spawn("docker-registry's output", output.clone().follow(stdout, true));
        }
        if let Some(stderr) = child.stderr.take() {
            tasks.spawn("docker-registry's log", output.clone().follow(stderr, false));
        }
        let address = output.listening(&mut child).await?;
        Ok(DockerRegistry {
            address,
            secure: self.leaf.is_some(),
            layout,
            output,
            child,
            folder,
        })
    }
}

/// A new folder with `content` in it: in memory where there is room, because ten thousand tags are more than a hundred thousand
/// small files and folders; else where temporary files go.
fn filled(content: &Content) -> anyhow::Result<(TempDir, Layout)> {
    let fill = |base: &Path| {
        let folder = tempfile::Builder::new()
            .prefix("docker-registry-")
            .tempdir_in(base)
            .with_context(|| format!("make a folder in {}", base.display()))?;
        let layout = Layout::new(&folder.path().join(STORAGE));
        layout.write(content)?;
        Ok((folder, layout))
    };
    fill(Path::new("/dev/shm")).or_else(|_: anyhow::Error| fill(&std::env::temp_dir()))
}

/// A running `docker-registry`. Dropping it kills the process and removes its folder.
#[derive(Debug)]
pub struct DockerRegistry {
    address: SocketAddr,
    secure: bool,
    layout: Layout,
    output: Output,
    // Before the folder, so that the process is gone when the folder goes.
    child: Child,
    folder: TempDir,
}

impl DockerRegistry {
    /// A registry without TLS that serves everyone, until told otherwise.
    #[must_use]
    pub fn builder() -> DockerRegistryBuilder {
        DockerRegistryBuilder {
            leaf: None,
            auth: Auth::None,
            access_log: false,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            notifications: String::new(),
        }
    }

    /// Whether the program is there.
    #[must_use]
    pub fn is_installed() -> bool {
        PROGRAM.is_installed()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a URL without a path.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The number of its process, while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Its folder: configuration, certificates and, below `storage`, its content.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Adds content, and moves tags that it names, while it runs.
    pub fn add(&self, content: &Content) -> anyhow::Result<()> {
        self.layout.write(content)
    }

    /// Points a tag to a digest that it holds, while it runs.
    pub fn tag(&self, repository: &str, tag: &str, digest: &Digest) -> anyhow::Result<()> {
        self.layout.tag(repository, &tag.parse::<TagName>()?, digest)
    }

    /// Takes a tag away, while it runs.
    pub fn untag(&self, repository: &str, tag: &str) -> anyhow::Result<()> {
        self.layout.untag(repository, &tag.parse::<TagName>()?)
    }

    /// Requests that it has answered, as `METHOD path STATUS`; empty without [`DockerRegistryBuilder::access_log`].
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let lines = self.output.access.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter_map(|line| access_line(line)).collect()
    }

    /// The lines of its log.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.output
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.start_kill();
    }
}

/// Of a line in the combined log format: method, path with query, status.
fn access_line(line: &str) -> Option<String> {
    let mut parts = line.split('"').skip(1);
    let mut request = parts.next()?.split(' ');
    let (method, path) = (request.next()?, request.next()?);
    let status = parts.next()?.split_whitespace().next()?;
    Some(format!("{method} {path} {status}"))
}

/// What the process prints, as it prints it.
#[derive(Debug, Clone)]
struct Output {
    access: Arc<Mutex<Vec<String>>>,
    log: Arc<Mutex<Vec<String>>>,
    address: watch::Sender<Option<SocketAddr>>,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            access: Arc::default(),
            log: Arc::default(),
            address: watch::channel(None).0,
        }
    }
}

impl Output {
    async fn follow(self, stream: impl AsyncRead + Unpin, access: bool) {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(address) = listening_address(&line) {
                self.address.send_replace(Some(address));
            }
            let kept = if access { &self.access } else { &self.log };
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < LINES {
                kept.push(line);
            }
        }
    }

    async fn listening(&self, child: &mut Child) -> anyhow::Result<SocketAddr> {
        let mut address = self.address.subscribe();
        tokio::select! {
            found = address.wait_for(Option::is_some) => {
                let found = *found.context("wait for docker-registry's address")?;
                found.context("docker-registry's address")
            }
            ended = child.wait() => {
                let log = self.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
                anyhow::bail!("docker-registry ended ({ended:?}) before it listened:\n{log}")
            }
        }
    }
}

/// The address in the line by which it tells that it listens: `listening on 127.0.0.1:40001, tls`.
fn listening_address(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    let rest = line["msg"].as_str()?.strip_prefix("listening on ")?;
    rest.split(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        let line = r#"{"level":"info","msg":"listening on 127.0.0.1:40001, tls","service":"registry"}"#;
        assert_eq!(listening_address(line), Some("127.0.0.1:40001".parse().unwrap()));
        assert_eq!(listening_address("not JSON"), None);
        let line = r#"127.0.0.1 - - [21/Nov/2026:00:00:00 +0000] "GET /v2/ HTTP/2.0" 401 87 "" "curl/8""#;
        assert_eq!(access_line(line).as_deref(), Some("GET /v2/ 401"));
    }
}
