//! The table, the aims, the file.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use portolan_doubles::content::BenchShape;
use serde_json::{Value, json};

/// One thing that was measured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    /// What.
    pub(crate) name: String,
    /// How long it took; zero for what has no duration.
    pub(crate) wall: Duration,
    /// Processor time of the client.
    pub(crate) cpu: Option<Duration>,
    /// Most memory of the client, in KiB.
    pub(crate) peak_rss_kib: Option<u64>,
    /// Requests to the registry.
    pub(crate) requests: Option<u64>,
    /// Bytes sent to the control plane.
    pub(crate) bytes_up: Option<u64>,
    /// Processor time of the control plane.
    pub(crate) control_plane_cpu: Option<Duration>,
    /// Processor time of the registry.
    pub(crate) registry_cpu: Option<Duration>,
    /// What has to be known about it.
    pub(crate) note: String,
}

impl Line {
    /// One without figures.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }
}

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    shape: BenchShape,
    lines: Vec<Line>,
    agent_bytes: Option<u64>,
}

/// A figure that is aimed at.
struct Aim {
    what: &'static str,
    reached: f64,
    bound: f64,
    unit: &'static str,
    /// Whether the bound is the least, not the most.
    at_least: bool,
}

impl Aim {
    fn is_met(&self) -> bool {
        if self.at_least {
            self.reached >= self.bound
        } else {
            self.reached <= self.bound
        }
    }
}

impl Report {
    /// Nothing yet.
    pub(crate) fn new(shape: BenchShape) -> Self {
        Self {
            shape,
            lines: Vec::new(),
            agent_bytes: None,
        }
    }

    /// Notes the size of the agent's program, in bytes.
    pub(crate) fn set_agent_bytes(&mut self, bytes: u64) {
        self.agent_bytes = Some(bytes);
    }

    /// One more.
    pub(crate) fn add(&mut self, line: Line) {
        self.lines.push(line);
    }

    fn line(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    /// The quicker of the bare loops.
    fn bare(&self) -> Option<&Line> {
        let loops = self
            .lines
            .iter()
            .filter(|line| line.name.starts_with("bare loop"));
        loops.min_by_key(|line| line.wall)
    }

    fn aims(&self) -> Vec<Aim> {
        let mut aims = Vec::new();
        let mut most = |what, reached: Option<f64>, bound, unit| {
            aims.extend(reached.map(|reached| Aim {
                what,
                reached,
                bound,
                unit,
                at_least: false,
            }));
        };
        let (first, second, bare) = (
            self.line("agent, first sync"),
            self.line("agent, second sync"),
            self.bare(),
        );
        let wall = |line: Option<&Line>| line.map(|line| line.wall.as_secs_f64());
        let cpu = |line: Option<&Line>| Some(line?.cpu?.as_secs_f64());
        let ratio = |one: Option<f64>, other: Option<f64>| Some(one? / other.filter(|other| *other > 0.0)?);
        let mebibytes = |line: Option<&Line>| Some(float(line?.peak_rss_kib?) / 1_024.0);
        most(
            "first sync, wall against the bare loop",
            ratio(wall(first), wall(bare)),
            1.3,
            "x",
        );
        most(
            "first sync, agent's processor time against the bare loop",
            ratio(cpu(first), cpu(bare)),
            2.0,
            "x",
        );
        most("first sync, agent's peak memory", mebibytes(first), 24.0, "MiB");
        most(
            "agent's memory when idle",
            mebibytes(self.line("agent, idle")),
            16.0,
            "MiB",
        );
        most(
            "agent's program",
            self.agent_bytes.map(|bytes| float(bytes) / 1e6),
            12.0,
            "MB",
        );
        let repositories = float(self.shape.repositories as u64);
        let up = second
            .and_then(|line| line.bytes_up)
            .map(|bytes| float(bytes) / repositories);
        most("second sync, upload per repository", up, 64.0, "bytes");
        let skopeo = ratio(wall(self.line("skopeo, 8 at a time")), wall(first));
        aims.extend(skopeo.map(|reached| Aim {
            what: "skopeo's wall against the first sync",
            reached,
            bound: 10.0,
            unit: "x",
            at_least: true,
        }));
        aims
    }

    /// Writes everything to `path`, as JSON.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|line| {
                json!({
                    "name": line.name,
                    "wall_seconds": line.wall.as_secs_f64(),
                    "cpu_seconds": seconds(line.cpu),
                    "peak_rss_kib": line.peak_rss_kib,
                    "requests": line.requests,
                    "bytes_up": line.bytes_up,
                    "control_plane_cpu_seconds": seconds(line.control_plane_cpu),
                    "registry_cpu_seconds": seconds(line.registry_cpu),
                    "note": line.note,
                })
            })
            .collect();
        let aims: Vec<Value> = self
            .aims()
            .iter()
            .map(|aim| json!({"what": aim.what, "reached": aim.reached, "bound": aim.bound, "unit": aim.unit, "met": aim.is_met()}))
            .collect();
        let all = json!({
            "repositories": self.shape.repositories,
            "tags": self.shape.tags,
            "processors": std::thread::available_parallelism().map_or(1, usize::from),
            "agent_program_bytes": self.agent_bytes,
            "measured": lines,
            "aims": aims,
        });
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        }
        let text = serde_json::to_string_pretty(&all)?;
        std::fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))
    }
}

fn float(number: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts and sizes here are far below 2^52"
    )]
    let float = number as f64;
    float
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = self
            .bare()
            .map(|line| line.wall.as_secs_f64())
            .filter(|wall| *wall > 0.0);
        let seconds = |time: Option<Duration>| {
            time.map_or("-".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()))
        };
        writeln!(
            f,
            "\n{:<22} {:>8} {:>10} {:>9} {:>9} {:>9} {:>11} {:>9} {:>9}  note",
            "what", "ratio", "wall", "cpu", "memory", "requests", "bytes up", "cp cpu", "reg. cpu"
        )?;
        for line in &self.lines {
            let wall = (!line.wall.is_zero()).then_some(line.wall);
            let ratio = wall.zip(bare).map_or("-".to_owned(), |(wall, bare)| {
                format!("{:.2}x", wall.as_secs_f64() / bare)
            });
            let memory = line
                .peak_rss_kib
                .map_or("-".to_owned(), |kib| format!("{:.1} MiB", float(kib) / 1_024.0));
            let count = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
            writeln!(
                f,
                "{:<22} {ratio:>8} {:>10} {:>9} {memory:>9} {:>9} {:>11} {:>9} {:>9}  {}",
                line.name,
                seconds(wall),
                seconds(line.cpu),
                count(line.requests),
                count(line.bytes_up),
                seconds(line.control_plane_cpu),
                seconds(line.registry_cpu),
                line.note
            )?;
        }
        writeln!(f)?;
        for aim in self.aims() {
            let word = if aim.is_met() { "met   " } else { "missed" };
            let side = if aim.at_least { "at least" } else { "at most" };
            writeln!(
                f,
                "{word}  {}: {:.2} {unit} ({side} {} {unit})",
                aim.what,
                aim.reached,
                aim.bound,
                unit = aim.unit
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, seconds: u64) -> Line {
        Line {
            wall: Duration::from_secs(seconds),
            cpu: Some(Duration::from_secs(seconds)),
            ..Line::new(name)
        }
    }

    #[test]
    fn compares_with_the_quicker_bare_loop() {
        let mut report = Report::new(BenchShape::default());
        for (name, seconds) in [
            ("bare loop, HTTP/1.1", 10),
            ("bare loop, HTTP/2", 20),
            ("agent, first sync", 12),
        ] {
            report.add(line(name, seconds));
        }
        report.add(line("skopeo, 8 at a time", 60));
        let aims = report.aims();
        let reached: Vec<(f64, bool)> = aims.iter().map(|aim| (aim.reached, aim.is_met())).collect();
        assert_eq!(reached, [(1.2, true), (1.2, true), (5.0, false)]);
        let text = report.to_string();
        assert!(
            text.contains("2.00x") && text.contains("missed  skopeo"),
            "{text}"
        );
    }
}
