//! The command itself.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use portolan_registry::doctor::diagnose;
use portolan_shared::model::{Diagnosis, Finding, RegistryFacts, Severity, Stage, StageReport, Verdict};
use portolan_shared::process::{SystemClock, SystemRng};
use portolan_shared::tls::{RegistryTrust, SystemRoots};
use serde::Serialize;

use super::arguments::{DoctorArguments, Form};
use super::consultation::{ConsultationError, Tools, prepare};
use super::screen::{Screen, Style};
use crate::policy::ControlPlaneDoors;
use crate::settings::{Environment, Settings};

/// No diagnosis came about, or could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The examination cannot begin as it was asked for.
    #[error(transparent)]
    Consultation(#[from] ConsultationError),
    /// It could not be shown.
    #[error("the diagnosis could not be shown")]
    Output(#[from] io::Error),
    /// It could not be written as JSON.
    #[error("the diagnosis could not be written")]
    Json(#[from] serde_json::Error),
}

/// Examines a registry, shows the diagnosis on `output`, and tells whether everything that was tried works. A password is read from `input`. `control_plane` is
/// that of this machine, if it is a sensor: it is never contacted.
pub async fn examine(
    arguments: &DoctorArguments,
    settings: &Settings,
    environment: &Environment,
    input: impl Read,
    mut output: impl Write + Send,
    style: Style,
    control_plane: ControlPlaneDoors,
) -> Result<bool, DoctorError> {
    let tools = Tools {
        settings,
        environment,
        roots: SystemRoots::load(),
        certs_dir: Some(PathBuf::from(RegistryTrust::CERTS_DIR)),
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
        control_plane: Arc::new(control_plane),
    };
    let (access, question) = prepare(arguments, input, tools)?;
    if arguments.output == Form::Json {
        let diagnosis = diagnose(access, question, &|_| {}).await;
        serde_json::to_writer_pretty(&mut output, &DiagnosisView::of(&diagnosis))?;
        writeln!(output)?;
        return Ok(diagnosis.is_sound());
    }
    let screen = Screen::new(style);
    writeln!(output, "{}", screen.title(&access.url))?;
    // Nobody may be listening any more: that ends nothing but the showing.
    let shown = Mutex::new((output, Ok(()), false));
    let watch = |report: &StageReport| {
        let (output, outcome, failed) = &mut *shown.lock().unwrap_or_else(PoisonError::into_inner);
        // What comes behind a failure is not reached, and shown in one line.
        if outcome.is_ok() && !*failed {
            *outcome = write!(output, "{}", screen.stage(report)).and_then(|()| output.flush());
        }
        *failed |= report.verdict == Verdict::Failed;
    };
    let diagnosis = diagnose(access, question, &watch).await;
    let (mut output, outcome, _) = shown.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome?;
    write!(output, "{}", screen.not_reached(&diagnosis))?;
    writeln!(output, "\n{}", screen.summary(&diagnosis))?;
    Ok(diagnosis.is_sound())
}

/// A diagnosis for programs: with what the catalogue says of each finding, so that nobody has to look it up.
#[derive(Serialize)]
struct DiagnosisView<'a> {
    stages: Vec<StageView<'a>>,
    facts: &'a RegistryFacts,
}

#[derive(Serialize)]
struct StageView<'a> {
    stage: Stage,
    verdict: Verdict,
    duration_ms: u64,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    seen: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<FindingView<'a>>,
}

#[derive(Serialize)]
struct FindingView<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    severity: Severity,
    symptom: &'static str,
    cause: &'static str,
    cure: &'static str,
}

impl<'a> DiagnosisView<'a> {
    fn of(diagnosis: &'a Diagnosis) -> Self {
        Self {
            stages: diagnosis.stages.iter().map(StageView::of).collect(),
            facts: &diagnosis.facts,
        }
    }
}

impl<'a> StageView<'a> {
    fn of(report: &'a StageReport) -> Self {
        let of_finding = |finding: &'a Finding| FindingView {
            finding,
            severity: finding.code.severity(),
            symptom: finding.code.entry().symptom,
            cause: finding.code.cause(),
            cure: finding.code.cure(),
        };
        Self {
            stage: report.stage,
            verdict: report.verdict,
            duration_ms: report.duration_ms,
            seen: &report.seen,
            findings: report.findings.iter().map(of_finding).collect(),
        }
    }
}
