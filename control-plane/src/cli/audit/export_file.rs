//! An exported log: a line that says whose it is, a line for each record, and a line that says where it ended.

use std::io::{BufRead, Read as _, Write};

use portolan_shared::audit::AuditHash;
use serde::{Deserialize, Serialize};

use crate::cli::failure::CliError;
use crate::web::api::audit::AuditLink;

/// Longest line that is read, in bytes; a longer one is an error.
const LINE: u64 = 4 * 1024 * 1024;

/// One line of an export.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum ExportLine {
    /// A record.
    Record(AuditLink),
    /// The last line.
    End { end: End },
    /// The first line.
    Start { portolan_audit: u32, tenant: String },
}

/// Where the log stood.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) seq: u64,
    pub(super) hash: AuditHash,
}

/// The form of exports that this release writes and reads.
pub(super) const FORM: u32 = 1;

impl ExportLine {
    pub(super) fn write(&self, out: &mut dyn Write) -> Result<(), CliError> {
        let text = serde_json::to_string(self).map_err(|error| CliError::Output(error.into()))?;
        Ok(writeln!(out, "{text}")?)
    }
}

/// The next line; `None` at the end of the file. Lines are numbered from 1.
pub(super) fn next(input: &mut dyn BufRead, number: u64) -> Result<Option<ExportLine>, CliError> {
    let mut line = Vec::new();
    input.take(LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&line)
        .map(Some)
        .map_err(|_| CliError::Usage(format!("line {number} is not a line of an exported audit log")))
}
