//! What one stage has seen and found so far.

use portolan_shared::model::{Finding, Severity, Stage, StageReport, Verdict};

/// Kept outside of the stage's work, so that what was seen is not lost when its time is over.
#[derive(Debug, Default)]
pub(super) struct Notes {
    seen: Vec<String>,
    findings: Vec<Finding>,
    verdict: Option<Verdict>,
}

impl Notes {
    /// Something worth showing.
    pub(super) fn see(&mut self, line: impl Into<String>) {
        self.seen.push(line.into());
    }

    /// Something wrong, or worth knowing. Each code once.
    pub(super) fn find(&mut self, finding: Finding) {
        if self.findings.iter().all(|known| known.code != finding.code) {
            self.findings.push(finding);
        }
    }

    /// There is nothing to do in this stage.
    pub(super) fn skip(&mut self, why: impl Into<String>) {
        self.see(why);
        self.verdict = Some(Verdict::Skipped);
    }

    /// The stage does not work, whatever its findings are worth elsewhere.
    pub(super) fn fail(&mut self) {
        self.verdict = Some(Verdict::Failed);
    }

    /// It works all the same.
    pub(super) fn bear(&mut self) {
        self.verdict = Some(Verdict::Warned);
    }

    /// Whether something was found that ends the examination.
    pub(super) fn has_error(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.code.severity() == Severity::Error)
    }

    pub(super) fn into_report(self, stage: Stage, duration_ms: u64) -> StageReport {
        // Nothing but information is no reason to worry anybody.
        let only_information = self
            .findings
            .iter()
            .all(|finding| finding.code.severity() == Severity::Info);
        let verdict = self.verdict.or(only_information.then_some(Verdict::Passed));
        let report = StageReport::new(stage, duration_ms, &self.seen, self.findings);
        match verdict {
            Some(verdict) => report.judged(verdict),
            None => report,
        }
    }
}

#[cfg(test)]
mod tests {
    use portolan_shared::model::FindingCode;

    use super::*;

    fn verdict(codes: &[FindingCode], change: fn(&mut Notes)) -> Verdict {
        let mut notes = Notes::default();
        for code in codes {
            notes.find(Finding::new(*code, "x"));
        }
        change(&mut notes);
        notes.into_report(Stage::Tags, 1).verdict
    }

    #[test]
    fn information_alone_passes_and_the_stage_has_the_last_word() {
        let as_it_is = |_: &mut Notes| {};
        assert_eq!(verdict(&[], as_it_is), Verdict::Passed);
        assert_eq!(verdict(&[FindingCode::TokenLifetime], as_it_is), Verdict::Passed);
        assert_eq!(
            verdict(&[FindingCode::TokenLifetime, FindingCode::ClockSkew], as_it_is),
            Verdict::Warned
        );
        assert_eq!(verdict(&[FindingCode::CatalogDenied], as_it_is), Verdict::Failed);
        assert_eq!(
            verdict(&[FindingCode::CatalogDenied], Notes::bear),
            Verdict::Warned
        );
        assert_eq!(
            verdict(&[FindingCode::RepositoryMissing], Notes::fail),
            Verdict::Failed
        );
    }

    #[test]
    fn a_code_is_found_once() {
        let mut notes = Notes::default();
        notes.find(Finding::new(FindingCode::Denied, "first"));
        notes.find(Finding::new(FindingCode::Denied, "second"));
        let report = notes.into_report(Stage::Tags, 1);
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].seen, "first");
    }
}
