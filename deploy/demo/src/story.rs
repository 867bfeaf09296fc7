//! The steps, in order.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use portolan_shared::model::RegistryUrl;
use portolan_shared::process::{Shutdown, Tasks};
use serde_json::Value;
use tempfile::TempDir;

use crate::brought_registry::{Asked, BroughtRegistry};
use crate::installation::{Agent, Allowed, ControlPlane, Operator, Profile, Programs};
use crate::push;
use crate::screen::Screen;
use crate::summary::{self, Summary};

/// What the registry is called in the demo.
pub(crate) const REGISTRY: &str = "demo";

/// What the sensor is called in the demo.
pub(crate) const SENSOR: &str = "demo-sensor";

/// Exit codes of `portolan sync --wait` that tell how the run ended; others say that there was none to wait for.
const RUN_ENDED: [i32; 4] = [0, 10, 11, 12];

/// What the demo is told.
#[derive(Debug)]
pub struct Options {
    /// The cargo that builds the programs.
    pub cargo: PathBuf,
    /// The registry to read; the one that the demo brings along if none.
    pub registry: Option<GivenRegistry>,
    /// Where it prints.
    pub screen: Screen,
}

/// A registry that exists already.
#[derive(Debug)]
pub struct GivenRegistry {
    /// Its address.
    pub url: RegistryUrl,
    /// A file with its CA, PEM.
    pub ca_file: Option<PathBuf>,
    /// How the agent finds its credential; read anonymously if none.
    pub credential_reference: Option<String>,
    /// Globs of the repositories that are wanted; all if empty.
    pub repositories: Vec<String>,
    /// Token services on other hosts that may get the credential.
    pub realms: Vec<String>,
    /// Other hosts that downloads may come from.
    pub storage: Vec<String>,
}

/// Everything that runs. Outlives the story, so that it can be stopped in order however the story ends.
#[derive(Debug)]
pub struct Stage {
    folder: TempDir,
    tasks: Tasks,
    registry: Option<BroughtRegistry>,
    control_plane: Option<ControlPlane>,
    agent: Option<Agent>,
}

impl Stage {
    /// An empty one, with a temporary folder for all state.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            folder: tempfile::Builder::new()
                .prefix("portolan-demo-")
                .tempdir()
                .context("make a folder")?,
            tasks: Tasks::new(Shutdown::new()),
            registry: None,
            control_plane: None,
            agent: None,
        })
    }

    /// Returns when one of the children ends, which none should.
    pub async fn child_ended(&mut self) -> anyhow::Result<()> {
        let (Some(agent), Some(control_plane)) = (&mut self.agent, &mut self.control_plane) else {
            return std::future::pending().await;
        };
        tokio::select! {
            ended = agent.process().ended() => ended,
            ended = control_plane.process().ended() => ended,
        }
    }

    /// What the registry was asked so far, if it is the one that the demo brought along.
    fn asked(&self) -> Option<Asked> {
        self.registry.as_ref().map(BroughtRegistry::asked)
    }

    /// Stops everything, the agent first.
    pub async fn stop(mut self) {
        if let Some(mut agent) = self.agent.take() {
            agent.process().stop().await;
        }
        if let Some(mut control_plane) = self.control_plane.take() {
            control_plane.process().stop().await;
        }
        drop(self.registry.take());
        self.tasks.shutdown().start_cut();
        self.tasks.ended().await;
    }
}

/// The registry of the story, as an operator would describe it.
struct Target {
    url: String,
    allowed: Allowed,
    ca_file: Option<String>,
    credential_reference: Option<String>,
    repositories: Vec<String>,
}

/// Tells the story up to what can be asked then. Gives whether the registry was seen completely and nothing was sent twice.
pub async fn tell(options: &Options, stage: &mut Stage) -> anyhow::Result<bool> {
    let screen = options.screen;
    screen.step(
        1,
        "The two programs: portolan (control plane, command line) and portolan-agent",
    );
    let programs = Programs::build(&options.cargo, Profile::own()).await?;
    screen.good(&format!(
        "{}, {}",
        programs.portolan.display(),
        programs.agent.display()
    ));

    screen.step(2, "A registry inside a private network");
    let target = open_registry(options, stage).await?;

    screen.step(3, "A control plane");
    let folder = stage.folder.path().to_owned();
    screen.command(&format!(
        "portolan server --data-dir {}",
        folder.join("control-plane").display()
    ));
    let control_plane = stage
        .control_plane
        .insert(ControlPlane::start(&programs, &folder).await?);
    let operator = control_plane.operator().clone();
    screen.good(&format!(
        "ready at {}, state in SQLite, its own certificate authorities",
        operator.url()
    ));

    screen.step(4, "A sensor: one token, then mutual TLS, outbound only");
    screen.command(&format!("portolan sensor invite {SENSOR}"));
    let credential = target.allowed.credential.as_ref();
    screen.command(&format!(
        "portolan-agent enroll TOKEN --data-dir {} --allow {}{}",
        folder.join("agent").display(),
        target.allowed.registry,
        credential.map_or(String::new(), |reference| format!(" --credential {reference}"))
    ));
    screen.command(&format!(
        "portolan-agent run --data-dir {}",
        folder.join("agent").display()
    ));
    let agent = Agent::start(&programs, &operator, SENSOR, &target.allowed, &folder).await?;
    let agent = stage.agent.insert(agent);
    let memory = agent.process().figures()?.rss_kib / 1_024;
    screen.good(&format!("connected, using {memory} MiB of memory"));

    screen.step(5, "The registry is added; its credential stays on the sensor");
    let arguments = target.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    screen.command(&format!("portolan {}", arguments.join(" ")));
    operator.json(&arguments).await?;
    screen.good("added");

    screen.step(6, "First sync");
    let before = stage.asked();
    let first = sync(screen, &operator).await?;
    tell_what_was_asked(screen, before, stage.asked());
    if let Some(agent) = &mut stage.agent {
        let peak = agent.process().figures()?.peak_rss_kib / 1_024;
        screen.line(&format!("The agent used {peak} MiB of memory at most."));
    }
    let complete = first["state"] == "complete";
    if !complete {
        tell_what_is_missing(screen, &operator, &first).await?;
    }

    screen.step(7, "What is in it");
    let found = Summary::ask(&operator, REGISTRY).await?;
    for (heading, rows) in found.tables() {
        screen.table(heading, &rows);
    }

    screen.step(8, "Second sync: nothing has changed, so nothing is sent again");
    let before = stage.asked();
    let second = sync(screen, &operator).await?;
    tell_what_was_asked(screen, before, stage.asked());
    let fetched = match before.zip(stage.asked()) {
        Some((before, after)) => (after.since(before).manifests + after.since(before).blobs) as u64,
        None => summary::number(&second, "/progress/manifests"),
    };
    let stored = summary::number(&second, "/content_stored");
    let nothing_twice = fetched == 0 && stored == 0;
    if nothing_twice {
        screen.good("no manifest and no config was fetched again, none was sent again");
    } else {
        screen.bad(&format!(
            "{fetched} manifests and configs were fetched again, {stored} were new"
        ));
    }
    let mut step = 9;
    if let (Some(registry), Some(agent)) = (&stage.registry, &mut stage.agent) {
        screen.step(
            step,
            "A push: the registry tells the sensor, and nobody has to start a sync",
        );
        push::tell(screen, &programs, &operator, registry, agent, &folder).await?;
        step += 1;
    }
    screen.step(step, "Ask it something");
    tell_what_to_try(screen, &programs, &operator, &found);
    Ok(complete && second["state"] == "complete" && nothing_twice)
}

fn tell_what_was_asked(screen: Screen, before: Option<Asked>, after: Option<Asked>) {
    if let Some((before, after)) = before.zip(after) {
        let asked = after.since(before);
        screen.line(&format!(
            "The registry itself counted {} HEAD, {} manifests and {} configs fetched.",
            asked.resolved, asked.manifests, asked.blobs
        ));
    }
}

async fn open_registry(options: &Options, stage: &mut Stage) -> anyhow::Result<Target> {
    let screen = options.screen;
    if let Some(given) = &options.registry {
        let scheme = if given.url.is_https() { "" } else { "http://" };
        screen.good(&format!(
            "{}, given on the command line; it is only read",
            given.url
        ));
        let ca_file = given.ca_file.as_deref().map(absolute).transpose()?;
        return Ok(Target {
            url: given.url.to_string(),
            allowed: Allowed {
                registry: format!("{scheme}{}{}", given.url.authority(), given.url.prefix()),
                realms: given.realms.clone(),
                storage: given.storage.clone(),
                credential: given.credential_reference.clone(),
            },
            ca_file,
            credential_reference: given.credential_reference.clone(),
            repositories: given.repositories.clone(),
        });
    }
    let registry = BroughtRegistry::start(stage.folder.path(), &stage.tasks).await?;
    let (repositories, tags) = registry.size();
    screen.good(&format!(
        "{}: {repositories} repositories, {tags} tags",
        registry.url()
    ));
    screen.line("Its certificate is from a private CA, its tokens from a service like GitLab's.");
    let url: RegistryUrl = registry.url().parse().context("read the registry's address")?;
    let target = Target {
        url: url.to_string(),
        allowed: Allowed {
            registry: url.authority(),
            credential: Some(registry.credential_reference()),
            ..Allowed::default()
        },
        ca_file: Some(registry.ca_file().display().to_string()),
        credential_reference: Some(registry.credential_reference()),
        repositories: Vec::new(),
    };
    stage.registry = Some(registry);
    Ok(target)
}

fn absolute(path: &Path) -> anyhow::Result<String> {
    let path = path
        .canonicalize()
        .with_context(|| format!("find {}", path.display()))?;
    Ok(path.display().to_string())
}

impl Target {
    /// The arguments of `portolan registry add`.
    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = ["registry", "add", REGISTRY, &self.url, "--sensor", SENSOR]
            .map(str::to_owned)
            .to_vec();
        let mut option = |name: &str, value: &String| arguments.extend([name.to_owned(), value.clone()]);
        if let Some(file) = &self.ca_file {
            option("--ca-file", file);
        }
        if let Some(reference) = &self.credential_reference {
            option("--credential-ref", reference);
        }
        for glob in &self.repositories {
            option("--repository", glob);
        }
        arguments
    }
}

/// Syncs with the operators' command, progress and all, and gives the run.
async fn sync(screen: Screen, operator: &Operator) -> anyhow::Result<Value> {
    let arguments = ["sync", REGISTRY, "--wait"];
    screen.command(&format!("portolan {}", arguments.join(" ")));
    let code = operator.show(&arguments).await?;
    if !RUN_ENDED.contains(&code) {
        bail!("portolan sync failed with exit code {code}");
    }
    let mut runs = operator
        .get("/runs", &[("registry", REGISTRY), ("limit", "1")])
        .await?;
    Ok(runs["items"][0].take())
}

async fn tell_what_is_missing(screen: Screen, operator: &Operator, run: &Value) -> anyhow::Result<()> {
    screen.bad("the registry was not seen completely");
    if let Some(finding) = summary::finding(&run["finding"]) {
        screen.line(&finding);
    }
    let id = run["id"].as_str().unwrap_or_default();
    let lines = operator
        .get(&format!("/runs/{id}/coverage"), &[("limit", "20")])
        .await?;
    for entry in lines["items"].as_array().into_iter().flatten() {
        let why = summary::finding(&entry["finding"]).unwrap_or_default();
        let word = |key: &str| entry[key].as_str().unwrap_or_default();
        screen.line(&format!("{} {} {why}", word("repository"), word("outcome")));
    }
    Ok(())
}

fn tell_what_to_try(screen: Screen, programs: &Programs, operator: &Operator, found: &Summary) {
    screen.command(&format!(
        "export PORTOLAN_URL={} PORTOLAN_TOKEN={}",
        operator.url(),
        operator.token()
    ));
    let program = programs.portolan.display();
    for arguments in found.questions() {
        screen.command(&format!("{program} {arguments}"));
    }
    screen.command(&format!(
        "curl -s -H \"Authorization: Bearer $PORTOLAN_TOKEN\" $PORTOLAN_URL/api/v1/runs?registry={REGISTRY}"
    ));
}
