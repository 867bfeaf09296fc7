//! What is wrong with a policy file, all of it at once.

use std::fmt;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFault {
    /// On which line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// Every fault of a file, in order of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFaults(pub Vec<PolicyFault>);

impl fmt::Display for PolicyFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "line {}: {}", fault.line, fault.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyFaults {}

/// Collects faults by their place in a text.
pub(super) struct Notes<'a> {
    text: &'a str,
    faults: Vec<PolicyFault>,
}

impl<'a> Notes<'a> {
    pub(super) fn on(text: &'a str) -> Self {
        Self {
            text,
            faults: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, offset: usize, what: impl Into<String>) {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        self.faults.push(PolicyFault {
            line,
            what: what.into(),
        });
    }

    pub(super) fn finish<T>(mut self, value: T) -> Result<T, PolicyFaults> {
        if self.faults.is_empty() {
            return Ok(value);
        }
        self.faults.sort_by_key(|fault| fault.line);
        Err(PolicyFaults(self.faults))
    }
}
