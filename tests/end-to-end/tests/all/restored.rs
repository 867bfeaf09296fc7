//! The control plane's database is restored from a backup, with the real programs.

use anyhow::Context as _;
use portolan_doubles::Content;
use portolan_harness::{Scene, wait_for};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn t60_the_agent_goes_on_by_itself_after_a_restore() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    let other = scene.another_agent("cellar", &[]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
    assert_eq!(scene.sync(&gitlab).await?["state"], json!("complete"));

    let data_dir = path(&scene.control_plane.data_dir());
    let backup = path(&scene.control_plane.file("backup.db"));
    let taken = scene
        .control_plane
        .cli(&["backup", "--data-dir", &data_dir, &backup])?;
    assert!(taken.status.success(), "{}", taken.errors);
    let again = scene
        .control_plane
        .cli(&["backup", "--data-dir", &data_dir, &backup])?;
    assert_eq!(again.status.code(), Some(1));
    assert!(again.errors.contains("exists already"), "{}", again.errors);

    // What the backup does not know: a session of each agent, a revocation, a registry.
    scene.agent.kill();
    scene.agent.start()?;
    scene.online().await?;
    assert_eq!(scene.sync(&gitlab).await?["state"], json!("complete"));
    scene.add_registry("quay", &registry.url(), &[])?;
    let revoked = scene.control_plane.cli(&["sensor", "revoke", "cellar"])?;
    assert!(revoked.status.success(), "{}", revoked.errors);
    drop(other);
    let audit = path(&scene.control_plane.file("audit.jsonl"));
    let exported = scene.control_plane.cli(&["audit", "export", &audit])?;
    assert!(exported.status.success(), "{}", exported.errors);
    let in_use = restore(&scene, &["--from", &backup, "--audit", &audit])?;
    assert_eq!(in_use.0, Some(1), "the server runs");
    scene.control_plane.kill();

    // Put in place by hand it lets nobody in.
    let database = format!("{data_dir}/portolan.db");
    for beside in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{database}{beside}"));
    }
    std::fs::copy(&backup, &database)?;
    let refused = scene
        .control_plane
        .restart()
        .await
        .err()
        .context("it started")?
        .to_string();
    assert!(
        refused.contains("is a backup") && refused.contains("portolan restore"),
        "{refused}"
    );

    let (code, told) = restore(&scene, &["--from", &backup, "--audit", &audit])?;
    assert_eq!(code, Some(0), "{told}");
    for part in ["sensor.revoke", "registry.add", "(quay)", "Start the server now"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    scene.control_plane.restart().await?;
    scene.online().await?;
    let run = scene.sync(&gitlab).await?;
    assert_eq!(run["state"], json!("complete"), "{run:#}");

    let api = scene.control_plane.api()?;
    assert_eq!(api.get("/sensors/office", &[]).await?["state"], json!("active"));
    assert_eq!(api.get("/sensors/cellar", &[]).await?["state"], json!("revoked"));
    let recoveries = wait_for("the recovery in the story", async || {
        let story = api.get("/sensors/office/story", &[]).await.ok()?;
        let recoveries: Vec<Value> = story["items"]
            .as_array()?
            .iter()
            .filter(|entry| entry["action"] == json!("sensor.recover"))
            .cloned()
            .collect();
        (!recoveries.is_empty()).then_some(recoveries)
    })
    .await;
    assert_eq!(recoveries.len(), 1, "{recoveries:#?}");
    assert_eq!(recoveries[0]["details"]["amnesty"], json!(true));
    let verified = scene.control_plane.cli(&["audit", "verify"])?;
    assert!(
        verified.status.success(),
        "{}{}",
        verified.output,
        verified.errors
    );
    Ok(())
}

/// Exit code and everything that was said.
fn restore(scene: &Scene, further: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let data_dir = path(&scene.control_plane.data_dir());
    let arguments = [&["restore", "--data-dir", &data_dir], further].concat();
    let done = scene.control_plane.cli(&arguments)?;
    Ok((done.status.code(), format!("{}{}", done.output, done.errors)))
}

fn path(path: &std::path::Path) -> String {
    path.to_string_lossy().into_owned()
}
