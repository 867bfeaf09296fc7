//! What was measured and what was aimed at: a table for people, JSON for machines.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
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

    fn to_json(&self) -> Value {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        json!({
            "name": self.name,
            "wall_seconds": self.wall.as_secs_f64(),
            "cpu_seconds": seconds(self.cpu),
            "peak_rss_kib": self.peak_rss_kib,
            "requests": self.requests,
            "bytes_up": self.bytes_up,
            "control_plane_cpu_seconds": seconds(self.control_plane_cpu),
            "registry_cpu_seconds": seconds(self.registry_cpu),
            "note": self.note,
        })
    }
}

/// A figure that is aimed at.
#[derive(Debug)]
pub(crate) struct Aim {
    pub(crate) what: &'static str,
    pub(crate) reached: f64,
    pub(crate) bound: f64,
    pub(crate) unit: &'static str,
    /// Whether the bound is the least, not the most.
    pub(crate) at_least: bool,
}

impl Aim {
    /// A figure that should stay at or below its bound.
    pub(crate) fn most(what: &'static str, reached: f64, bound: f64, unit: &'static str) -> Self {
        Self {
            what,
            reached,
            bound,
            unit,
            at_least: false,
        }
    }

    /// Whether it is met.
    pub(crate) fn is_met(&self) -> bool {
        if self.at_least {
            self.reached >= self.bound
        } else {
            self.reached <= self.bound
        }
    }

    fn to_json(&self) -> Value {
        json!({"what": self.what, "reached": self.reached, "bound": self.bound, "unit": self.unit, "met": self.is_met()})
    }
}

/// Everything that was measured, and what was aimed at.
#[derive(Debug)]
pub(crate) struct Table<'l> {
    /// What was measured, in order.
    pub(crate) lines: &'l [Line],
    /// What the ratios are to.
    pub(crate) base: Option<Duration>,
    /// What was aimed at.
    pub(crate) aims: &'l [Aim],
}

impl Table<'_> {
    /// Writes everything to `path`, as JSON, with these facts about the measurement.
    pub(crate) fn write(&self, path: &Path, facts: &Value) -> anyhow::Result<()> {
        let all = json!({
            "registry": facts,
            "processors": std::thread::available_parallelism().map_or(1, usize::from),
            "measured": self.lines.iter().map(Line::to_json).collect::<Vec<_>>(),
            "aims": self.aims.iter().map(Aim::to_json).collect::<Vec<_>>(),
        });
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        }
        let text = serde_json::to_string_pretty(&all)?;
        std::fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))
    }
}

/// A count or size as a number that ratios can be made of.
pub(crate) fn float(number: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts and sizes here are far below 2^52"
    )]
    let float = number as f64;
    float
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = self
            .base
            .map(|base| base.as_secs_f64())
            .filter(|base| *base > 0.0);
        let seconds = |time: Option<Duration>| {
            time.map_or("-".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()))
        };
        writeln!(
            f,
            "\n{:<34} {:>8} {:>10} {:>9} {:>9} {:>9} {:>11} {:>9} {:>9}  note",
            "what", "ratio", "wall", "cpu", "memory", "requests", "bytes up", "cp cpu", "reg. cpu"
        )?;
        for line in self.lines {
            let wall = (!line.wall.is_zero()).then_some(line.wall);
            let ratio = wall.zip(base).map_or("-".to_owned(), |(wall, base)| {
                format!("{:.2}x", wall.as_secs_f64() / base)
            });
            let memory = line
                .peak_rss_kib
                .map_or("-".to_owned(), |kib| format!("{:.1} MiB", float(kib) / 1_024.0));
            let count = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
            writeln!(
                f,
                "{:<34} {ratio:>8} {:>10} {:>9} {memory:>9} {:>9} {:>11} {:>9} {:>9}  {}",
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
        for aim in self.aims {
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
