//! What `cargo bench-inventory` comes to.

use std::fmt;
use std::path::Path;

use portolan_doubles::content::BenchShape;
use serde_json::json;

use crate::table::{Aim, Line, Table, float};

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    shape: BenchShape,
    lines: Vec<Line>,
    agent_bytes: Option<u64>,
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
            aims.extend(reached.map(|reached| Aim::most(what, reached, bound, unit)));
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

    fn table<'l>(&'l self, aims: &'l [Aim]) -> Table<'l> {
        Table {
            lines: &self.lines,
            base: self.bare().map(|line| line.wall),
            aims,
        }
    }

    /// Writes everything to `path`, as JSON.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let facts = json!({
            "repositories": self.shape.repositories,
            "tags": self.shape.tags,
            "agent_program_bytes": self.agent_bytes,
        });
        self.table(&self.aims()).write(path, &facts)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table(&self.aims()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
