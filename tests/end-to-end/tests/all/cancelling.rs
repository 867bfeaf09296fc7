//! A person stops a run.

use std::time::Duration;

use portolan_doubles::Content;
use portolan_doubles::faults::{Fault, Rule};
use portolan_harness::Scene;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn t58_a_cancelled_run_asks_the_registry_nothing_more_after_five_seconds() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    registry
        .faults()
        .add(Rule::all(), Fault::Delay(Duration::from_millis(50)));
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &["--concurrency", "4"])?;
    let run = scene.queue(&gitlab).await?;
    registry.log().reached(100).await;
    let cancelled = scene.control_plane.cli(&["run", "cancel", &run])?;
    assert!(cancelled.status.success(), "{}", cancelled.errors);
    let ended = scene.ended(&run).await?;
    assert_eq!(ended["state"], json!("cancelled"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let asked = registry.log().total();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(
        registry.log().total(),
        asked,
        "requests go on after the run was cancelled"
    );
    assert_eq!(
        scene.ended(&run).await?["state"],
        json!("cancelled"),
        "what the sensor says later changes nothing"
    );

    registry.faults().clear();
    let again = scene.sync(&gitlab).await?;
    assert_eq!(
        again["state"],
        json!("complete"),
        "the sensor takes the next run: {again:#}"
    );
    Ok(())
}
