//! An exported audit log, gone through twice: once to see whether all of it is sound, then to use it.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use portolan_shared::audit::{AuditHash, AuditHead, ChainOwner, ChainVerifier, LinkedRecord};
use portolan_shared::model::TenantId;
use portolan_shared::process::FileError;

use super::UpkeepError;
use crate::cli::export_file::{self, ExportLine, FORM, Read};

/// A log that was exported whole, and follows from its first record to its last.
#[derive(Debug)]
pub(super) struct Exported {
    path: PathBuf,
    pub(super) tenant: TenantId,
    /// Where it ends.
    pub(super) head: AuditHead,
    /// When its last record was written, in milliseconds since the Unix epoch.
    pub(super) until_ms: i64,
}

impl Exported {
    /// Goes through all of it.
    pub(super) fn verify(path: &Path) -> Result<Self, UpkeepError> {
        let wrong = |why: String| UpkeepError::Export {
            path: path.to_owned(),
            why,
        };
        let mut lines = LineReader::open(path)?;
        let tenant = lines.tenant()?;
        let mut verifier = ChainVerifier::new(ChainOwner::Tenant(tenant));
        let mut until_ms = 0;
        let end = loop {
            match lines.next()? {
                ExportLine::Record(link) => {
                    until_ms = link.at_ms;
                    verifier.push(&LinkedRecord::from(link));
                }
                ExportLine::End(end) => break end,
                ExportLine::Start(_) => return Err(lines.wrong("does not belong there")),
            }
        };
        lines.at_end()?;
        let head = AuditHead {
            seq: end.seq,
            hash: end.hash,
        };
        let verified = verifier.through(head).finish();
        let head = verified.map_err(|fault| wrong(format!("record {} {}", fault.seq, fault.kind)))?;
        Ok(Self {
            path: path.to_owned(),
            tenant,
            head,
            until_ms,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The hash of record `seq`, or of the log before its first record; none if it ends before that.
    pub(super) fn hash_at(&self, seq: u64) -> Result<Option<AuditHash>, UpkeepError> {
        if seq == 0 {
            return Ok(Some(ChainOwner::Tenant(self.tenant).genesis().hash));
        }
        let mut records = self.records()?;
        while let Some(record) = records.next()? {
            if record.record.seq == seq {
                return Ok(Some(record.hash));
            }
        }
        Ok(None)
    }

    /// Its records, oldest first.
    pub(super) fn records(&self) -> Result<Records, UpkeepError> {
        let mut lines = LineReader::open(&self.path)?;
        lines.tenant()?;
        Ok(Records(lines))
    }
}

/// Records of a log, one after the other.
pub(super) struct Records(LineReader);

impl Records {
    /// The next; none at the end of the log.
    pub(super) fn next(&mut self) -> Result<Option<LinkedRecord<String>>, UpkeepError> {
        match self.0.next()? {
            ExportLine::Record(link) => Ok(Some(link.into())),
            ExportLine::End(_) => Ok(None),
            ExportLine::Start(_) => Err(self.0.wrong("does not belong there")),
        }
    }
}

/// The file, line by line.
struct LineReader {
    path: PathBuf,
    input: BufReader<File>,
    number: u64,
}

impl LineReader {
    fn open(path: &Path) -> Result<Self, UpkeepError> {
        let file = File::open(path).map_err(|source| FileError::Io {
            action: "open",
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            input: BufReader::new(file),
            number: 0,
        })
    }

    /// The first line, which says whose log it is.
    fn tenant(&mut self) -> Result<TenantId, UpkeepError> {
        let tenant = match self.next()? {
            ExportLine::Start(start) if start.portolan_audit == FORM => start.tenant.parse().ok(),
            _ => None,
        };
        tenant.ok_or_else(|| self.wrong("is not the first of an audit log that this release exports"))
    }

    fn next(&mut self) -> Result<ExportLine, UpkeepError> {
        self.number += 1;
        match self.read()? {
            Read::Line(line) => Ok(line),
            Read::Damaged => Err(self.wrong("is not a line of an exported audit log")),
            Read::End => Err(self.wrong("is missing: the export is cut off")),
        }
    }

    fn at_end(&mut self) -> Result<(), UpkeepError> {
        self.number += 1;
        match self.read()? {
            Read::End => Ok(()),
            Read::Line(_) | Read::Damaged => Err(self.wrong("comes after the end")),
        }
    }

    fn read(&mut self) -> Result<Read, UpkeepError> {
        let read = export_file::next(&mut self.input).map_err(|source| FileError::Io {
            action: "read",
            path: self.path.clone(),
            source,
        });
        Ok(read?)
    }

    fn wrong(&self, what: &str) -> UpkeepError {
        UpkeepError::Export {
            path: self.path.clone(),
            why: format!("line {} {what}", self.number),
        }
    }
}
