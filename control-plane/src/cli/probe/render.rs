//! A probe at a glance: one line a stage, below it what is wrong and what to do, at the end what to put right first.

use std::fmt::Write as _;

use portolan_shared::model::printable;

use crate::web::api::FindingView;
use crate::web::api::probes::{Probe, StageView};

/// Longest line, in bytes: cut above.
const LINE: usize = 1_024;
/// Things that a stage saw which are shown in its line and below it; all are in the JSON output.
const SEEN: usize = 6;

/// What a sound probe found worth knowing; empty if nothing.
pub(in crate::cli) fn render_warned(probe: &Probe) -> String {
    let mut text = String::new();
    for stage in probe.stages.iter().filter(|stage| stage.verdict == "warned") {
        for finding in &stage.findings {
            finding_lines(&mut text, "  ", finding);
        }
    }
    text
}

/// The probe as text. With `coloured`, with marks and colours for a terminal.
pub(in crate::cli) fn render(probe: &Probe, coloured: bool) -> String {
    let mut text = String::new();
    for stage in &probe.stages {
        stage_lines(&mut text, stage, coloured);
    }
    let verdict = match (probe.sound, first_failure(probe)) {
        (None, _) => {
            let names: Vec<_> = probe.sensors.iter().map(|sensor| sensor.name.as_str()).collect();
            format!(
                "No sensor looked in time: {}. Is it connected, and its agent up to date?",
                names.join(", ")
            )
        }
        (Some(true), _) => "Everything that was tried works.".to_owned(),
        (Some(false), Some((stage, Some(finding)))) => {
            format!(
                "Put right first: {} ({}). {}",
                words(&stage.stage),
                finding.code,
                finding.cure
            )
        }
        (Some(false), Some((stage, None))) => format!("Put right first: {}.", words(&stage.stage)),
        (Some(false), None) => "It does not work.".to_owned(),
    };
    line(&mut text, "", &verdict);
    text
}

fn first_failure(probe: &Probe) -> Option<(&StageView, Option<&FindingView>)> {
    let stage = probe.stages.iter().find(|stage| stage.verdict == "failed")?;
    let worst = stage.findings.iter().find(|finding| finding.severity == "error");
    Some((stage, worst.or(stage.findings.first())))
}

fn stage_lines(text: &mut String, stage: &StageView, coloured: bool) {
    let (mark, colour) = match stage.verdict.as_str() {
        "passed" => ("✔", "32"),
        "warned" => ("!", "33"),
        "failed" => ("✘", "31"),
        _ => ("–", "2"),
    };
    let mark = if coloured {
        format!("\x1b[{colour}m{mark}\x1b[0m")
    } else {
        format!("{:<7}", printable(&stage.verdict, 16))
    };
    let took = match stage.verdict.as_str() {
        "skipped" => String::new(),
        _ => format!("{} ms", stage.duration_ms),
    };
    let mut seen = stage.seen.iter();
    let first = seen.next().map(String::as_str).unwrap_or_default();
    // Only the mark holds control characters, and it is ours.
    let head = printable(&format!("{:<16} {took:>8}  {first}", words(&stage.stage)), LINE);
    let _ = writeln!(text, "{mark} {}", head.trim_end());
    let indent = if coloured { "    " } else { "          " };
    for more in seen.take(SEEN - 1) {
        line(text, indent, more);
    }
    for finding in &stage.findings {
        finding_lines(text, indent, finding);
    }
}

fn finding_lines(text: &mut String, indent: &str, finding: &FindingView) {
    line(text, indent, &format!("{}: {}", finding.code, finding.seen));
    for detail in finding.detail.iter().flat_map(|detail| detail.lines()) {
        line(text, indent, &format!("  | {detail}"));
    }
    line(text, indent, &format!("  why: {}", finding.cause));
    line(text, indent, &format!("  do:  {}", finding.cure));
}

fn line(text: &mut String, indent: &str, content: &str) {
    let _ = writeln!(text, "{indent}{}", printable(content, LINE));
}

fn words(stage: &str) -> String {
    stage.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use portolan_shared::model::{Finding, FindingCode, Stage, StageReport};

    use super::*;
    use crate::web::api::registries::SensorName;

    fn probe(stages: Vec<StageReport>, sound: Option<bool>) -> Probe {
        let sensor = SensorName {
            id: String::new(),
            name: "berlin-1".to_owned(),
        };
        let at = jiff::Timestamp::UNIX_EPOCH;
        Probe {
            id: String::new(),
            state: "done".to_owned(),
            url: "https://r".to_owned(),
            registry: None,
            sensors: vec![sensor],
            sensor: None,
            asked_at: at,
            expires_at: at,
            ended_at: None,
            sound,
            facts: None,
            requests: None,
            stages: stages.into_iter().map(StageView::from).collect(),
        }
    }

    #[test]
    fn says_what_to_put_right_first() {
        let finding = Finding::new(FindingCode::TlsPrivateCa, "r:443: issuer unknown")
            .with_detail("1. CN=r\n2. CN=Acme");
        let text = render(
            &probe(
                vec![
                    StageReport::new(Stage::NameResolution, 3, &["10.0.0.5".to_owned()], Vec::new()),
                    StageReport::new(Stage::Tls, 41, &[], vec![finding]),
                    StageReport::skipped(Stage::Api, "there is no connection"),
                ],
                Some(false),
            ),
            false,
        );
        insta::assert_snapshot!(text, @r"
        passed  name resolution      3 ms  10.0.0.5
        failed  tls                 41 ms
                  tls.private_ca: r:443: issuer unknown
                    | 1. CN=r
                    | 2. CN=Acme
                    why: The certificate comes from a private authority.
                    do:  Give the named authority's certificate with --ca-file, or add it to the sensor's system store.
        skipped api                        there is no connection
        Put right first: tls (tls.private_ca). Give the named authority's certificate with --ca-file, or add it to the sensor's system store.
        ");
    }

    #[test]
    fn nothing_that_was_seen_moves_a_cursor() {
        let hostile = StageReport::new(Stage::Api, 1, &["\x1b[2J".to_owned()], Vec::new());
        let mut hostile = StageView::from(hostile);
        hostile.seen = vec!["\x1b[2Jx".to_owned(), "\x1b[H".to_owned()];
        hostile.verdict = "\x1b]0;".to_owned();
        let mut of = probe(Vec::new(), None);
        of.stages = vec![hostile];
        assert!(!render(&of, false).contains('\x1b'));
        let coloured = render(&of, true);
        assert!(
            !coloured.contains("\x1b[2J") && !coloured.contains("\x1b[H"),
            "{coloured:?}"
        );
        assert!(coloured.contains("No sensor looked in time: berlin-1."));
    }
}
