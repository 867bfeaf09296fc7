//! The way out of a company.

use portolan_doubles::{ConnectProxy, Content};
use portolan_harness::Scene;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_control_plane_is_reached_through_a_connect_proxy_and_registries_are_not() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    let proxy = ConnectProxy::start(Some(("user", "s3cret")), &scene.tasks).await?;
    scene
        .agent
        .set("HTTPS_PROXY", &format!("http://user:s3cret@{}", proxy.address()));
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
    let run = scene.sync(&gitlab).await?;
    assert_eq!(run["state"], json!("complete"), "{run:#}");
    let tunnels = proxy.tunnels();
    assert!(
        tunnels.len() >= 2,
        "enrolment, session and upload go through the proxy: {tunnels:?}"
    );
    let sensors = scene.control_plane.sensors().to_string();
    assert!(
        tunnels.iter().all(|tunnel| tunnel.target == sensors),
        "{tunnels:?}"
    );
    assert!(!scene.agent.log().contains("s3cret"));
    Ok(())
}
