//! An exported log: a line that says whose it is, a line for each record, and a line that says where it ended.
//!
//! Which of the three a line is, its members tell: `portolan_audit`, `end`, or those of a record. A line with any other, or without one of its
//! own, is none of them: what is not hashed must not stand in a log that was verified.

use std::io::{self, BufRead, Read as _, Write};

use portolan_shared::audit::AuditHash;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cli::failure::CliError;
use crate::web::api::audit::AuditLink;

/// Longest line that is read, in bytes; a longer one cannot be read.
const LINE: u64 = 4 * 1024 * 1024;
/// The members of a record.
const RECORD: [&str; 9] = [
    "seq",
    "at_ms",
    "actor",
    "action",
    "object",
    "outcome",
    "details",
    "prev_hash",
    "hash",
];

/// One line of an export.
#[derive(Debug)]
pub(crate) enum ExportLine {
    /// The first line.
    Start(Start),
    /// A record.
    Record(AuditLink),
    /// The last line.
    End(End),
}

/// Whose log it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Start {
    /// The form of the export.
    pub(crate) portolan_audit: u32,
    pub(crate) tenant: String,
}

/// Where the log stood.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct End {
    pub(crate) seq: u64,
    pub(crate) hash: AuditHash,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastLine<E> {
    end: E,
}

/// The form of exports that this release writes and reads.
pub(crate) const FORM: u32 = 1;

impl ExportLine {
    pub(in crate::cli) fn write(&self, out: &mut dyn Write) -> Result<(), CliError> {
        let text = match self {
            Self::Start(start) => serde_json::to_string(start),
            Self::Record(link) => serde_json::to_string(link),
            Self::End(end) => serde_json::to_string(&LastLine { end }),
        };
        let text = text.map_err(|error| CliError::Output(error.into()))?;
        Ok(writeln!(out, "{text}")?)
    }

    /// What a line is; `None` if it is none of an export.
    fn parse(line: &[u8]) -> Option<Self> {
        let members: Map<String, Value> = serde_json::from_slice(line).ok()?;
        if members.contains_key("portolan_audit") {
            return serde_json::from_slice(line).ok().map(Self::Start);
        }
        if members.contains_key("end") {
            let last: LastLine<End> = serde_json::from_slice(line).ok()?;
            return Some(Self::End(last.end));
        }
        if members.keys().any(|member| !RECORD.contains(&member.as_str())) {
            return None;
        }
        serde_json::from_slice(line).ok().map(Self::Record)
    }
}

/// A line as it was read.
#[derive(Debug)]
pub(crate) enum Read {
    /// A line of an export.
    Line(ExportLine),
    /// Something else: it was damaged, or never was one.
    Damaged,
    /// The file ends here.
    End,
}

/// The next line.
pub(crate) fn next(input: &mut dyn BufRead) -> io::Result<Read> {
    let mut line = Vec::new();
    input.take(LINE).read_until(b'\n', &mut line)?;
    Ok(match ExportLine::parse(&line) {
        _ if line.is_empty() => Read::End,
        Some(read) => Read::Line(read),
        None => Read::Damaged,
    })
}
