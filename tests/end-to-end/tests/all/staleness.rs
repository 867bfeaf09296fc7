//! A control plane that cannot read who is shut out, while all else of its database answers.

use portolan_doubles::Content;
use portolan_harness::{Scene, wait_for};
use serde_json::json;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

const AWAY: &str = "ALTER TABLE denial_epoch RENAME TO denial_epoch_away";
const BACK: &str = "ALTER TABLE denial_epoch_away RENAME TO denial_epoch";

async fn change(scene: &Scene, statement: &'static str) -> anyhow::Result<()> {
    let database = scene.control_plane.data_dir().join("portolan.db");
    let mut connection = SqliteConnectOptions::new().filename(database).connect().await?;
    sqlx::query(statement).execute(&mut connection).await?;
    Ok(())
}

/// Waits until the control plane's log has this.
async fn said(scene: &Scene, text: &str) {
    wait_for(text, async || {
        scene.control_plane.log().contains(text).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t19_who_cannot_read_who_is_shut_out_grants_nothing_sends_all_away_and_recovers_by_itself()
-> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
    let api = scene.control_plane.api()?;
    change(&scene, AWAY).await?;
    said(
        &scene,
        "sensors get no sessions, work, certificates or credentials",
    )
    .await;
    let sensor = api.get("/sensors/office", &[]).await?;
    assert_eq!(sensor["online"], json!(true), "what is open goes on");
    let asked = registry.log().total();
    let run = scene.queue(&gitlab).await?;

    said(&scene, "all sessions of sensors end").await;
    said(&scene, "session ended").await;
    let waits = api.get(&format!("/runs/{run}"), &[]).await?;
    assert_eq!(waits["state"], json!("queued"), "no work on what is not known");
    assert_eq!(registry.log().total(), asked);

    change(&scene, BACK).await?;
    let ended = scene.ended(&run).await?;
    assert_eq!(ended["state"], json!("complete"), "{ended}");
    said(&scene, "the database says again who is shut out").await;
    Ok(())
}
