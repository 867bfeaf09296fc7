//! A sensor is shut out.

use std::time::Duration;

use portolan_doubles::{Content, MiddleBox};
use portolan_harness::{Scene, wait_for};
use reqwest::StatusCode;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn t16_a_revoked_sensor_is_out_within_a_second_and_stays_out() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
    let revoked = scene.control_plane.cli(&["sensor", "revoke", "office"])?;
    assert!(revoked.status.success(), "{}{}", revoked.output, revoked.errors);
    let at = tokio::time::Instant::now();
    let agent = scene.agent.process().expect("the agent runs");
    let status = loop {
        if let Some(status) = agent.ended() {
            break status;
        }
        assert!(at.elapsed() < Duration::from_secs(5), "the agent was not told");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(at.elapsed() < Duration::from_secs(1), "{:?}", at.elapsed());
    assert_eq!(status.code(), Some(78), "{}", scene.agent.log());

    scene.agent.start()?;
    wait_for("the agent to give up again", async || {
        scene
            .agent
            .process()
            .and_then(portolan_harness::Process::ended)
            .map(|status| assert_eq!(status.code(), Some(78)))
    })
    .await;
    let sensor = scene.control_plane.api()?.get("/sensors/office", &[]).await?;
    assert_eq!(sensor["state"], json!("revoked"));
    let run = scene.queue(&gitlab).await;
    if let Ok(run) = run {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let run = scene
            .control_plane
            .api()?
            .get(&format!("/runs/{run}"), &[])
            .await?;
        assert_eq!(run["state"], json!("queued"), "no revoked sensor gets work");
    }
    assert_eq!(registry.log().total(), 0);
    Ok(())
}

/// What a middlebox says changes nothing: only the control plane's own word does.
#[tokio::test(flavor = "multi_thread")]
async fn t51_a_middlebox_that_refuses_everything_changes_no_state_file() -> anyhow::Result<()> {
    let (mut scene, wire) = Scene::with_wire().await?;
    scene.enrol(&[]).await?;
    // The last that a first session writes.
    wait_for("the sealing key to be taken", async || {
        let keys = std::fs::read_to_string(scene.agent.data_dir().join("sealing.keys")).ok()?;
        keys.contains(r#""accepted":true"#).then_some(())
    })
    .await;
    let before = state(&scene);
    let middlebox = MiddleBox::start(scene.tls()?, StatusCode::SERVICE_UNAVAILABLE, &scene.tasks).await?;
    wire.redirect_to(middlebox.address());
    wire.cut();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(state(&scene), before, "a state file changed");
    wire.redirect_to(scene.control_plane.sensors());
    wire.cut();
    scene.online().await?;
    Ok(())
}

/// Every file of the agent's identity, by content. Counters of starts and log files are not identity.
fn state(scene: &Scene) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(scene.agent.data_dir())
        .expect("the agent's folder")
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                std::fs::read(entry.path()).unwrap_or_default(),
            )
        })
        .collect();
    files.sort();
    files
}
