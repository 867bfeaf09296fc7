//! What people push, move and delete.

use std::fs;

use portolan_doubles::{Skopeo, SmallImage};
use portolan_harness::{Door, Notified};
use serde_json::json;

use super::said::{event, few, newest};

const FRESH: &str = "acme/fresh";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_notifies_the_agent_of_is_in_the_inventory() -> anyhow::Result<()> {
    let mut notified = Notified::start(Door::Listener, &few()).await?;
    let shown = notified
        .scene
        .control_plane
        .cli(&["registry", "show", "gitlab", "--webhook"])?;
    assert!(
        shown.output.contains(&notified.url),
        "once the sensor has said where it listens, that is printed: {}",
        shown.output
    );
    story(&mut notified, Door::Listener).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_notifies_the_control_plane_of_is_in_the_inventory() -> anyhow::Result<()> {
    let mut notified = Notified::start(Door::ControlPlane, &few()).await?;
    assert!(
        notified.url.contains("/api/webhooks/distribution/"),
        "{}",
        notified.url
    );
    story(&mut notified, Door::ControlPlane).await
}

async fn story(notified: &mut Notified, door: Door) -> anyhow::Result<()> {
    let skopeo = notified.skopeo()?;
    let api = notified.scene.control_plane.api()?;
    let before = notified.scene.inventory(&notified.name).await?;
    let (one, two) = (SmallImage::new("one"), SmallImage::new("two"));
    let (first, second) = (one.digest().to_string(), two.digest().to_string());

    skopeo.push(&one, FRESH, "1.0").await?;
    notified.becomes(FRESH, "1.0", Some(&first)).await;
    skopeo.push(&one, FRESH, "stable").await?;
    notified.becomes(FRESH, "stable", Some(&first)).await;
    let line = newest(notified, FRESH, "stable").await?;
    assert_eq!(line["change"], json!("appeared"), "{line:#}");
    assert_eq!(line["by"]["trigger"], json!("event"), "{line:#}");
    assert_eq!(
        (&line["by"]["references"], &line["by"]["repositories"]),
        (&json!(["acme/fresh:stable"]), &json!([])),
        "of a repository that is known, the tag alone is looked at"
    );

    skopeo.push(&two, FRESH, "1.0").await?;
    notified.becomes(FRESH, "1.0", Some(&second)).await;
    let line = newest(notified, FRESH, "1.0").await?;
    assert_eq!(
        (
            &line["change"],
            &line["from"],
            &line["to"],
            &line["by"]["trigger"]
        ),
        (&json!("moved"), &json!(first), &json!(second), &json!("event")),
        "{line:#}"
    );
    assert_eq!(
        (&line["learnt"], &line["sensor"]),
        (&json!("event"), &json!("office")),
        "{line:#}"
    );
    let moved_at = line["noticed_at"].as_str().unwrap_or_default().to_owned();
    assert_eq!(skopeo.digest(FRESH, "1.0").await?.to_string(), second);

    // By its digest, which is the only way that this registry knows.
    skopeo.delete(FRESH, "1.0").await?;
    notified.becomes(FRESH, "1.0", None).await;
    let line = newest(notified, FRESH, "1.0").await?;
    assert_eq!(
        (&line["change"], &line["from"], &line["by"]["trigger"]),
        (&json!("vanished"), &json!(second), &json!("event")),
        "{line:#}"
    );
    assert_eq!(
        notified.digest(FRESH, "stable").await?,
        Some(first.clone()),
        "and nothing else vanished"
    );

    let then = api
        .get(
            "/tags",
            &[("registry", "gitlab"), ("repository", FRESH), ("at", &moved_at)],
        )
        .await?;
    let then: Vec<_> = then["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tag| (&tag["tag"], &tag["digest"]))
        .collect();
    let (deleted, kept) = (json!(second), json!(first));
    assert_eq!(
        then,
        [(&json!("1.0"), &deleted), (&json!("stable"), &kept)],
        "as it was then, with what was deleted since"
    );

    // A repository as a whole, which this registry cannot delete: GitLab's does, and says so.
    gone(notified, &skopeo).await?;
    match door {
        Door::Listener => confirmed_by_itself(notified).await?,
        Door::ControlPlane => {
            let run = notified.scene.sync(&notified.name).await?;
            assert_eq!(run["state"], json!("complete"), "{run:#}");
        }
    }
    let line = newest(notified, FRESH, "stable").await?;
    assert_eq!(line["change"], json!("vanished"), "{line:#}");
    assert_eq!(notified.scene.inventory(&notified.name).await?, before);
    let registry = api.get("/registries/gitlab", &[]).await?;
    assert!(registry["last_event_at"].is_string(), "{registry:#}");
    let runs = notified.settled().await;
    assert!(
        runs.iter().all(|run| run["state"] != json!("failed")),
        "{runs:#?}"
    );
    assert!(
        notified
            .scene
            .tokens
            .asked_beyond_reading()
            .iter()
            .all(|scope| scope.contains(FRESH))
    );
    Ok(())
}

async fn gone(notified: &Notified, skopeo: &Skopeo) -> anyhow::Result<()> {
    let storage = notified
        .registry
        .folder()
        .join("storage/docker/registry/v2/repositories");
    fs::remove_dir_all(storage.join(FRESH))?;
    assert!(skopeo.list_tags(FRESH).await.is_err());
    let deleted = [event("gone", "delete", FRESH, None, None)];
    assert_eq!(notified.notify(&deleted).await?, 200);
    let looked = notified.settled().await;
    assert_eq!(looked[0]["trigger"], json!("event"), "{:#}", looked[0]);
    assert!(
        notified.digest(FRESH, "stable").await?.is_some(),
        "some registries answer so for what a credential must not see any more: a run of the whole decides"
    );
    Ok(())
}

/// The whole is looked at an hour after it last was, or as soon as an agent that has started may have missed something: both are one look.
async fn confirmed_by_itself(notified: &mut Notified) -> anyhow::Result<()> {
    let runs = notified.runs().await?.len();
    notified.scene.agent.kill();
    notified.scene.agent.start()?;
    notified.becomes(FRESH, "stable", None).await;
    let after = notified.settled().await;
    assert_eq!(after.len(), runs + 1, "{after:#?}");
    let whole = &after[0];
    assert_eq!(
        (
            &whole["trigger"],
            &whole["references"],
            &whole["repositories"],
            &whole["state"]
        ),
        (&json!("event"), &json!([]), &json!([]), &json!("complete")),
        "{whole:#}"
    );
    Ok(())
}
