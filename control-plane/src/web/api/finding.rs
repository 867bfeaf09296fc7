//! Findings, with their explanation.

use portolan_shared::model::Finding;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One diagnosis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Finding)]
pub struct FindingView {
    /// Stable; tells programs what it is.
    #[schema(example = "registry.denied")]
    pub code: String,
    /// `info`, `warning` or `error`.
    pub severity: String,
    /// What was seen.
    pub seen: String,
    /// More of what was seen, in several lines, such as the certificates that a server presented.
    #[serde(default)]
    pub detail: Option<String>,
    /// How it shows.
    #[serde(default)]
    pub symptom: String,
    /// The likely cause.
    pub cause: String,
    /// What to do.
    pub cure: String,
}

impl From<Finding> for FindingView {
    fn from(finding: Finding) -> Self {
        Self {
            code: finding.code.to_string(),
            severity: finding.code.severity().to_string(),
            seen: finding.seen,
            detail: finding.detail,
            symptom: finding.code.entry().symptom.to_owned(),
            cause: finding.code.cause().to_owned(),
            cure: finding.code.cure().to_owned(),
        }
    }
}
