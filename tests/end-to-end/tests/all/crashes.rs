//! Either half dies at any moment: the run completes, with the result of an undisturbed one, and what was committed is not fetched again.

use std::time::Duration;

use portolan_doubles::faults::{Fault, Gate, Rule};
use portolan_doubles::{Content, RegistryDouble};
use portolan_harness::{Agent, LOGIN, Registered, Scene, wait_for};
use serde_json::{Value, json};

use crate::sealing::told;

/// A run that is held up after so many requests to the registry.
struct Halfway {
    scene: Scene,
    registry: RegistryDouble,
    gate: Gate,
    gitlab: Registered,
    run: String,
}

impl Halfway {
    async fn start(requests: u64) -> anyhow::Result<Self> {
        let mut scene = Scene::start().await?;
        let registry = scene.registry_double(Content::demo()).await?;
        let gate = Gate::new();
        scene.enrol(&[registry.address()]).await?;
        let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
        registry
            .faults()
            .add(Rule::all().after(requests), Fault::Hold(gate.clone()));
        let run = scene.queue(&gitlab).await?;
        gate.arrived(1).await;
        let halfway = Self {
            scene,
            registry,
            gate,
            gitlab,
            run,
        };
        halfway.settled().await?;
        Ok(halfway)
    }

    /// A second sensor of the registry, on a machine that has the same login, and online.
    async fn annex(&self) -> anyhow::Result<Agent> {
        let scene = &self.scene;
        let mut annex = Agent::new()?;
        let token = scene.control_plane.invite("annex")?;
        let (registry, realm) = (self.registry.address().to_string(), scene.realm_host()?);
        let login = scene.login_reference(LOGIN)?;
        let allow = ["--allow", &registry, "--allow", &realm, "--credential", &login];
        told(annex.cli(&[&["enroll", &token][..], &allow].concat())?, 0)?;
        annex.start()?;
        let api = scene.control_plane.api()?;
        wait_for("the other sensor to be online", async || {
            let sensor = api.get("/sensors/annex", &[]).await.ok()?;
            (sensor["online"] == json!(true) && sensor["state"] == json!("active")).then_some(())
        })
        .await;
        let assign = [
            "registry",
            "set",
            self.gitlab.name,
            "--sensor",
            "office",
            "--sensor",
            "annex",
        ];
        told(scene.control_plane.cli(&assign)?, 0)?;
        Ok(annex)
    }

    /// Waits until nothing more is committed: everything that can go on without the registry has.
    async fn settled(&self) -> anyhow::Result<()> {
        let mut before = self.committed().await?;
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = self.committed().await?;
            if now == before {
                return Ok(());
            }
            before = now;
        }
    }

    /// Repositories that are in the inventory with tags.
    async fn committed(&self) -> anyhow::Result<Vec<String>> {
        let inventory = self.scene.inventory(&self.gitlab).await?;
        let mut repositories: Vec<String> = inventory.into_keys().map(|(repository, _)| repository).collect();
        repositories.dedup();
        Ok(repositories)
    }

    /// Lets everything through and checks the end.
    async fn finish(self, committed: &[String]) -> anyhow::Result<Value> {
        self.registry.faults().clear();
        self.registry.log().clear();
        self.gate.open();
        let run = self.scene.ended(&self.run).await?;
        assert_eq!(
            run["state"],
            json!("complete"),
            "{run:#}\n{}",
            self.scene.agent.log()
        );
        let expected = self.registry.content().expected();
        let expected = expected
            .into_iter()
            .map(|(place, digest)| (place, digest.to_string()))
            .collect();
        assert_eq!(self.scene.inventory(&self.gitlab).await?, expected);
        for repository in committed {
            let again = self
                .registry
                .log()
                .count(|seen| seen.path().starts_with(&format!("/v2/{repository}/manifests/")));
            assert_eq!(again, 0, "{repository} was committed and is read again");
        }
        assert!(self.registry.log().fetched_again().is_empty());
        let stored = undisturbed().await?["content_stored"].clone();
        assert_eq!(
            run["content_stored"], stored,
            "all attempts together store what an undisturbed one does"
        );
        let again = self.scene.sync(&self.gitlab).await?;
        assert_eq!(
            again["coverage"]["unchanged"],
            json!(self.registry.content().repositories().len()),
            "{again:#}"
        );
        Ok(run)
    }
}

/// The same run without any disturbance.
async fn undisturbed() -> anyhow::Result<&'static Value> {
    static RUN: tokio::sync::OnceCell<Value> = tokio::sync::OnceCell::const_new();
    RUN.get_or_try_init(async || {
        let mut scene = Scene::start().await?;
        let registry = scene.registry_double(Content::demo()).await?;
        scene.enrol(&[registry.address()]).await?;
        let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
        scene.sync(&gitlab).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_and_started_again_goes_on_where_it_was() -> anyhow::Result<()> {
    let mut halfway = Halfway::start(1_000).await?;
    halfway.scene.agent.kill();
    let committed = halfway.committed().await?;
    halfway.scene.agent.start()?;
    let run = halfway.finish(&committed).await?;
    assert_eq!(
        run["attempt"],
        json!(2),
        "the lease of the dead process was returned at once"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_is_killed_and_started_again_keeps_the_attempt() -> anyhow::Result<()> {
    let mut halfway = Halfway::start(1_000).await?;
    let committed = halfway.committed().await?;
    halfway.scene.control_plane.kill();
    halfway.scene.control_plane.restart().await?;
    halfway.scene.online().await?;
    let run = halfway.finish(&committed).await?;
    assert_eq!(
        run["attempt"],
        json!(1),
        "the sensor kept its lease over the restart: {run:#}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_halves_can_die() -> anyhow::Result<()> {
    let mut halfway = Halfway::start(1_000).await?;
    halfway.scene.agent.kill();
    let committed = halfway.committed().await?;
    halfway.scene.control_plane.kill();
    halfway.scene.agent.start()?;
    halfway.scene.control_plane.restart().await?;
    halfway.finish(&committed).await?;
    Ok(())
}

/// With one sensor: nobody else can take over, so the run waits in the queue.
#[tokio::test(flavor = "multi_thread")]
async fn t26_the_attempt_of_a_sensor_that_does_not_come_back_returns_to_the_queue() -> anyhow::Result<()> {
    let mut halfway = Halfway::start(1_000).await?;
    let leased = tokio::time::Instant::now();
    halfway.scene.agent.kill();
    let api = halfway.scene.control_plane.api()?;
    let path = format!("/runs/{}", halfway.run);
    assert_eq!(api.get(&path, &[]).await?["state"], json!("leased"));
    let lost = wait_for("the run to be queued again", async || {
        let run = api.get(&path, &[]).await.ok()?;
        (run["state"] == json!("queued")).then_some(run)
    })
    .await;
    assert_eq!(lost["finding"]["code"], json!("run.sensor_lost"), "{lost:#}");
    // 60 s from the last renewal and 15 s of grace; the last renewal was at most one heartbeat before the end.
    assert!(
        leased.elapsed() <= Duration::from_secs(76),
        "{:?}",
        leased.elapsed()
    );
    let committed = halfway.committed().await?;
    halfway.scene.agent.start()?;
    halfway.finish(&committed).await?;
    Ok(())
}

/// With two sensors the other one takes over, and reads nothing again that is committed.
#[tokio::test(flavor = "multi_thread")]
async fn t26_another_sensor_takes_over_from_one_that_does_not_come_back() -> anyhow::Result<()> {
    let mut halfway = Halfway::start(1_000).await?;
    let annex = halfway.annex().await?;
    halfway.scene.agent.kill();
    let committed = halfway.committed().await?;
    assert!(!committed.is_empty());
    let api = halfway.scene.control_plane.api()?;
    let path = format!("/runs/{}", halfway.run);
    wait_for("the other sensor to take over", async || {
        let run = api.get(&path, &[]).await.ok()?;
        (run["attempt"] == json!(2) && run["state"] == json!("leased")).then_some(())
    })
    .await;
    let run = halfway.finish(&committed).await?;
    assert_eq!(
        (&run["attempt"], &run["sensor"]["name"]),
        (&json!(2), &json!("annex")),
        "{run:#}\n{}",
        annex.log()
    );
    Ok(())
}
