//! A registry that notifies of pushes, set up as the product says how.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use portolan_doubles::token::Account;
use portolan_doubles::{Content, DockerRegistry, Skopeo};
use reqwest::StatusCode;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::api::plain_client;
use crate::control_plane::free_port;
use crate::printed::{Printed, yaml_value};
use crate::pusher::Pusher;
use crate::scene::{Registered, Scene};
use crate::wait::wait_for;

/// Login that may push and delete.
const PUSHER: (&str, &str) = ("pusher", "glpat-PPPPPPPPPPPPPPPPPPPP");
/// What the registry is called.
const NAME: &str = "gitlab";
/// What stands where the snippets leave a name open.
const OPEN: &str = "https://SENSOR-HOST:5443";

/// Where a registry sends its notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// To the listener of the agent.
    Listener,
    /// To the control plane itself.
    ControlPlane,
}

/// Debian's registry, read on push, that notifies as `portolan registry show NAME --webhook` says.
pub struct Notified {
    /// Everything behind it.
    pub scene: Scene,
    /// What the control plane calls it.
    pub name: Registered,
    /// The registry.
    pub registry: DockerRegistry,
    /// What the command printed.
    pub printed: Printed,
    /// Where the registry posts its notifications.
    pub url: String,
    /// What it shows there.
    pub secret: String,
}

impl Notified {
    /// Starts everything and waits until the control plane knows all of `content`.
    pub async fn start(door: Door, content: &Content) -> anyhow::Result<Self> {
        let mut scene = Scene::start().await?;
        let pusher = Account::new(PUSHER.0, PUSHER.1).reads_everything().pushes();
        scene.tokens.set_account(pusher);
        let address = free_port()?;
        scene.enrol(&[address]).await?;
        let url = format!("https://{address}");
        let name = scene.add_registry(NAME, &url, &[])?;
        let shown = scene
            .control_plane
            .cli(&["registry", "show", NAME, "--webhook"])?;
        ensure!(shown.status.success(), "{}{}", shown.output, shown.errors);
        let printed = Printed::parse(&shown.output);
        let listener = free_port()?;
        let section = match door {
            Door::Listener => {
                configure(&mut scene, &printed, listener)?;
                printed.for_the_listener()?
            }
            Door::ControlPlane => printed.for_the_control_plane()?,
        };
        let section = section.replace(OPEN, &format!("http://{listener}"));
        let registry = DockerRegistry::builder()
            .tls(&scene.leaf)
            .tokens(&scene.tokens)
            .access_log()
            .listen(address)
            .notifications(&section)
            .start(content, &scene.tasks)
            .await?;
        let (to, secret) = (
            yaml_value(&section, "url")?,
            yaml_value(&section, "Authorization")?,
        );
        let notified = Self {
            name,
            registry,
            url: to.to_owned(),
            secret: secret.to_owned(),
            printed,
            scene,
        };
        notified.read_on_push(door).await
    }

    /// A registry that is read on push from now on is read at once.
    async fn read_on_push(mut self, door: Door) -> anyhow::Result<Self> {
        if door == Door::Listener {
            self.scene.agent.start()?;
            self.scene.online().await?;
            // That the agent has started is told, and asks for a look at the whole registry if it is read on push by then: one that follows it too
            // closely would have to wait.
            let api = self.scene.control_plane.api()?;
            wait_for("the agent's start to be told", async || {
                let registry = api.get(&format!("/registries/{NAME}"), &[]).await.ok()?;
                registry["events"][0]["door"].as_str().map(|_| ())
            })
            .await;
        }
        let on_push = ["registry", "set", NAME, "--schedule", "on-push"];
        let set = self.scene.control_plane.cli(&on_push)?;
        ensure!(set.status.success(), "{}{}", set.output, set.errors);
        wait_for("the first run", async || {
            (!self.runs().await.ok()?.is_empty()).then_some(())
        })
        .await;
        let runs = self.settled().await;
        ensure!(
            runs.iter().all(|run| run["state"] == json!("complete")),
            "{runs:#?}"
        );
        Ok(self)
    }

    /// A client that pushes as people do.
    pub fn skopeo(&self) -> anyhow::Result<Skopeo> {
        Skopeo::new(self.registry.address(), Some(&self.scene.ca), Some(PUSHER))
    }

    /// A client that pushes as fast as the registry takes it.
    pub async fn pusher(&self, repository: &str) -> anyhow::Result<Pusher> {
        let url = self.registry.url();
        Pusher::new(&url, repository, &self.scene.ca, &self.scene.tokens, PUSHER).await
    }

    /// Notifies in place of the registry, with its secret: an envelope with these events.
    pub async fn notify(&self, events: &[Value]) -> anyhow::Result<StatusCode> {
        let body = json!({"events": events}).to_string();
        self.post(&self.url, &self.secret, body).await
    }

    /// Like [`Notified::notify`], again and again while the answer is that this is too much at once, as registries do. Anything but 200 is an error.
    pub async fn tell(&self, events: &[Value]) -> anyhow::Result<()> {
        loop {
            match self.notify(events).await? {
                StatusCode::OK => return Ok(()),
                StatusCode::TOO_MANY_REQUESTS => tokio::time::sleep(Duration::from_millis(50)).await,
                status => anyhow::bail!("a notification was answered with {status}"),
            }
        }
    }

    /// Posts anything, with any secret.
    pub async fn post(&self, url: &str, secret: &str, body: String) -> anyhow::Result<StatusCode> {
        let request = plain_client()?.post(url).header(AUTHORIZATION, secret);
        let request = request.header(
            "content-type",
            "application/vnd.docker.distribution.events.v1+json",
        );
        Ok(request.body(body).send().await?.status())
    }

    /// What the control plane says of a tag; none if it knows no such tag now.
    pub async fn digest(&self, repository: &str, tag: &str) -> anyhow::Result<Option<String>> {
        let api = self.scene.control_plane.api()?;
        let query = [("registry", NAME), ("repository", repository), ("limit", "1000")];
        let tags = api.all("/tags", &query).await?;
        let found = tags.iter().find(|item| item["tag"] == json!(tag));
        Ok(found.and_then(|item| item["digest"].as_str()).map(str::to_owned))
    }

    /// Waits until the control plane says so of a tag.
    pub async fn becomes(&self, repository: &str, tag: &str, digest: Option<&str>) {
        let what = format!("{repository}:{tag} to be {digest:?}");
        wait_for(&what, async || {
            let now = self.digest(repository, tag).await.ok()?;
            (now.as_deref() == digest).then_some(())
        })
        .await;
    }

    /// All runs of the registry, the newest first.
    pub async fn runs(&self) -> anyhow::Result<Vec<Value>> {
        let api = self.scene.control_plane.api()?;
        api.all("/runs", &[("registry", NAME), ("limit", "1000")]).await
    }

    /// Waits until no run of the registry is open, and none comes for what was notified before. Gives all runs.
    pub async fn settled(&self) -> Vec<Value> {
        let mut quiet = (0, usize::MAX);
        wait_for("all runs to end", async || {
            let runs = self.runs().await.ok()?;
            let open = runs.iter().any(|run| run["ended"] != json!(true));
            // Events wait for a fourth of a second, or for a second after the look before.
            quiet = if open || runs.len() != quiet.1 {
                (0, runs.len())
            } else {
                (quiet.0 + 1, runs.len())
            };
            (quiet.0 >= 40).then_some(runs)
        })
        .await
    }
}

/// Writes what was printed for the agent into its files, with names and paths of this machine.
fn configure(scene: &mut Scene, printed: &Printed, listener: SocketAddr) -> anyhow::Result<()> {
    let (secret, file) = printed.listener_secret()?;
    let own = scene.agent.file("notify.secret");
    fs::write(&own, secret)?;
    #[cfg(unix)]
    fs::set_permissions(&own, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let settings = printed
        .agent_settings()?
        .replace(file, &own.display().to_string());
    // Loopback needs no TLS.
    let lines = settings
        .lines()
        .filter(|line| !line.starts_with("certificate") && !line.starts_with("key"));
    let settings: String = lines.flat_map(|line| [line, "\n"]).collect();
    let settings = settings
        .replace("0.0.0.0:5443", &listener.to_string())
        .replace(OPEN, &format!("http://{listener}"))
        .replace("REGISTRY-ADDRESS", "127.0.0.1");
    let config = scene.agent.file("agent.toml");
    fs::write(&config, settings)?;
    let config = config.to_str().context("the path of the settings")?;
    scene.agent.set("PORTOLAN_AGENT_CONFIG", config);
    Ok(())
}
