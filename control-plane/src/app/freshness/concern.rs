//! What is to be said of a thing that is not well.

use portolan_shared::model::{Finding, FindingCode, RegistryName, RunId, Severity};

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
    /// What to do: as the catalogue says it, with names in the places that it leaves for them.
    pub cure: String,
    /// The command that shows more of it, or cures it.
    pub command: String,
}

impl Concern {
    pub(super) fn new(rank: Rank, code: FindingCode, seen: &str, command: String) -> Self {
        Self::of(rank, Finding::new(code, seen), command)
    }

    pub(super) fn of(rank: Rank, finding: Finding, command: String) -> Self {
        Self {
            rank,
            cure: finding.code.cure().to_owned(),
            finding,
            command,
        }
    }

    /// Puts a registry's name into its place.
    pub(super) fn of_registry(self, name: &RegistryName) -> Self {
        self.with("NAME", name.as_str())
    }

    /// Puts a sensor's name into its place.
    pub(super) fn of_sensor(self, name: &str) -> Self {
        self.with("SENSOR", name)
    }

    /// Puts a webhook's name into its place.
    pub(super) fn of_webhook(self, name: &str) -> Self {
        self.with("WEBHOOK", name)
    }

    /// Puts a run into its place; if there is none, the list of a registry's runs stands there instead.
    pub(super) fn of_run(self, run: Option<RunId>) -> Self {
        match run {
            Some(run) => self.with("RUN", &run.to_string()),
            None => Self {
                cure: self.cure.replace("run show RUN", "run list --registry NAME"),
                ..self
            },
        }
    }

    fn with(mut self, place: &str, name: &str) -> Self {
        let is_word = |text: Option<char>| text.is_none_or(|next| !next.is_alphanumeric() && next != '_');
        let mut filled = String::with_capacity(self.cure.len() + name.len());
        let mut rest = self.cure.as_str();
        while let Some((before, after)) = rest.split_once(place) {
            filled.push_str(before);
            let stands_alone = is_word(filled.chars().next_back()) && is_word(after.chars().next());
            filled.push_str(if stands_alone { name } else { place });
            rest = after;
        }
        filled.push_str(rest);
        self.cure = filled;
        self
    }
}
