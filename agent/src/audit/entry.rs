//! What is recorded.

use portolan_shared::model::truncated;
use serde_json::{Value, json};

use super::read::LINE;

/// Longest object of a record, in bytes: cut above.
const OBJECT_BYTES: usize = 512;
/// Longest text in the details of a record, in bytes: cut above.
const TEXT_BYTES: usize = 1_024;
/// Longest details of a record, in bytes: above, their beginning alone is recorded.
const DETAILS_BYTES: usize = 32 * 1024;
/// The same two of a record for which there is no room.
const SHORT_TEXT_BYTES: usize = 256;
const SHORT_DETAILS_BYTES: usize = 1_024;
/// The rest of a line, at most.
const FRAME_BYTES: usize = 512;
/// Longest line of a record, in bytes. In it the details are a text within a text, in which each quotation mark takes two bytes, and each
/// character of an object at most six.
pub(super) const RECORD_BYTES: usize = 2 * DETAILS_BYTES + 6 * OBJECT_BYTES + FRAME_BYTES;
// A line that the reader takes for none would end the chain.
const _: () = assert!((RECORD_BYTES as u64) < LINE / 8);

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Well, or simply so.
    Ok,
    /// Something was not allowed.
    Refused,
    /// It did not work.
    Failed,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Something to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Who wanted it: `agent`, `administrator` or `control-plane`.
    pub actor: &'static str,
    /// What was done: `job.begin`, `policy.refused`, ...
    pub action: &'static str,
    /// To what.
    pub object: String,
    /// How it went.
    pub outcome: Outcome,
    /// Further facts. Never a secret. What is too long is cut when it is recorded.
    pub details: Value,
}

/// Actions that are read again.
pub(super) mod action {
    pub(in crate::audit) const BEGIN: &str = "log.begin";
    pub(in crate::audit) const ROTATED: &str = "log.rotated";
    pub(in crate::audit) const DAMAGED: &str = "log.damaged";
    pub(in crate::audit) const OLDER_MISSING: &str = "log.older_missing";
    pub(in crate::audit) const CHECKPOINT: &str = "log.checkpoint";
    pub(in crate::audit) const HOSTS: &str = "hosts.contacted";
    pub(in crate::audit) const SENT: &str = "data.sent";
}

impl Entry {
    /// Something that the agent does by itself.
    #[must_use]
    pub fn by_agent(action: &'static str, object: impl Into<String>, details: Value) -> Self {
        Self {
            actor: "agent",
            action,
            object: object.into(),
            outcome: Outcome::Ok,
            details,
        }
    }

    /// Something that the control plane asked for.
    #[must_use]
    pub fn by_control_plane(action: &'static str, object: impl Into<String>, details: Value) -> Self {
        Self {
            actor: "control-plane",
            ..Self::by_agent(action, object, details)
        }
    }

    /// The same, with this outcome.
    #[must_use]
    pub fn with(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    /// As it is recorded: nothing of it longer than its bound.
    pub(super) fn bounded(self) -> Self {
        self.cut(TEXT_BYTES, DETAILS_BYTES)
    }

    /// As it is recorded where there is no room for it but it must be told.
    pub(super) fn short(self) -> Self {
        self.cut(SHORT_TEXT_BYTES, SHORT_DETAILS_BYTES)
    }

    fn cut(mut self, text_bytes: usize, details_bytes: usize) -> Self {
        cut(&mut self.object, OBJECT_BYTES);
        cut_texts(&mut self.details, text_bytes);
        let details = self.details.to_string();
        if details.len() > details_bytes {
            // A text of it, in which each byte may take two.
            let (beginning, _) = truncated(&details, details_bytes / 4);
            self.details = json!({"cut_from_bytes": details.len(), "beginning": beginning});
        }
        self
    }

    /// The same, marked as a sum of several.
    pub(super) fn summed(mut self) -> Self {
        if let Value::Object(details) = &mut self.details {
            details.insert("summed".to_owned(), true.into());
        }
        self
    }

    /// Bytes that it takes in the file, or a little more.
    pub(super) fn line_bytes(&self) -> u64 {
        let details = self.details.to_string();
        let escaped = details
            .bytes()
            .filter(|byte| matches!(byte, b'"' | b'\\'))
            .count();
        (details.len() + escaped + self.object.len() + FRAME_BYTES) as u64
    }

    /// The policy file was read, and this is in force.
    #[must_use]
    pub fn policy(action: &'static str, file: &str, sha256: &str, fault: Option<&str>) -> Self {
        let outcome = if fault.is_none() {
            Outcome::Ok
        } else {
            Outcome::Failed
        };
        Self {
            actor: "administrator",
            ..Self::by_agent(action, file, json!({"sha256": sha256, "fault": fault})).with(outcome)
        }
    }
}

fn cut(text: &mut String, bytes: usize) {
    const CUT: &str = "... (cut)";
    if text.len() > bytes {
        let (beginning, _) = truncated(text, bytes - CUT.len());
        *text = format!("{beginning}{CUT}");
    }
}

fn cut_texts(details: &mut Value, bytes: usize) {
    match details {
        Value::String(text) => cut(text, bytes),
        Value::Array(values) => values.iter_mut().for_each(|value| cut_texts(value, bytes)),
        Value::Object(values) => values.values_mut().for_each(|value| cut_texts(value, bytes)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_recorded_as_it_is() {
        let entry = Entry::by_agent(
            "a",
            "o".repeat(OBJECT_BYTES),
            json!({"t": "x".repeat(TEXT_BYTES), "n": 1}),
        );
        assert_eq!(entry.clone().bounded(), entry);
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let details = json!({"t": ["y".repeat(TEXT_BYTES + 1)], "n": 1});
        let cut = Entry::by_agent("a", "ü".repeat(OBJECT_BYTES), details).bounded();
        assert!(cut.object.len() <= OBJECT_BYTES && cut.object.ends_with("ü... (cut)"));
        let text = cut.details["t"][0].as_str().unwrap();
        assert_eq!(text.len(), TEXT_BYTES);
        assert!(text.ends_with("y... (cut)"));
        assert_eq!(cut.details["n"], 1);

        let many: Vec<String> = (0..100).map(|_| "\u{1}".repeat(TEXT_BYTES)).collect();
        for (entry, bytes) in [
            (Entry::by_agent("a", "o", json!(many)).bounded(), DETAILS_BYTES),
            (
                Entry::by_agent("a", "o", json!(many)).short(),
                SHORT_DETAILS_BYTES,
            ),
        ] {
            assert!(entry.details.to_string().len() <= bytes);
            assert!(entry.details["cut_from_bytes"].as_u64().unwrap() > bytes as u64);
            assert!(
                entry.details["beginning"]
                    .as_str()
                    .unwrap()
                    .starts_with("[\"\\u0001")
            );
        }
    }
}
