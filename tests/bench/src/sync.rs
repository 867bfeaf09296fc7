//! Syncs of the agent, with the real programs.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use portolan_demo::installation::{Agent, Allowed, ControlPlane, Figures, Operator, Programs};
use serde_json::Value;

use crate::table::Line;

/// One sync.
pub(crate) struct Pass {
    /// What it is called in the table.
    pub(crate) name: &'static str,
    /// Whether there is something new in the registry.
    pub(crate) must_fetch: bool,
}

/// What is synced, and by which programs.
pub(crate) struct Sync<'s> {
    /// The programs.
    pub(crate) programs: &'s Programs,
    /// What the agent's policy allows.
    pub(crate) allowed: Allowed,
    /// Where the registry is.
    pub(crate) url: String,
    /// Which process it is, if it is one of its own.
    pub(crate) registry_id: Option<u32>,
    /// Whose certificates.
    pub(crate) ca_file: &'s Path,
    /// A folder for the state of both programs; must not have been used before.
    pub(crate) folder: &'s Path,
}

/// Starts the programs and syncs the registry as often as there are passes. The first line is the agent before any work.
pub(crate) async fn measure(sync: &Sync<'_>, passes: &[Pass]) -> anyhow::Result<Vec<Line>> {
    let Sync {
        programs,
        allowed,
        url,
        registry_id,
        ca_file,
        folder,
    } = sync;
    let mut control_plane = ControlPlane::start(programs, folder).await?;
    let operator = control_plane.operator().clone();
    let mut agent = Agent::start(programs, &operator, "bench", allowed, folder).await?;
    let ca_file = ca_file.to_string_lossy();
    let mut add = vec![
        "registry",
        "add",
        "bench",
        url,
        "--sensor",
        "bench",
        "--ca-file",
        &ca_file,
    ];
    if let Some(reference) = &allowed.credential {
        add.extend(["--credential-ref", reference]);
    }
    operator.json(&add).await?;
    let mut lines = vec![Line {
        peak_rss_kib: Some(agent.process().figures()?.rss_kib),
        note: "connected, before any work".to_owned(),
        ..Line::new("agent, idle")
    }];
    for Pass { name, must_fetch } in passes {
        eprintln!("{name}");
        let (agent_id, control_plane_id) = (agent.process().id(), control_plane.process().id());
        Figures::forget_peak(agent_id)?;
        let cpu = |id: u32| Figures::of(id).map(|figures| figures.cpu);
        let all = || -> anyhow::Result<_> {
            Ok((
                cpu(agent_id)?,
                cpu(control_plane_id)?,
                registry_id.map(cpu).transpose()?,
            ))
        };
        let before = all()?;
        let run = run_to_its_end(&operator).await?;
        let after = all().context("a process ended during a sync")?;
        let number = |pointer: &str| run.pointer(pointer).and_then(Value::as_u64);
        let manifests = number("/progress/manifests").context("read how many manifests were fetched")?;
        if *must_fetch != (manifests > 0) {
            bail!("{name}: {manifests} manifests were fetched");
        }
        lines.push(Line {
            wall: duration_of(&run)?,
            cpu: Some(after.0.saturating_sub(before.0)),
            peak_rss_kib: Some(Figures::of(agent_id)?.peak_rss_kib),
            requests: number("/progress/requests"),
            bytes_up: number("/progress/bytes_up"),
            control_plane_cpu: Some(after.1.saturating_sub(before.1)),
            registry_cpu: after
                .2
                .zip(before.2)
                .map(|(after, before)| after.saturating_sub(before)),
            ..Line::new(name)
        });
    }
    agent.process().stop().await;
    control_plane.process().stop().await;
    Ok(lines)
}

/// Syncs to the end and gives the run, which must be complete.
async fn run_to_its_end(operator: &Operator) -> anyhow::Result<Value> {
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
