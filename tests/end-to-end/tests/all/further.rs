//! What else has to do with secrets: push events at either door, an endpoint that is told of changes, API tokens, a sensor that is enrolled anew,
//! a recovery, a copy and its approval.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use data_encoding::BASE64;
use portolan_doubles::RegistryDouble;
use portolan_harness::{
    Agent, Finished, Process, Registered, Scene, distribution_event, free_port, plain_client, wait_for,
};
use reqwest::StatusCode;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::held::Held;
use crate::notifications::receiver::Receiver;
use crate::scan::Secret;
use crate::sealing::told;

/// Somebody's guess, or a slip of the hand.
const FORGED: &str = "0123456789abcdefghijklmnopqrstuvwxyz0123456";
/// What the endpoint knows us by.
const IN_URL: &str = "hook-KKKKKKKKKKKKKKKKKKKK";

/// What was done.
pub(crate) struct Further {
    /// What must be nowhere, but in the files that hold it.
    pub(crate) secrets: Vec<Secret>,
    /// Part of an address.
    pub(crate) in_url: Secret,
    /// What commands said, and their command lines.
    pub(crate) commands: Vec<Finished>,
    /// Other machines.
    pub(crate) agents: Vec<Agent>,
}

/// Does all of it. Whatever is about to be replaced is looked at before.
pub(crate) async fn all(
    scene: &mut Scene,
    gitlab: &Registered,
    registry: &RegistryDouble,
    held: &mut Held,
) -> anyhow::Result<Further> {
    let mut further = Further {
        secrets: vec![Secret::new("a forged secret", FORGED.as_bytes())],
        in_url: Secret::new("a part of an address", IN_URL.as_bytes()),
        commands: Vec::new(),
        agents: Vec::new(),
    };
    let (endpoint, key) = further.endpoint(scene).await?;
    further.events(scene, gitlab, registry).await?;
    wait_for("the endpoint to be told", async || {
        let events = endpoint.events(&key).expect("signed with its key");
        (!events.is_empty() && endpoint.requests() > 1).then_some(())
    })
    .await;
    further.token(scene).await?;
    further.machines(scene, held).await?;
    further.recovery(scene, held).await?;
    further.copy(scene, held).await?;
    for command in [
        &["webhook", "list", "-o", "json"][..],
        &["webhook", "show", "deployer", "-o", "json"],
        &["webhook", "deliveries", "deployer", "-o", "json"],
        &["registry", "show", gitlab.name, "-o", "json"],
        &["token", "list", "-o", "json"],
        &["sensor", "list", "-o", "json"],
        &["sensor", "show", "office", "-o", "json"],
        &["sensor", "invitation", "list", "-o", "json"],
        &["audit", "list", "--limit", "1000", "-o", "json"],
        &["changes", "-o", "json"],
    ] {
        further.commands.push(told(scene.control_plane.cli(command)?, 0)?);
    }
    Ok(further)
}

/// Where the programs keep their files.
pub(crate) fn folders(scene: &Scene, others: &[Agent]) -> Vec<PathBuf> {
    let agents = others.iter().chain([&scene.agent]).map(Agent::data_dir);
    agents
        .chain([scene.control_plane.data_dir()])
        .filter(|folder| folder.exists())
        .collect()
}

impl Further {
    fn secret(&mut self, name: &str, text: &str) {
        self.secrets.push(Secret::new(name, text.as_bytes()));
    }

    fn look(&self, scene: &Scene, held: &mut Held) -> anyhow::Result<()> {
        held.look(&folders(scene, &self.agents))
    }

    /// An endpoint is told of changes, at an address that is a secret. Gives it, and what messages to it are signed with.
    async fn endpoint(&mut self, scene: &mut Scene) -> anyhow::Result<(Receiver, String)> {
        scene.control_plane.set_flags(&["--webhook-allow", "127.0.0.0/8"]);
        scene.control_plane.restart().await?;
        scene.online().await?;
        let receiver = Receiver::start(&scene.tasks).await?;
        let url = format!("{}?key={IN_URL}\n", receiver.url());
        let add = ["webhook", "add", "deployer", "-", "-o", "json"];
        let added = told(scene.control_plane.cli_given(&url, &add)?, 0)?;
        let made: Value = serde_json::from_str(&added.output)?;
        let key = made["signing_key"].as_str().context("the key")?.to_owned();
        let bytes = key.strip_prefix("whsec_").context("a key of a webhook")?;
        let bytes = BASE64.decode(bytes.as_bytes())?;
        self.secret("the key of a webhook", &key);
        self.secrets
            .push(Secret::new("the bytes of the key of a webhook", &bytes));
        // It is made to print the key, once.
        self.commands.push(Finished {
            output: String::new(),
            ..added
        });
        Ok((receiver, key))
    }

    /// The registry notifies at both doors, with its secrets in a header and in the path; and somebody else with others.
    async fn events(
        &mut self,
        scene: &mut Scene,
        gitlab: &Registered,
        registry: &RegistryDouble,
    ) -> anyhow::Result<()> {
        let api = scene.control_plane.api()?;
        let path = format!("/registries/{}/webhook", gitlab.name);
        let shown = api.get(&path, &[("sender", "distribution")]).await?;
        let text = |member: &str| shown[member].as_str().map(str::to_owned).context("a member");
        let (inside, outside) = (text("listener_secret")?, text("secret")?);
        self.secret("the secret of the listener", &inside);
        self.secret("the secret of the control plane's door", &outside);

        let listener = free_port()?;
        let file = scene.agent.file("notify.secret");
        fs::write(&file, &inside)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        let settings = format!(
            "[notify]\nlisten = \"{listener}\"\npublic_url = \"http://{listener}/notify\"\n\n[[notify.registry]]\nname = \"{}\"\n\
             sender = \"distribution\"\nsecret_file = \"{}\"\nfrom = [\"127.0.0.1/32\"]\n",
            gitlab.name,
            file.display()
        );
        let config = scene.agent.file("agent.toml");
        fs::write(&config, settings)?;
        scene
            .agent
            .set("PORTOLAN_AGENT_CONFIG", &config.display().to_string());
        scene.agent.start()?;
        wait_for("the listener to be known", async || {
            let shown = api.get(&path, &[]).await.ok()?;
            shown["listeners"].get(0).map(drop)
        })
        .await;
        let on_push = ["registry", "set", gitlab.name, "--schedule", "on-push"];
        self.commands.push(told(scene.control_plane.cli(&on_push)?, 0)?);

        let ((repository, tag), _) = registry
            .content()
            .expected()
            .into_iter()
            .next()
            .context("a tag")?;
        let moved = registry.change(|content| {
            let mut shelf = content.shelf(&repository);
            let moved = shelf.helm_chart("moved", "9.9.9");
            shelf.tag(&tag, &moved);
            moved
        });
        let doors = [
            (format!("http://{listener}/notify/{}", gitlab.name), &inside),
            (
                format!("http://{}{}", scene.control_plane.people(), text("path")?),
                &outside,
            ),
        ];
        for (url, secret) in &doors {
            for (url, header, expected) in [
                (url.clone(), secret.as_str(), StatusCode::OK),
                (format!("{url}/{secret}"), "", StatusCode::OK),
                (url.clone(), FORGED, StatusCode::UNAUTHORIZED),
                (format!("{url}/{FORGED}"), "", StatusCode::UNAUTHORIZED),
            ] {
                let event = distribution_event(&url, "push", &repository, Some(&tag), Some(&moved));
                let mut post = plain_client()?.post(&url).header(
                    "content-type",
                    "application/vnd.docker.distribution.events.v1+json",
                );
                if !header.is_empty() {
                    post = post.header(AUTHORIZATION, header);
                }
                let body = json!({"events": [event]}).to_string();
                let answered = post.body(body).send().await?.status();
                ensure!(answered == expected, "{url} was answered with {answered}");
            }
        }
        let place = (repository, tag);
        wait_for("what was pushed to be known", async || {
            let known = scene.inventory(gitlab).await.ok()?;
            (known.get(&place) == Some(&moved.to_string())).then_some(())
        })
        .await;
        let received = [("webhook", 2), ("sensor", 2)];
        wait_for("what came in to be counted", async || {
            let shown = api.get(&path, &[]).await.ok()?;
            let counts = shown["received"].as_array()?;
            let all = received.iter().all(|(door, refused)| {
                counts
                    .iter()
                    .filter(|count| (count["door"] == json!("webhook")) == (*door == "webhook"))
                    .any(|count| count["accepted"].as_u64() >= Some(2) && count["refused"] == json!(refused))
            });
            all.then_some(())
        })
        .await;
        Ok(())
    }

    /// A program has an API token of its own, until it is revoked; somebody tries others.
    async fn token(&mut self, scene: &Scene) -> anyhow::Result<()> {
        let create = ["token", "create", "ci", "--role", "viewer", "-o", "json"];
        let created = told(scene.control_plane.cli(&create)?, 0)?;
        let made: Value = serde_json::from_str(&created.output)?;
        let text = |member: &str| made[member].as_str().map(str::to_owned).context("a member");
        let (token, id) = (text("token")?, text("id")?);
        let (public, secret) = token.split_at(token.len() / 2);
        self.secret("an API token", &token);
        self.secret("the end of an API token", secret);
        let guessed: String = secret.chars().rev().collect();
        let guessed = format!("{public}{guessed}");
        self.secret("a guessed API token", &guessed);
        scene
            .control_plane
            .api_as(&token)?
            .get("/registries", &[])
            .await?;
        self.commands.push(Finished {
            output: String::new(),
            ..created
        });
        let revoke = ["token", "revoke", &id];
        self.commands.push(told(scene.control_plane.cli(&revoke)?, 0)?);
        for refused in [&token, &guessed] {
            let api = scene.control_plane.api_as(refused)?;
            ensure!(
                api.get("/registries", &[]).await.is_err(),
                "a token that is no good"
            );
        }
        Ok(())
    }

    /// A machine that is not enrolled yet, and tells everything.
    fn machine(&mut self) -> anyhow::Result<&mut Agent> {
        let mut agent = Agent::new()?;
        agent.set_log_filter("trace");
        self.agents.push(agent);
        self.agents.last_mut().context("it was just put there")
    }

    /// Another machine is enrolled with a token that a third one shows as well, revoked, and enrolled anew.
    async fn machines(&mut self, scene: &Scene, held: &mut Held) -> anyhow::Result<()> {
        let api = scene.control_plane.api()?;
        for name in ["annex", "annex-2"] {
            let token = scene.control_plane.invite(name)?;
            self.secret("an enrolment token", &token);
            let agent = self.machine()?;
            let enrolled = agent.enroll(&token, &[])?;
            ensure!(
                enrolled.status.success(),
                "{}{}",
                enrolled.output,
                enrolled.errors
            );
            agent.start()?;
            wait_for("the machine to be a sensor", async || {
                let sensor = api.get(&format!("/sensors/{name}"), &[]).await.ok()?;
                (sensor["state"] == json!("active")).then_some(())
            })
            .await;
            let contested = self.machine()?.enroll(&token, &[])?;
            ensure!(!contested.status.success(), "it was let in: {}", contested.output);
            for (what, said) in [("enrolling", enrolled), ("a contest", contested)] {
                for text in [said.output, said.errors] {
                    ensure!(!text.contains(&token), "{what} shows the token: {text}");
                }
            }
            self.look(scene, held)?;
            if name == "annex" {
                let revoke = ["sensor", "revoke", name];
                self.commands.push(told(scene.control_plane.cli(&revoke)?, 0)?);
                let first = self.agents.first_mut().context("the machine")?;
                wait_for("the revoked machine to give up", async || {
                    first.process().and_then(Process::ended).map(drop)
                })
                .await;
            }
        }
        Ok(())
    }

    /// The sensor's certificate is lost, and replaced by the proof of its identity key.
    async fn recovery(&mut self, scene: &mut Scene, held: &mut Held) -> anyhow::Result<()> {
        self.look(scene, held)?;
        scene.agent.kill();
        fs::write(scene.agent.data_dir().join("certificate"), b"rubbish")?;
        let sessions = |scene: &Scene| scene.agent.log().matches("a session is open").count();
        let before = sessions(scene);
        scene.agent.start()?;
        wait_for("a session with the new certificate", async || {
            (sessions(scene) > before).then_some(())
        })
        .await;
        let story = scene
            .control_plane
            .api()?
            .all("/sensors/office/story", &[])
            .await?;
        let recovered = |entry: &Value| entry["action"] == json!("sensor.recover");
        ensure!(story.iter().any(recovered), "{story:#?}");
        Ok(())
    }

    /// A copy runs beside the sensor; one of them is approved.
    async fn copy(&mut self, scene: &mut Scene, held: &mut Held) -> anyhow::Result<()> {
        self.look(scene, held)?;
        let mut copy = scene.agent.copied()?;
        copy.set_log_filter("trace");
        // Where registries notify the sensor only one of them can listen.
        let config = copy.file("agent.toml");
        fs::write(&config, "")?;
        copy.set("PORTOLAN_AGENT_CONFIG", &config.display().to_string());
        copy.start()?;
        let api = scene.control_plane.api()?;
        wait_for("the sensor to be quarantined", async || {
            let sensor = api.get("/sensors/office", &[]).await.ok()?;
            (sensor["state"] == json!("quarantined")).then_some(())
        })
        .await;
        copy.kill();
        scene.agent.kill();
        // What it is allowed to keep is what the sensor had, which has other keys from here on.
        fs::remove_dir_all(copy.data_dir())?;
        self.agents.push(copy);
        let approve = ["sensor", "approve", "office"];
        self.commands.push(told(scene.control_plane.cli(&approve)?, 0)?);
        scene.agent.start()?;
        scene.online().await
    }
}
