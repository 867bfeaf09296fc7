//! What is there to be notified of, and what the control plane and the agent make of it.

use portolan_doubles::Content;
use portolan_doubles::content::Image;
use portolan_harness::Notified;
pub(super) use portolan_harness::distribution_event as event;
use serde_json::Value;

/// Content with one repository of these tags, each an image of its own, beside [`few`].
pub(super) fn some(repository: &str, tags: &[&str]) -> Content {
    let mut content = few();
    let mut shelf = content.shelf(repository);
    for tag in tags {
        let digest = shelf.image(&Image::new(&format!("{repository}/{tag}")));
        shelf.tag(tag, &digest);
    }
    content
}

/// A registry with two small repositories.
pub(super) fn few() -> Content {
    let mut content = Content::new();
    for (repository, tag) in [("acme/base/alpine", "3.20"), ("acme/shop/api", "1.0.0")] {
        let mut shelf = content.shelf(repository);
        let digest = shelf.image(&Image::new(repository));
        shelf.tag(tag, &digest);
    }
    content
}

/// The newest line of a tag's history, with the run by which it was learnt as `by`.
pub(super) async fn newest(notified: &Notified, repository: &str, tag: &str) -> anyhow::Result<Value> {
    let api = notified.scene.control_plane.api()?;
    let reference = format!("gitlab/{repository}:{tag}");
    let mut history = api.get("/history", &[("reference", &reference)]).await?;
    let mut line = history["items"][0].take();
    let run = line["run"].as_str().unwrap_or_default();
    line["by"] = api.get(&format!("/runs/{run}"), &[]).await?;
    Ok(line)
}

/// How the listener of the agent is, by the agent's own word: the line of the registry.
pub(super) fn listener(notified: &Notified) -> anyhow::Result<Value> {
    let status = notified.scene.agent.cli(&["status", "-o", "json"])?;
    let mut status: Value = serde_json::from_str(&status.output)?;
    Ok(status["notify"]["registries"][0].take())
}

/// How often the agent has opened a session.
pub(super) fn sessions(notified: &Notified) -> usize {
    notified.scene.agent.log().matches("a session is open").count()
}
