//! What is shown of a diagnosis: a line a stage, what is wrong below it, and at the end what to do first.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use portolan_shared::model::{Diagnosis, Finding, RegistryUrl, Severity, Stage, StageReport, Verdict};

use crate::settings::Environment;

/// Facts that are shown of a stage that went well.
const FACTS: usize = 2;
/// Columns of a stage's name and of its time.
const NAME: usize = 16;
const TIME: usize = 9;
/// Columns in front of everything that belongs to a stage.
const INDENT: &str = "    ";

/// How it is shown: signs and colours are for terminals that have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Signs beyond ASCII.
    pub signs: bool,
    /// Colours.
    pub colours: bool,
}

impl Style {
    /// What standard output can show: nothing but plain text if it is no terminal, no colours with `NO_COLOR`, no signs unless the locale is
    /// one of UTF-8.
    #[must_use]
    pub fn of_output(environment: &Environment) -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::default();
        }
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| environment.get(name))
            .unwrap_or_default()
            .to_ascii_lowercase();
        Self {
            signs: locale.contains("utf-8") || locale.contains("utf8"),
            colours: environment.get("NO_COLOR").is_none() && environment.get("TERM") != Some("dumb"),
        }
    }
}

/// Writes diagnoses for people.
#[derive(Debug, Clone, Copy)]
pub struct Screen(Style);

impl Screen {
    /// One of this style.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self(style)
    }

    /// The first line.
    #[must_use]
    pub fn title(&self, url: &RegistryUrl) -> String {
        self.bold(&url.to_string())
    }

    /// A stage, with what was found in it, ending in a line end.
    #[must_use]
    pub fn stage(&self, report: &StageReport) -> String {
        let name = name(report);
        let time = match report.verdict {
            Verdict::Skipped => String::new(),
            _ => format!("{} ms", report.duration_ms),
        };
        let mut facts = report.seen.iter().take(shown_facts(report));
        let first = facts.next().map_or("", String::as_str);
        let mut text = format!(
            "{} {name:<NAME$}{time:>TIME$}  {first}",
            self.mark(report.verdict)
        );
        text.truncate(text.trim_end().len());
        text.push('\n');
        for fact in facts {
            let _ = writeln!(text, "{:1$}{fact}", "", self.margin());
        }
        for finding in &report.findings {
            text.push_str(&self.finding(finding));
        }
        text
    }

    /// Columns in front of what was seen: mark, name, time, and the gaps between them.
    fn margin(self) -> usize {
        let mark = if self.0.signs { 1 } else { 4 };
        mark + 1 + NAME + TIME + 2
    }

    /// One line for everything behind the first failure; empty if there is none.
    #[must_use]
    pub fn not_reached(&self, diagnosis: &Diagnosis) -> String {
        let mut behind = diagnosis
            .stages
            .iter()
            .skip_while(|stage| stage.verdict != Verdict::Failed)
            .skip(1);
        let Some(first) = behind.next() else {
            return String::new();
        };
        let names = match behind.last() {
            Some(last) => format!("{} to {}", name(first), name(last)),
            None => name(first),
        };
        let why = first.seen.first().map_or("", String::as_str);
        format!(
            "{} {names:<1$}  {why}\n",
            self.mark(Verdict::Skipped),
            NAME + TIME
        )
    }

    fn finding(&self, finding: &Finding) -> String {
        let code = self.coloured(finding.code.as_str(), finding.code.severity());
        let mut text = format!("{INDENT}{code}: {}\n", finding.seen);
        let _ = writeln!(text, "{INDENT}  why  {}", finding.code.cause());
        let _ = writeln!(text, "{INDENT}  do   {}", finding.code.cure());
        text
    }

    /// What to do first.
    #[must_use]
    pub fn summary(&self, diagnosis: &Diagnosis) -> String {
        let first = match diagnosis.first_failure() {
            Some(stage) => Some(stage),
            None => diagnosis
                .stages
                .iter()
                .find(|stage| stage.verdict == Verdict::Warned),
        };
        let worst = first.and_then(|stage| {
            let by_severity = |finding: &&Finding| finding.code.severity();
            // The first of those that are equally bad.
            stage.findings.iter().rev().max_by_key(by_severity)
        });
        match (diagnosis.is_sound(), worst) {
            (true, None) => self.bold("Sound: everything that was tried works."),
            (true, Some(finding)) => format!(
                "{} Worth knowing ({}): {}",
                self.bold("Sound."),
                finding.code,
                finding.code.cure()
            ),
            (false, Some(finding)) => format!(
                "{} {}",
                self.bold(&format!("To be put right first ({}):", finding.code)),
                finding.code.cure()
            ),
            (false, None) => self.bold("Something does not work; see above."),
        }
    }

    fn mark(&self, verdict: Verdict) -> String {
        let (sign, word, severity) = match verdict {
            Verdict::Passed => ("✔", "ok  ", None),
            Verdict::Warned => ("!", "warn", Some(Severity::Warning)),
            Verdict::Failed => ("✘", "FAIL", Some(Severity::Error)),
            Verdict::Skipped => {
                return if self.0.signs {
                    "–".to_owned()
                } else {
                    "skip".to_owned()
                };
            }
        };
        let mark = if self.0.signs { sign } else { word };
        match severity {
            Some(severity) => self.coloured(mark, severity),
            None => self.painted(mark, "32"),
        }
    }

    fn coloured(&self, text: &str, severity: Severity) -> String {
        let colour = match severity {
            Severity::Error => "31",
            Severity::Warning => "33",
            Severity::Info => "36",
        };
        self.painted(text, colour)
    }

    fn bold(&self, text: &str) -> String {
        self.painted(text, "1")
    }

    fn painted(&self, text: &str, code: &str) -> String {
        if self.0.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

fn name(report: &StageReport) -> String {
    report.stage.as_str().replace('_', " ")
}

/// Of what went well a glance is enough; certificates are there to be compared.
fn shown_facts(report: &StageReport) -> usize {
    let is_quiet = matches!(report.verdict, Verdict::Passed | Verdict::Skipped);
    if is_quiet && report.stage != Stage::Tls {
        FACTS
    } else {
        usize::MAX
    }
}

#[cfg(test)]
mod tests {
    use portolan_shared::model::{FindingCode, RegistryFacts};

    use super::*;

    fn diagnosis(findings: Vec<Finding>) -> Diagnosis {
        let seen = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
        Diagnosis {
            stages: vec![
                StageReport::new(
                    Stage::NameResolution,
                    12,
                    &seen(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
                    Vec::new(),
                ),
                StageReport::new(
                    Stage::Tls,
                    7,
                    &seen(&["TLS 1.3, HTTP/2", "[0] CN=r", "    sha256 ab"]),
                    findings,
                ),
                StageReport::skipped(Stage::Api, "not reached: tls failed"),
                StageReport::skipped(Stage::Flavour, "not reached: tls failed"),
            ],
            facts: RegistryFacts::default(),
            ..Diagnosis::default()
        }
    }

    fn shown(style: Style, diagnosis: &Diagnosis) -> String {
        let screen = Screen::new(style);
        let mut text: String = diagnosis.stages[..2]
            .iter()
            .map(|stage| screen.stage(stage))
            .collect();
        text.push_str(&screen.not_reached(diagnosis));
        text.push_str(&screen.summary(diagnosis));
        text
    }

    #[test]
    fn what_is_wrong_stands_below_its_stage_and_the_cure_at_the_end() {
        let finding = Finding::new(FindingCode::TlsSelfSigned, "r:443: sha256 ab");
        let text = shown(Style::default(), &diagnosis(vec![finding]));
        let cure = FindingCode::TlsSelfSigned.cure();
        let cause = FindingCode::TlsSelfSigned.cause();
        let gap = " ".repeat(32);
        let expected = format!(
            "ok   name resolution     12 ms  10.0.0.1\n{gap}10.0.0.2\n\
             FAIL tls                  7 ms  TLS 1.3, HTTP/2\n{gap}[0] CN=r\n{gap}    sha256 ab\n    \
             tls.self_signed: r:443: sha256 ab\n      why  {cause}\n      do   {cure}\n\
             skip api to flavour             not reached: tls failed\n\
             To be put right first (tls.self_signed): {cure}"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn signs_and_colours_only_where_they_are_wanted() {
        let sound = diagnosis(Vec::new());
        let signs = Style {
            signs: true,
            colours: true,
        };
        let text = shown(signs, &sound);
        assert!(
            text.contains("\x1b[32m✔\x1b[0m name resolution") && !text.contains('–'),
            "{text}"
        );
        let failed = shown(
            signs,
            &diagnosis(vec![Finding::new(FindingCode::TlsExpired, "r")]),
        );
        assert!(
            failed.contains("– api to flavour") && failed.contains("\x1b[31m✘\x1b[0m tls"),
            "{failed}"
        );
        let plain = shown(Style::default(), &sound);
        assert!(plain.is_ascii() && !plain.contains('\x1b'), "{plain}");
        assert!(plain.ends_with("Sound: everything that was tried works."));
    }

    #[test]
    fn information_says_why_and_what_to_do_too() {
        let finding = Finding::new(FindingCode::TokenLifetime, "r:443: tokens live 300 s");
        let text = shown(Style::default(), &diagnosis(vec![finding]));
        let code = FindingCode::TokenLifetime;
        let lines = format!("      why  {}\n      do   {}\n", code.cause(), code.cure());
        assert!(text.contains(&lines), "{text}");
    }

    #[test]
    fn a_warning_is_sound_and_still_told() {
        let finding = Finding::new(FindingCode::CertificateExpiresSoon, "r:443: 3 days");
        let text = shown(Style::default(), &diagnosis(vec![finding]));
        assert!(
            text.contains("warn tls") && text.contains("Sound. Worth knowing (tls.expires_soon)"),
            "{text}"
        );
    }
}
