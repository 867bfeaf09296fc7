//! One finding.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::code::FindingCode;
use crate::model::{limits, text};

/// One diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub code: FindingCode,
    /// What was seen, in one line: printable, at most [`limits::FINDING_BYTES`] bytes, never a secret, never a body or header as it came.
    pub seen: String,
    /// More of what was seen, in several lines, such as a served certificate chain: printable, at most
    /// [`limits::FINDING_DETAIL_BYTES`] bytes, with the same exclusions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Finding {
    /// A finding; `seen` is made printable and cut to its bound.
    #[must_use]
    pub fn new(code: FindingCode, seen: &str) -> Self {
        Self {
            code,
            seen: text::printable(seen, limits::FINDING_BYTES),
            detail: None,
        }
    }

    /// The same, with more lines; each is made printable, all together are cut to their bound.
    #[must_use]
    pub fn with_detail(self, detail: &str) -> Self {
        let lines: Vec<String> = detail
            .lines()
            .map(|line| text::printable(line, limits::FINDING_DETAIL_BYTES))
            .collect();
        let lines = lines.join("\n");
        let (cut, _) = text::truncated(&lines, limits::FINDING_DETAIL_BYTES);
        Self {
            detail: Some(cut.to_owned()).filter(|detail| !detail.is_empty()),
            ..self
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_bounded() {
        assert_eq!(
            Finding::new(FindingCode::Protocol, &"x".repeat(1000)).seen.len(),
            limits::FINDING_BYTES
        );
        let finding = Finding::new(FindingCode::TlsUntrusted, "x").with_detail(&"line\x1b\n".repeat(2_000));
        let detail = finding.detail.unwrap();
        assert!(
            detail.len() <= limits::FINDING_DETAIL_BYTES && detail.starts_with("line \nline"),
            "{}",
            detail.len()
        );
    }
}
