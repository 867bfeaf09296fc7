//! How a machine becomes a sensor, and how it does not.

use portolan_harness::{Agent, ControlPlane};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_cannot_work_are_told_apart_and_change_nothing() -> anyhow::Result<()> {
    let control_plane = ControlPlane::start().await?;
    let token = control_plane.invite("office")?;
    let cut = Agent::new()?;
    let refused = cut.enroll(&token[..token.len() - 9], &[])?;
    assert!(
        !refused.status.success() && refused.errors.contains("cut off"),
        "{}",
        refused.errors
    );
    assert!(!cut.data_dir().join("identity.key").exists());
    let other = cut.enroll("glpat-AAAAAAAAAAAAAAAAAAAA", &[])?;
    assert!(
        !other.status.success() && other.errors.contains("ptl1_"),
        "{}",
        other.errors
    );

    let first = Agent::new()?;
    let enrolled = first.enroll(&token, &[])?;
    assert!(
        enrolled.status.success(),
        "{}{}",
        enrolled.output,
        enrolled.errors
    );
    let second = Agent::new()?;
    let used = second.enroll(&token, &[])?;
    assert_eq!(used.status.code(), Some(2), "{}", used.errors);
    assert!(
        used.errors.contains("another machine") || used.errors.contains("already"),
        "{}",
        used.errors
    );
    let sensors = control_plane.api()?.all("/sensors", &[]).await?;
    assert_eq!(sensors.len(), 1, "{sensors:#?}");
    assert_eq!(
        sensors[0]["contested"],
        json!(true),
        "somebody else had the token too"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t01_an_invitation_to_one_control_plane_is_not_shown_to_another() -> anyhow::Result<()> {
    let (genuine, other) = (ControlPlane::start().await?, ControlPlane::start().await?);
    let token = genuine.invite("office")?;
    // The address of the other, with the pins of the genuine one: what a forged DNS record makes of a token.
    let behind = ControlPlane::start_behind(Some(other.sensors())).await?;
    let misled = behind.invite("misled")?;
    let agent = Agent::new()?;
    let refused = agent.enroll(&misled, &[])?;
    assert_eq!(refused.status.code(), Some(2), "{}", refused.errors);
    assert!(
        refused.errors.contains("not the control plane"),
        "{}",
        refused.errors
    );
    let sensors = other.api()?.all("/sensors", &[]).await?;
    assert!(sensors.is_empty());
    let enrolled = Agent::new()?.enroll(&token, &[])?;
    assert!(enrolled.status.success(), "{}", enrolled.errors);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t06_of_many_machines_with_one_token_one_becomes_a_sensor() -> anyhow::Result<()> {
    let control_plane = ControlPlane::start().await?;
    let token = control_plane.invite("office")?;
    let agents: Vec<Agent> = (0..8).map(|_| Agent::new()).collect::<Result<_, _>>()?;
    let mut successes = 0;
    std::thread::scope(|scope| {
        let attempts: Vec<_> = agents
            .iter()
            .map(|agent| scope.spawn(|| agent.enroll(&token, &[])))
            .collect();
        for attempt in attempts {
            let finished = attempt.join().expect("the thread does not panic")?;
            successes += usize::from(finished.status.success());
        }
        anyhow::Ok(())
    })?;
    assert_eq!(successes, 1);
    assert_eq!(control_plane.api()?.all("/sensors", &[]).await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_consent_nothing_is_contacted() -> anyhow::Result<()> {
    let mut scene = portolan_harness::Scene::start().await?;
    let registry = scene.registry_double(portolan_doubles::Content::demo()).await?;
    scene.enrol(&[]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
    let run = scene.sync(&gitlab).await?;
    assert_eq!(run["state"], json!("failed"));
    assert_eq!(run["finding"]["code"], json!("policy.refused"), "{run:#}");
    assert_eq!((registry.log().total(), registry.connections()), (0, 0));
    Ok(())
}

/// The whole of what was presented, and what is missing, where the operator looks.
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_behind_an_unknown_authority_is_described_certificate_by_certificate() -> anyhow::Result<()>
{
    let mut scene = portolan_harness::Scene::start().await?;
    let registry = scene.registry_double(portolan_doubles::Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    let control_plane = &scene.control_plane;
    let added = control_plane.cli(&[
        "registry",
        "add",
        "unknown",
        &registry.url(),
        "--sensor",
        "office",
        "--no-test",
    ])?;
    assert!(added.status.success(), "{}", added.errors);
    let synced = control_plane.cli(&["sync", "unknown", "--wait"])?;
    assert!(!synced.status.success());
    let run = scene
        .queue(&portolan_harness::Registered { name: "unknown" })
        .await?;
    let run = scene.ended(&run).await?;
    assert_eq!(run["finding"]["code"], json!("tls.private_ca"), "{run:#}");
    let shown = control_plane
        .cli(&["run", "show", run["id"].as_str().unwrap_or_default()])?
        .output;
    for part in ["127.0.0.1", "Acme", "issuer", "valid", "sha256", "--ca-file"] {
        assert!(
            shown.to_lowercase().contains(&part.to_lowercase()),
            "{part} is missing in:\n{shown}"
        );
    }
    Ok(())
}
