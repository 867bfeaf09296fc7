//! The policy of a machine, read again by a running agent at the signal that its administrator sends.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use portolan_doubles::Content;
use portolan_harness::{Process, Scene, wait_for};
use portolan_shared::model::Digest;
use serde_json::{Value, json};

use crate::sealing::told;

fn policy_file(scene: &Scene) -> PathBuf {
    scene.agent.data_dir().join("policy.toml")
}

/// The policy as `sensor show` shows it: its hash, and what it allows in a few words.
fn shown(scene: &Scene) -> anyhow::Result<(String, String)> {
    let show = ["sensor", "show", "office", "-o", "json"];
    let shown = told(scene.control_plane.cli(&show)?, 0)?;
    let sensor: Value = serde_json::from_str(&shown.output)?;
    let text = |member: &str| sensor[member].as_str().unwrap_or_default().to_owned();
    Ok((text("policy_hash"), text("policy_summary")))
}

/// Writes a policy, tells the agent, and waits until the control plane shows another one than before.
async fn reread(scene: &mut Scene, policy: &str) -> anyhow::Result<(String, String)> {
    let (before, _) = shown(scene)?;
    fs::write(policy_file(scene), policy)?;
    let process: &mut Process = scene.agent.process().context("the agent runs")?;
    process.signal("HUP")?;
    Ok(wait_for("the control plane to show the policy", async || {
        let (hash, summary) = shown(scene).ok()?;
        (hash != before).then_some((hash, summary))
    })
    .await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_read_again_at_a_signal_holds_at_once_and_is_shown() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
    assert_eq!(scene.sync(&gitlab).await?["state"], json!("complete"));
    let sound = fs::read_to_string(policy_file(&scene))?;
    let first = shown(&scene)?;

    // Narrower: shown, and in force for the next run.
    let narrower = "version = 1\n[[allow]]\nhost = \"elsewhere.example.com\"\n";
    let (hash, summary) = reread(&mut scene, narrower).await?;
    let digest = Digest::sha256_of(narrower.as_bytes()).to_string();
    assert_eq!(digest, format!("sha256:{hash}"));
    assert!(summary.contains("elsewhere.example.com"), "{summary}");
    let from = registry.log().total();
    let run = scene.sync(&gitlab).await?;
    assert_eq!(run["state"], json!("failed"), "{run:#}");
    assert_eq!(registry.log().total(), from, "nothing was asked");

    // With a fault in it nothing is allowed, because what its author meant to end may be what was in force; and it is said what is wrong.
    let (_, summary) = reread(&mut scene, "version = 1\n[[allow]]\nhots = \"x\"\n").await?;
    assert_eq!(summary, "allows nothing");
    let status = scene.agent.cli(&["status", "-o", "json"])?;
    let status: Value = serde_json::from_str(&status.output)?;
    let said = status["policy"].to_string();
    assert!(said.contains("line 3") && said.contains("hots"), "{said}");
    assert!(scene.agent.log().contains("the policy cannot be used"));

    // As it was: so is the hash, and the work goes on in the same process.
    let mended = reread(&mut scene, &sound).await?;
    assert_eq!(mended, first);
    assert_eq!(scene.sync(&gitlab).await?["state"], json!("complete"));
    let log = scene.agent.cli(&["audit", "show", "-o", "json"])?;
    assert_eq!(log.output.matches("policy.reread").count(), 3, "{}", log.output);
    assert_eq!(log.output.matches("\"agent.start\"").count(), 1);
    Ok(())
}
