//! skopeo on a sample, as a script would call it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use portolan_doubles::{Content, DockerRegistry};
use portolan_shared::process::{Clock as _, SystemClock};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::table::Line;

/// Reads the manifests of `sample` tags, spread evenly, eight at a time, and scales up to all tags.
pub(crate) async fn measure(
    registry: &DockerRegistry,
    content: &Content,
    sample: usize,
    certificates: &Path,
) -> anyhow::Result<Line> {
    let all: Vec<(String, String)> = content.expected().into_keys().collect();
    let step = all.len().div_ceil(sample.max(1)).max(1);
    let chosen: Vec<&(String, String)> = all.iter().step_by(step).collect();
    let mut input = String::new();
    for (repository, tag) in &chosen {
        input.push_str(&format!("docker://{}/{repository}:{tag}\n", registry.address()));
    }
    let clock = SystemClock;
    let started = clock.uptime();
    let mut child = Command::new("xargs")
        .args([
            "-P",
            "8",
            "-n",
            "1",
            "skopeo",
            "--insecure-policy",
            "inspect",
            "--raw",
            "--no-creds",
            "--cert-dir",
        ])
        .arg(certificates)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("start xargs")?;
    let mut stdin = child.stdin.take().context("open the input of xargs")?;
    stdin
        .write_all(input.as_bytes())
        .await
        .context("write to xargs")?;
    drop(stdin);
    let status = child.wait().await?;
    let wall = clock.uptime().since(started);
    if !status.success() {
        bail!("skopeo failed, {status}");
    }
    Ok(Line {
        wall: scaled(wall, all.len(), chosen.len()),
        note: format!("{} tags read, scaled to {}", chosen.len(), all.len()),
        ..Line::new("skopeo, 8 at a time")
    })
}

fn scaled(wall: Duration, all: usize, sample: usize) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "counts of tags are far below 2^52")]
    let factor = all as f64 / sample.max(1) as f64;
    wall.mul_f64(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_by_what_was_left_out() {
        assert_eq!(
            scaled(Duration::from_secs(2), 10_000, 50),
            Duration::from_secs(400)
        );
        assert_eq!(scaled(Duration::from_secs(2), 7, 7), Duration::from_secs(2));
    }
}
