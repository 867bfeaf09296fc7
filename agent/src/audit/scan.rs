//! Finding where a file of the log ends: from its last checkpoint on, not from its beginning.
//!
//! What stands before a checkpoint was signed when it was whole; whether it still is, `audit verify` says, and whoever knows the head. An agent
//! that starts does not read 64 MiB for it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use data_encoding::HEXLOWER;
use portolan_shared::audit::{AuditHead, ChainVerifier, LinkedRecord};
use portolan_shared::model::Digest;
use portolan_shared::process::FileError;

use super::entry::action;
use super::folder::{Found, before, failed};
use super::read::{AuditFile, LINE, Read};
use super::recent::Recent;

/// Bytes that are read at once on the way back from the end.
const BLOCK: u64 = 64 * 1024;

/// What was found in a file.
pub(super) struct Scanned {
    /// Where the sound part ends; none if it has no record.
    pub(super) head: Option<AuditHead>,
    pub(super) sound_bytes: u64,
    pub(super) end: Found,
    /// Its first record is not the log's first, the file before it is not there, and nothing tells of that yet.
    pub(super) older_missing: bool,
    /// Records that no checkpoint covers.
    pub(super) unsigned: u32,
    pub(super) recent: Option<Recent>,
}

/// Goes through one file, from its last checkpoint on. Its first record is believed to continue what was before it, unless there was nothing
/// (`known` is where the log begins then): it must be the log's first, or files are missing.
pub(super) fn scan(path: &Path, known: Option<AuditHead>) -> Result<Scanned, FileError> {
    let reading = || failed("read", path);
    if !path.exists() {
        return Ok(Scanned::nothing());
    }
    // A file whose beginning is not as it should be is gone through as a whole.
    let from = match known {
        Some(genesis) if !begins_at(path, &genesis).map_err(reading())? => 0,
        _ => last_checkpoint(path).map_err(reading())?,
    };
    let mut scanned = Scanned {
        sound_bytes: from,
        ..Scanned::nothing()
    };
    let known = known.filter(|_| from == 0);
    let mut verifier: Option<ChainVerifier> = None;
    let mut lines = AuditFile(path.to_owned()).lines_from(from).map_err(reading())?;
    let mut number = 0;
    while let Some(line) = lines.next() {
        number += 1;
        let record = match line.map_err(reading())? {
            Read::Record(record) => record,
            Read::Rubbish { bytes, whole: false } => {
                scanned.end = Found::Torn {
                    bytes: bytes.len() as u64,
                    sha256: match Digest::sha256_of(&bytes) {
                        Digest::Sha256(hash) => HEXLOWER.encode(&hash),
                        other => other.to_string(),
                    },
                };
                return Ok(scanned);
            }
            Read::Rubbish { whole: true, .. } => {
                scanned.end = damaged(path, from, number, "it is no record".to_owned())?;
                return Ok(scanned);
            }
        };
        let verifier = verifier.get_or_insert_with(|| {
            scanned.older_missing = known.is_some() && record.record.seq > 1;
            ChainVerifier::after(match known {
                Some(genesis) if record.record.seq == 1 => genesis,
                _ => before(&record),
            })
        });
        verifier.push(&record);
        if let Err(fault) = verifier.clone().finish() {
            scanned.end = damaged(path, from, number, fault.to_string())?;
            return Ok(scanned);
        }
        scanned.take(&record);
        scanned.sound_bytes = lines.at();
    }
    Ok(scanned)
}

impl Scanned {
    fn nothing() -> Self {
        Self {
            head: None,
            sound_bytes: 0,
            end: Found::Sound,
            older_missing: false,
            unsigned: 0,
            recent: None,
        }
    }

    fn take(&mut self, record: &LinkedRecord<String>) {
        self.head = Some(record.head());
        match record.record.action.as_str() {
            action::CHECKPOINT => self.unsigned = 0,
            action::OLDER_MISSING => {
                (self.older_missing, self.unsigned) = (false, self.unsigned + 1);
            }
            _ => self.unsigned += 1,
        }
        self.recent
            .get_or_insert_with(|| Recent::behind_head(before(record)))
            .push(record);
    }
}

/// Whether the first record is the log's first.
fn begins_at(path: &Path, genesis: &AuditHead) -> io::Result<bool> {
    let first = AuditFile(path.to_owned()).lines()?.next().transpose()?;
    Ok(matches!(first, Some(Read::Record(record)) if before(&record) == *genesis))
}

/// Where the line of the last checkpoint begins; 0 if there is none. Reads from the end.
fn last_checkpoint(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut begin = file.metadata()?.len();
    // The beginning of what was read last: the end of a line that begins before it.
    let mut rest: Vec<u8> = Vec::new();
    while begin > 0 {
        let size = begin.min(BLOCK);
        begin -= size;
        file.seek(SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        (&mut file).take(size).read_to_end(&mut bytes)?;
        let fresh = bytes.len();
        bytes.append(&mut rest);
        let mut end = bytes.len();
        // Lines that begin in here, the last one first.
        while let Some(at) = bytes[..end.min(fresh)].iter().rposition(|byte| *byte == b'\n') {
            if is_checkpoint(&bytes[at + 1..end]) {
                return Ok(begin + at as u64 + 1);
            }
            end = at;
        }
        bytes.truncate(end);
        // No record is that long: what follows of it is none either.
        if bytes.len() as u64 > LINE {
            bytes.clear();
        }
        rest = bytes;
    }
    Ok(0)
}

/// Whether a line, without its end, is a checkpoint. Looked at before it is read, because nearly none is.
fn is_checkpoint(line: &[u8]) -> bool {
    let word = action::CHECKPOINT.as_bytes();
    line.windows(word.len()).any(|window| window == word)
        && serde_json::from_slice::<LinkedRecord<String>>(line)
            .is_ok_and(|linked| linked.record.action == action::CHECKPOINT)
}

fn damaged(path: &Path, from: u64, number: u64, why: String) -> Result<Found, FileError> {
    let lines_before = || -> io::Result<u64> {
        let mut lines = AuditFile(path.to_owned()).lines()?;
        let mut count = 0;
        while lines.at() < from && lines.next().transpose()?.is_some() {
            count += 1;
        }
        Ok(count)
    };
    let line = lines_before().map_err(failed("read", path))? + number;
    Ok(Found::Damaged { line, why })
}
