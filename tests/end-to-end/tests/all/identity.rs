//! One identity in two places, and a sensor that is not to work for a while.

use std::time::Duration;

use portolan_doubles::Content;
use portolan_harness::{Agent, Scene, wait_for};
use serde_json::{Value, json};

/// The state in which an agent believes itself, by its own word.
fn state(agent: &Agent) -> anyhow::Result<String> {
    let status = agent.cli(&["status", "-o", "json"])?;
    let report: Value = serde_json::from_str(&status.output)?;
    Ok(report["sensor"]["state"].as_str().unwrap_or_default().to_owned())
}

async fn sensor(scene: &Scene) -> anyhow::Result<Value> {
    scene.control_plane.api()?.get("/sensors/office", &[]).await
}

/// Starts an agent that is shut out once more, and waits until the control plane has told it so in this life, too.
async fn told_again(agent: &mut Agent) -> anyhow::Result<()> {
    let told = |agent: &Agent| agent.log().matches("lets this sensor in no more").count();
    agent.kill();
    let before = told(agent);
    agent.start()?;
    wait_for("the agent to be told again", async || {
        (told(agent) > before).then_some(())
    })
    .await;
    Ok(())
}

fn command(scene: &Scene, arguments: &[&str]) -> anyhow::Result<String> {
    let done = scene.control_plane.cli(arguments)?;
    anyhow::ensure!(done.status.success(), "{}{}", done.output, done.errors);
    Ok(done.output)
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_a_copied_state_directory_shuts_out_both_until_one_is_approved() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
    let mut copy = scene.agent.copied()?;
    let started = tokio::time::Instant::now();
    copy.start()?;
    wait_for("the sensor to be quarantined", async || {
        (sensor(&scene).await.ok()?["state"] == json!("quarantined")).then_some(())
    })
    .await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    for agent in [&scene.agent, &copy] {
        wait_for("an agent to know that it is shut out", async || {
            (state(agent).ok()? == "quarantined").then_some(())
        })
        .await;
    }
    let run = scene.queue(&gitlab).await?;
    let story = command(&scene, &["sensor", "show", "office"])?;
    assert!(
        story.contains("quarantined") && story.contains("seen twice"),
        "{story}"
    );

    // Neither of them gets in again by being started once more.
    for agent in [&mut scene.agent, &mut copy] {
        told_again(agent).await?;
    }
    let api = scene.control_plane.api()?;
    let waiting = api.get(&format!("/runs/{run}"), &[]).await?;
    assert_eq!(waiting["state"], json!("queued"), "no shut out sensor gets work");
    assert_eq!(registry.log().total(), 0);

    copy.kill();
    scene.agent.kill();
    command(&scene, &["sensor", "approve", "office"])?;
    scene.agent.start()?;
    scene.online().await?;
    let run = scene.ended(&run).await?;
    assert_eq!(run["state"], json!("complete"), "{run:#}");
    assert_eq!(sensor(&scene).await?["generation"], json!(2));

    // The approval was for one of them.
    copy.start()?;
    wait_for("the sensor to be quarantined again", async || {
        (sensor(&scene).await.ok()?["state"] == json!("quarantined")).then_some(())
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_sensor_works_again_when_it_is_resumed() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
    command(&scene, &["sensor", "suspend", "office"])?;
    wait_for("the agent to know that it is suspended", async || {
        (state(&scene.agent).ok()? == "suspended").then_some(())
    })
    .await;
    let run = scene.queue(&gitlab).await?;
    let api = scene.control_plane.api()?;
    let waiting = api.get(&format!("/runs/{run}"), &[]).await?;
    assert_eq!(waiting["state"], json!("queued"), "no suspended sensor gets work");
    told_again(&mut scene.agent).await?;
    assert_eq!(state(&scene.agent)?, "suspended", "also after a restart");
    assert_eq!(sensor(&scene).await?["state"], json!("suspended"));
    assert_eq!(registry.log().total(), 0);
    command(&scene, &["sensor", "resume", "office"])?;
    scene.agent.start()?;
    scene.online().await?;
    let run = scene.ended(&run).await?;
    assert_eq!(run["state"], json!("complete"), "{run:#}");
    let story = command(&scene, &["sensor", "show", "office"])?;
    assert!(story.contains("suspend") && story.contains("resume"), "{story}");
    Ok(())
}
