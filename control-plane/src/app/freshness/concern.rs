//! What is to be said of a thing that is not well.

use portolan_shared::model::{Finding, FindingCode, Severity};

/// How much something matters, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Nothing new is seen of something.
    Blind,
    /// Something of it is not seen.
    Partial,
    /// All is seen, and soon may not be.
    Risk,
    /// It could be better.
    Advice,
}

impl Rank {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blind => "blind",
            Self::Partial => "partial",
            Self::Risk => "risk",
            Self::Advice => "advice",
        }
    }

    /// As findings say how much they matter.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Blind => Severity::Error,
            Self::Partial | Self::Risk => Severity::Warning,
            Self::Advice => Severity::Info,
        }
    }

    /// Whether it has to be seen to, other than advice.
    #[must_use]
    pub fn needs_attention(self) -> bool {
        self != Self::Advice
    }

    /// What a finding on something that ends, or has ended, matters.
    pub(super) fn of_outlook(code: FindingCode) -> Self {
        match code.severity() {
            Severity::Error => Self::Blind,
            Severity::Warning => Self::Risk,
            Severity::Info => Self::Advice,
        }
    }
}

/// Something to be said of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// How much it matters.
    pub rank: Rank,
    /// What was seen, and what that means.
    pub finding: Finding,
    /// The command that shows more of it, or cures it.
    pub command: String,
}

impl Concern {
    pub(super) fn new(rank: Rank, code: FindingCode, seen: &str, command: String) -> Self {
        Self {
            rank,
            finding: Finding::new(code, seen),
            command,
        }
    }
}
