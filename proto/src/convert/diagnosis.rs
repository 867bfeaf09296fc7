//! Reports of the doctor.

use portolan_shared::model::{Diagnosis, Finding, ProbeId, Stage, StageReport, limits};
use prost::Message as _;

use super::facts::{facts, facts_to_wire};
use super::field::{FieldError, finding, finding_to_wire, id};
use crate::v1;

/// A report for the wire. Details of findings are left out if it would otherwise be larger than [`limits::DIAGNOSIS_BYTES`].
#[must_use]
pub fn probe_report_to_wire(probe: ProbeId, diagnosis: &Diagnosis) -> v1::ProbeReport {
    let mut wire = v1::ProbeReport {
        probe_id: probe.as_bytes().to_vec().into(),
        stages: diagnosis.stages.iter().map(stage_to_wire).collect(),
        facts: Some(facts_to_wire(&diagnosis.facts)),
        requests: diagnosis.requests,
    };
    // What comes last is mostly a consequence of what came first.
    for stage in (0..wire.stages.len()).rev() {
        if wire.encoded_len() <= limits::DIAGNOSIS_BYTES {
            break;
        }
        for finding in &mut wire.stages[stage].findings {
            finding.detail.clear();
        }
    }
    wire
}

fn stage_to_wire(report: &StageReport) -> v1::StageReport {
    v1::StageReport {
        stage: report.stage.as_str().to_owned(),
        verdict: report.verdict.as_str().to_owned(),
        duration_ms: report.duration_ms,
        seen: report.seen.clone(),
        findings: report.findings.iter().map(finding_to_wire).collect(),
    }
}

/// A report from the wire, and of which probe it is. Texts are made printable and cut to their bounds; lists are cut to theirs.
pub fn probe_report(wire: &v1::ProbeReport) -> Result<(ProbeId, Diagnosis), FieldError> {
    let probe = id("probe_report.probe_id", &wire.probe_id, ProbeId::from_slice)?;
    let stages = wire.stages.iter().take(Stage::ALL.len()).map(stage);
    let diagnosis = Diagnosis {
        stages: stages.collect::<Result<_, _>>()?,
        facts: wire.facts.as_ref().map(facts).transpose()?.unwrap_or_default(),
        requests: wire.requests,
    };
    Ok((probe, diagnosis))
}

fn stage(wire: &v1::StageReport) -> Result<StageReport, FieldError> {
    let stage = wire.stage.parse();
    let stage = stage.map_err(|why: String| FieldError::new("probe_report.stages.stage", why))?;
    let verdict = wire.verdict.parse();
    let verdict = verdict.map_err(|why: String| FieldError::new("probe_report.stages.verdict", why))?;
    let findings: Vec<Finding> = wire
        .findings
        .iter()
        .take(limits::STAGE_FINDINGS)
        .map(finding)
        .collect();
    Ok(StageReport::new(stage, wire.duration_ms, &wire.seen, findings).judged(verdict))
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::{FindingCode, Verdict};
    use portolan_shared::process::SeededRng;

    fn every_stage(finding: &Finding) -> Diagnosis {
        let lines = vec!["l".repeat(limits::FINDING_BYTES); limits::STAGE_LINES];
        let stages = Stage::ALL.iter().map(|stage| {
            StageReport::new(*stage, 7, &lines, vec![finding.clone(); limits::STAGE_FINDINGS])
                .judged(Verdict::Warned)
        });
        Diagnosis {
            stages: stages.collect(),
            requests: 41,
            ..Diagnosis::default()
        }
    }

    #[test]
    fn a_report_round_trips() {
        let probe = ProbeId::random(&SeededRng::new(1));
        let diagnosis = every_stage(&Finding::new(FindingCode::TlsPrivateCa, "x"));
        assert_eq!(
            probe_report(&probe_report_to_wire(probe, &diagnosis)),
            Ok((probe, diagnosis))
        );
    }

    #[test]
    fn a_report_at_every_bound_fits_into_one_message() {
        let detail = "d".repeat(limits::FINDING_DETAIL_BYTES);
        let finding =
            Finding::new(FindingCode::TlsPrivateCa, &"s".repeat(limits::FINDING_BYTES)).with_detail(&detail);
        let wire = probe_report_to_wire(ProbeId::random(&SeededRng::new(1)), &every_stage(&finding));
        assert!(
            wire.encoded_len() <= limits::SESSION_MESSAGE_BYTES - 64,
            "{}",
            wire.encoded_len()
        );
        assert_eq!(wire.stages.len(), Stage::ALL.len());
    }

    #[test]
    fn a_bad_report_names_its_field() {
        let wire = v1::ProbeReport::default();
        assert_eq!(probe_report(&wire).unwrap_err().field, "probe_report.probe_id");
        let mut wire = probe_report_to_wire(ProbeId::random(&SeededRng::new(1)), &Diagnosis::default());
        wire.stages = vec![v1::StageReport {
            stage: "magic".to_owned(),
            ..Default::default()
        }];
        assert_eq!(
            probe_report(&wire).unwrap_err().field,
            "probe_report.stages.stage"
        );
    }
}
