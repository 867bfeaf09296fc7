//! The agent's two syncs, with the real programs.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use portolan_demo::installation::{Agent, Allowed, ControlPlane, Figures, Operator, Programs};
use portolan_doubles::DockerRegistry;
use serde_json::Value;

use crate::report::Line;

/// Starts the programs and syncs `registry` twice.
pub(crate) async fn measure(
    programs: &Programs,
    registry: &DockerRegistry,
    registry_id: u32,
    ca_file: &Path,
    folder: &Path,
) -> anyhow::Result<Vec<Line>> {
    let mut control_plane = ControlPlane::start(programs, folder).await?;
    let operator = control_plane.operator().clone();
    let allowed = Allowed {
        registry: registry.address().to_string(),
        ..Allowed::default()
    };
    let mut agent = Agent::start(programs, &operator, "bench", &allowed, folder).await?;
    let ca_file = ca_file.to_string_lossy();
    operator
        .json(&[
            "registry",
            "add",
            "bench",
            &registry.url(),
            "--sensor",
            "bench",
            "--ca-file",
            &ca_file,
        ])
        .await?;
    let mut lines = vec![Line {
        peak_rss_kib: Some(agent.process().figures()?.rss_kib),
        note: "connected, before any work".to_owned(),
        ..Line::new("agent, idle")
    }];
    for (name, must_fetch) in [("agent, first sync", true), ("agent, second sync", false)] {
        eprintln!("{name}");
        let (agent_id, control_plane_id) = (agent.process().id(), control_plane.process().id());
        Figures::forget_peak(agent_id)?;
        let before = [agent_id, control_plane_id, registry_id].map(Figures::of);
        let run = sync(&operator).await?;
        let after = [agent_id, control_plane_id, registry_id].map(Figures::of);
        let used = |place: usize| -> anyhow::Result<Duration> {
            let read = |figures: &anyhow::Result<Figures>| figures.as_ref().map(|figures| figures.cpu).ok();
            let (before, after) = (read(&before[place]), read(&after[place]));
            let (before, after) = before.zip(after).context("a process ended during a sync")?;
            Ok(after.saturating_sub(before))
        };
        let number = |pointer: &str| run.pointer(pointer).and_then(Value::as_u64);
        let manifests = number("/progress/manifests").context("read how many manifests were fetched")?;
        if must_fetch != (manifests > 0) {
            bail!("{name}: {manifests} manifests were fetched");
        }
        lines.push(Line {
            wall: duration_of(&run)?,
            cpu: Some(used(0)?),
            peak_rss_kib: Some(Figures::of(agent_id)?.peak_rss_kib),
            requests: number("/progress/requests"),
            bytes_up: number("/progress/bytes_up"),
            control_plane_cpu: Some(used(1)?),
            registry_cpu: Some(used(2)?),
            ..Line::new(name)
        });
    }
    agent.process().stop().await;
    control_plane.process().stop().await;
    Ok(lines)
}

/// Syncs to the end and gives the run, which must be complete.
async fn sync(operator: &Operator) -> anyhow::Result<Value> {
    operator.json(&["sync", "bench", "--wait"]).await?;
    let mut runs = operator
        .get("/runs", &[("registry", "bench"), ("limit", "1")])
        .await?;
    let run = runs["items"][0].take();
    if run["state"] != "complete" {
        bail!("the run is {}, not complete: {run:#}", run["state"]);
    }
    Ok(run)
}

fn duration_of(run: &Value) -> anyhow::Result<Duration> {
    let time = |key: &str| -> anyhow::Result<Timestamp> {
        let text = run[key]
            .as_str()
            .with_context(|| format!("find {key} of the run"))?;
        text.parse().with_context(|| format!("read {key} of the run"))
    };
    let span = time("ended_at")?.duration_since(time("queued_at")?);
    Duration::try_from(span).context("a run that ended before it was queued")
}
