//! The usual set-up: a private CA, a token service, a control plane, an agent, and registries behind them.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use portolan_doubles::tls::{Alpn, Leaf};
use portolan_doubles::token::Account;
use portolan_doubles::{Content, DockerRegistry, FaultProxy, PrivateCa, RegistryDouble, TokenService};
use portolan_shared::process::{Shutdown, SystemClock, Tasks};
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::control_plane::ControlPlane;
use crate::process::{Finished, Process};
use crate::wait::{wait_for, wait_for_within};

/// Login that may list the catalog and read everything.
pub const LOGIN: (&str, &str) = ("root", "glpat-EEEEEEEEEEEEEEEEEEEE");

/// Everything between a registry and a person.
pub struct Scene {
    // First, so that nothing it talks to is gone before it.
    /// The agent.
    pub agent: Agent,
    /// The control plane.
    pub control_plane: ControlPlane,
    /// The token service; its accounts are [`LOGIN`] alone.
    pub tokens: TokenService,
    /// The authority that registries' certificates come from.
    pub ca: PrivateCa,
    /// The certificate of registries and token service.
    pub leaf: Leaf,
    /// Where doubles run.
    pub tasks: Tasks,
}

/// A registry that the control plane knows.
pub struct Registered {
    /// Its name there.
    pub name: &'static str,
}

impl Scene {
    /// Starts control plane and token service; the agent is not enrolled yet.
    pub async fn start() -> anyhow::Result<Self> {
        Self::behind(None, Tasks::new(Shutdown::new())).await
    }

    /// Like [`Scene::start`], with a wire between sensors and control plane that can be cut.
    pub async fn with_wire() -> anyhow::Result<(Self, FaultProxy)> {
        let tasks = Tasks::new(Shutdown::new());
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        let wire = FaultProxy::start(nowhere, &tasks).await?;
        let scene = Self::behind(Some(wire.address()), tasks).await?;
        wire.redirect_to(scene.control_plane.sensors());
        Ok((scene, wire))
    }

    async fn behind(door: Option<SocketAddr>, tasks: Tasks) -> anyhow::Result<Self> {
        let ca = PrivateCa::new("Acme", &SystemClock)?;
        let leaf = ca.leaf(&["registry.acme.example"])?;
        let tokens = TokenService::builder()
            .account(Account::new(LOGIN.0, LOGIN.1).administrator())
            .start(Some(leaf.server_config(Alpn::Both)?), &tasks)
            .await?;
        let control_plane = ControlPlane::start_behind(door).await?;
        Ok(Self {
            agent: Agent::new()?,
            control_plane,
            tokens,
            ca,
            leaf,
            tasks,
        })
    }

    /// TLS for a double of this scene.
    pub fn tls(&self) -> anyhow::Result<Option<Arc<rustls::ServerConfig>>> {
        Ok(Some(self.leaf.server_config(Alpn::Both)?))
    }

    /// Debian's registry with this content, behind TLS and the token service.
    pub async fn docker_registry(&self, content: &Content) -> anyhow::Result<DockerRegistry> {
        DockerRegistry::builder()
            .tls(&self.leaf)
            .tokens(&self.tokens)
            .access_log()
            .start(content, &self.tasks)
            .await
    }

    /// A registry double with this content, behind TLS and the token service.
    pub async fn registry_double(&self, content: Content) -> anyhow::Result<RegistryDouble> {
        RegistryDouble::builder(content)
            .tokens(&self.tokens)
            .start(self.tls()?, &self.tasks)
            .await
    }

    /// Enrols the agent as `office` with consent to contact these addresses and the token service, starts it, and waits until it is online.
    pub async fn enrol(&mut self, allowed: &[SocketAddr]) -> anyhow::Result<()> {
        self.enrol_as("office", &self.agent, allowed)?;
        self.agent.start()?;
        self.online().await
    }

    /// One more agent, enrolled under this name with the same consent as [`Scene::enrol`] gives, and online.
    pub async fn another_agent(&self, name: &str, allowed: &[SocketAddr]) -> anyhow::Result<Agent> {
        let mut agent = Agent::new()?;
        self.enrol_as(name, &agent, allowed)?;
        agent.start()?;
        online(&self.control_plane, name, &mut agent).await?;
        Ok(agent)
    }

    fn enrol_as(&self, name: &str, agent: &Agent, allowed: &[SocketAddr]) -> anyhow::Result<()> {
        let token = self.control_plane.invite(name)?;
        let realm = self.realm_host()?;
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).chain([realm]).collect();
        let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
        let enrolled = agent.enroll(&token, &allowed)?;
        ensure!(
            enrolled.status.success(),
            "enrolment failed: {}{}",
            enrolled.output,
            enrolled.errors
        );
        Ok(())
    }

    /// `HOST:PORT` of the token service.
    pub fn realm_host(&self) -> anyhow::Result<String> {
        let realm = self.tokens.realm();
        let host = realm.split('/').nth(2).context("the host of the realm")?;
        Ok(host.to_owned())
    }

    /// Waits until the control plane has heard of the sensor.
    pub async fn online(&mut self) -> anyhow::Result<()> {
        online(&self.control_plane, "office", &mut self.agent).await
    }

    /// Adds a registry under a name, with the scene's CA and login, untested.
    pub fn add_registry(
        &self,
        name: &'static str,
        url: &str,
        further: &[&str],
    ) -> anyhow::Result<Registered> {
        let added = self.try_add_registry(name, url, &[&["--no-test"], further].concat())?;
        ensure!(
            added.status.success(),
            "registry add failed: {}{}",
            added.output,
            added.errors
        );
        Ok(Registered { name })
    }

    /// What `registry add` says, with the scene's CA and login.
    pub fn try_add_registry(&self, name: &str, url: &str, further: &[&str]) -> anyhow::Result<Finished> {
        let given = further.contains(&"--credential-ref");
        let reference = if given {
            String::new()
        } else {
            self.login_reference(LOGIN)?
        };
        let ca = self.ca_file()?;
        let mut arguments = vec!["registry", "add", name, url, "--sensor", "office"];
        arguments.extend(["--ca-file", &ca]);
        if !given {
            arguments.extend(["--credential-ref", &reference]);
        }
        if !further.contains(&"--schedule") {
            // Nothing starts but what a test starts.
            arguments.extend(["--schedule", "manual"]);
        }
        arguments.extend(further);
        self.control_plane.cli(&arguments)
    }

    /// Writes the scene's CA into a file of the operator's machine; gives its path.
    pub fn ca_file(&self) -> anyhow::Result<String> {
        let ca = self.control_plane.file("registry-ca.pem");
        fs::write(&ca, self.ca.root_pem())?;
        Ok(ca.display().to_string())
    }

    /// Writes a login into a file of the agent's machine; gives its reference.
    pub fn login_reference(&self, (login, secret): (&str, &str)) -> anyhow::Result<String> {
        let file = self.agent.file("login");
        fs::write(&file, format!("{login}:{secret}\n"))?;
        Ok(format!("file:{}", file.display()))
    }

    /// Queues a run; gives its id.
    pub async fn queue(&self, registry: &Registered) -> anyhow::Result<String> {
        let api = self.control_plane.api()?;
        let queued = api
            .post(&format!("/registries/{}/runs", registry.name), &json!({}))
            .await?;
        Ok(queued["run"]["id"]
            .as_str()
            .or(queued["id"].as_str())
            .context("the id of the run")?
            .to_owned())
    }

    /// Waits until a run has ended; gives it.
    pub async fn ended(&self, run: &str) -> anyhow::Result<Value> {
        self.ended_within(Duration::from_secs(120), run).await
    }

    /// Like [`Scene::ended`], with another moment of giving up.
    pub async fn ended_within(&self, give_up: Duration, run: &str) -> anyhow::Result<Value> {
        let api = self.control_plane.api()?;
        let what = format!("run {run} to end");
        Ok(wait_for_within(give_up, &what, async || {
            let run = api.get(&format!("/runs/{run}"), &[]).await.ok()?;
            (run["ended"] == json!(true)).then_some(run)
        })
        .await)
    }

    /// Runs a sync to its end; gives the run.
    pub async fn sync(&self, registry: &Registered) -> anyhow::Result<Value> {
        let run = self.queue(registry).await?;
        self.ended(&run).await
    }

    /// Every tag that the control plane knows of a registry, and what it points to.
    pub async fn inventory(
        &self,
        registry: &Registered,
    ) -> anyhow::Result<BTreeMap<(String, String), String>> {
        let api = self.control_plane.api()?;
        let mut inventory = BTreeMap::new();
        for repository in api
            .all("/repositories", &[("registry", registry.name), ("limit", "1000")])
            .await?
        {
            let name = repository["name"]
                .as_str()
                .context("the name of a repository")?
                .to_owned();
            let query = [
                ("registry", registry.name),
                ("repository", &name),
                ("limit", "1000"),
            ];
            for tag in api.all("/tags", &query).await? {
                let text = |member: &str| tag[member].as_str().unwrap_or_default().to_owned();
                inventory.insert((name.clone(), text("tag")), text("digest"));
            }
        }
        Ok(inventory)
    }
}

/// Waits until the control plane has heard of this sensor.
async fn online(control_plane: &ControlPlane, name: &str, agent: &mut Agent) -> anyhow::Result<()> {
    let api = control_plane.api()?;
    let path = format!("/sensors/{name}");
    wait_for("the sensor to be online", async || {
        if let Some(status) = agent.process().and_then(Process::ended) {
            return Some(Err(anyhow::anyhow!(
                "the agent ended with {status}:\n{}",
                agent.log()
            )));
        }
        let sensor = api.get(&path, &[]).await.ok()?;
        (sensor["online"] == json!(true) && sensor["state"] == json!("active")).then_some(Ok(()))
    })
    .await
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.tasks.shutdown().start_cut();
    }
}
