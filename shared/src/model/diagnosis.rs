//! What the doctor saw: one registry, stage by stage.

use serde::{Deserialize, Serialize};

use super::facts::RegistryFacts;
use super::finding::{Finding, Severity};
use super::words::words;
use super::{limits, text};

words! {
    /// The stages on the way to an image, in order. Each builds on those before it.
    Stage {
        /// Whether the sensor's local policy allows it.
        Policy = "policy",
        /// The host name becomes addresses.
        NameResolution = "name_resolution",
        /// Directly or by a proxy.
        Route = "route",
        /// A TCP connection.
        Tcp = "tcp",
        /// The TLS handshake, and the certificates that were served.
        Tls = "tls",
        /// `GET /v2/` as a stranger.
        Api = "api",
        /// Which product answers.
        Flavour = "flavour",
        /// How the registry wants to be asked.
        Challenge = "challenge",
        /// The token service accepts the credential.
        Token = "token",
        /// What the token grants.
        Scopes = "scopes",
        /// Repositories can be found.
        Discovery = "discovery",
        /// The tags of a repository can be listed.
        Tags = "tags",
        /// A manifest can be read.
        Manifest = "manifest",
        /// A config blob can be read, wherever it is stored.
        Config = "config",
    }
}

words! {
    /// How a stage went.
    Verdict {
        /// As it should.
        Passed = "passed",
        /// It works, and something is worth knowing or will stop working.
        Warned = "warned",
        /// It does not work.
        Failed = "failed",
        /// It was not reached, or there is nothing to do in it.
        Skipped = "skipped",
    }
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageReport {
    /// Which.
    pub stage: Stage,
    /// How it went.
    pub verdict: Verdict,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What was seen: at most [`limits::STAGE_LINES`] printable lines of at most [`limits::FINDING_BYTES`] bytes, without secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
    /// What is wrong, or worth knowing; at most [`limits::STAGE_FINDINGS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl StageReport {
    /// A stage's report; its texts are made printable and cut to their bounds. Without findings it passed; the worst finding decides
    /// otherwise: an error fails the stage, anything less warns.
    #[must_use]
    pub fn new(stage: Stage, duration_ms: u64, seen: &[String], mut findings: Vec<Finding>) -> Self {
        findings.truncate(limits::STAGE_FINDINGS);
        let worst = findings.iter().map(|finding| finding.code.severity()).max();
        let verdict = match worst {
            None => Verdict::Passed,
            Some(Severity::Info | Severity::Warning) => Verdict::Warned,
            Some(Severity::Error) => Verdict::Failed,
        };
        let seen = seen.iter().take(limits::STAGE_LINES);
        Self {
            stage,
            verdict,
            duration_ms,
            seen: seen
                .map(|line| text::printable(line, limits::FINDING_BYTES))
                .collect(),
            findings,
        }
    }

    /// The same, with another verdict: some warnings mean that a stage did not work.
    #[must_use]
    pub fn judged(self, verdict: Verdict) -> Self {
        Self { verdict, ..self }
    }

    /// A stage that was not reached, or has nothing to do.
    #[must_use]
    pub fn skipped(stage: Stage, why: &str) -> Self {
        Self {
            verdict: Verdict::Skipped,
            ..Self::new(stage, 0, &[why.to_owned()], Vec::new())
        }
    }
}

/// What the doctor saw.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Every stage, in order, each once.
    pub stages: Vec<StageReport>,
    /// What was found out on the way.
    #[serde(default)]
    pub facts: RegistryFacts,
    /// Requests that were sent, redirects, token requests and repeated ones included.
    #[serde(default)]
    pub requests: u64,
}

impl Diagnosis {
    /// One that ended at a stage before anything was tried: no other stage was reached.
    #[must_use]
    pub fn stopped_at(stage: Stage, finding: &Finding) -> Self {
        let why = format!("not tried: {stage} does not work");
        let stages = Stage::ALL.iter().map(|other| {
            if *other == stage {
                StageReport::new(stage, 0, &[], vec![finding.clone()]).judged(Verdict::Failed)
            } else {
                StageReport::skipped(*other, &why)
            }
        });
        Self {
            stages: stages.collect(),
            ..Self::default()
        }
    }

    /// The first stage that does not work: what is to be put right first.
    #[must_use]
    pub fn first_failure(&self) -> Option<&StageReport> {
        self.stages.iter().find(|stage| stage.verdict == Verdict::Failed)
    }

    /// Whether everything that was tried works.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.first_failure().is_none() && !self.stages.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FindingCode;

    #[test]
    fn the_worst_finding_decides() {
        let of = |codes: &[FindingCode]| {
            let findings = codes.iter().map(|code| Finding::new(*code, "x")).collect();
            StageReport::new(Stage::Tls, 1, &[], findings).verdict
        };
        assert_eq!(of(&[]), Verdict::Passed);
        assert_eq!(of(&[FindingCode::RateLimited]), Verdict::Warned);
        assert_eq!(
            of(&[FindingCode::RateLimited, FindingCode::TlsUntrusted]),
            Verdict::Failed
        );
        let skipped = StageReport::skipped(Stage::Tags, "no repository");
        let failed = StageReport::new(
            Stage::Tcp,
            1,
            &[],
            vec![Finding::new(FindingCode::Unreachable, "x")],
        );
        let diagnosis = Diagnosis {
            stages: vec![skipped, failed.clone()],
            ..Diagnosis::default()
        };
        assert_eq!(diagnosis.first_failure(), Some(&failed));
        assert!(!diagnosis.is_sound() && !Diagnosis::default().is_sound());
    }

    #[test]
    fn a_diagnosis_that_stopped_has_every_stage_once() {
        let finding = Finding::new(FindingCode::TlsFailed, "x");
        let stopped = Diagnosis::stopped_at(Stage::Tls, &finding);
        assert_eq!(stopped.first_failure().unwrap().stage, Stage::Tls);
        let stages: Vec<Stage> = stopped.stages.iter().map(|report| report.stage).collect();
        assert_eq!(stages, Stage::ALL);
    }

    #[test]
    fn a_stage_stops_at_its_bounds() {
        let findings = vec![Finding::new(FindingCode::Denied, "x"); limits::STAGE_FINDINGS + 1];
        let lines = vec!["a\tb".repeat(200); limits::STAGE_LINES + 1];
        let report = StageReport::new(Stage::Tls, 1, &lines, findings);
        assert_eq!(
            (report.seen.len(), report.findings.len()),
            (limits::STAGE_LINES, limits::STAGE_FINDINGS)
        );
        assert!(
            report
                .seen
                .iter()
                .all(|line| line.len() <= limits::FINDING_BYTES && !line.contains('\t'))
        );
    }
}
