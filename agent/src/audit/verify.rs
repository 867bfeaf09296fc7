//! Checking the files.

use std::io;
use std::path::PathBuf;

use portolan_shared::audit::{
    AuditHead, ChainFault, ChainOwner, ChainVerifier, LinkedRecord, SignedCheckpoint,
};
use portolan_shared::model::SensorId;

use super::entry::action;
use super::folder::{FILES, before, path_of};
use super::read::{AuditFile, LINE, Read};

/// Records in a row that no checkpoint covers, in a log that was always signed: the keeper signs after 100, and what waited for a full disk is
/// at most 1,000 more.
pub(super) const UNSIGNED: u64 = 1_200;

/// A log that is what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Where it stands.
    pub head: AuditHead,
    /// The first record that is there; later than 1 once old files were removed.
    pub first: u64,
    /// Records.
    pub records: u64,
    /// Signed checkpoints among them.
    pub checkpoints: u64,
    /// The last record that a checkpoint covers; 0 if there is none. What stands behind it, whoever can write the file can have written.
    pub signed: u64,
    /// Bytes behind the last record that are no whole line: one that is being written, or that a crash has torn, which the next start removes.
    pub unended: u64,
}

/// A log that is not what it was, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No record at all.
    #[error("there is no audit log")]
    Empty,
    /// A line that is no record.
    #[error("{}: line {line} is no record; it should be record {seq}", path.display())]
    Line {
        /// In which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// The record that should stand there.
        seq: u64,
    },
    /// A record is not what it was.
    #[error("{}: {fault}", path.display())]
    Chain {
        /// In which file.
        path: PathBuf,
        /// Which, and in which way.
        fault: ChainFault,
    },
    /// A checkpoint that this sensor did not sign, or not for this record.
    #[error("{}: the checkpoint in record {seq} is not one of this sensor at this place", path.display())]
    Checkpoint {
        /// In which file.
        path: PathBuf,
        /// Which record.
        seq: u64,
    },
    /// More records in a row than the sensor ever leaves without a checkpoint.
    #[error(
        "{}: record {seq} and the {UNSIGNED} before it are covered by no signed checkpoint: the sensor signs more often, so those were taken out",
        path.display()
    )]
    Unsigned {
        /// In which file.
        path: PathBuf,
        /// The first record that is one too many.
        seq: u64,
    },
    /// The log does not begin with its first record, and is not one whose oldest file was rotated away.
    #[error("{}: the log begins with record {seq}: older files of it are missing", path.display())]
    OlderMissing {
        /// The file with which it begins.
        path: PathBuf,
        /// Its first record.
        seq: u64,
    },
}

impl VerifyError {
    /// The first record that is not what it was.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        match self {
            Self::Line { seq, .. }
            | Self::Checkpoint { seq, .. }
            | Self::Unsigned { seq, .. }
            | Self::OlderMissing { seq, .. } => Some(*seq),
            Self::Chain { fault, .. } => Some(fault.seq),
            Self::Io { .. } | Self::Empty => None,
        }
    }
}

/// Goes through these files, oldest first. With the sensor and its public key, the log must be that sensor's: whole as far as rotation leaves
/// it, and signed as often as that sensor signs.
pub fn verify_files(files: &[AuditFile], who: Option<(SensorId, &[u8])>) -> Result<Verified, VerifyError> {
    let mut verifier: Option<ChainVerifier> = None;
    let (mut first, mut checkpoints, mut signed) = (0, 0, 0);
    let mut unended = 0;
    let mut last = None;
    for (age, file) in (1..=files.len()).rev().zip(files) {
        let path = || file.0.clone();
        let unreadable = |source| VerifyError::Io { path: path(), source };
        let lines = file.lines().map_err(unreadable)?;
        for (number, line) in (1..).zip(lines) {
            let record = match line.map_err(unreadable)? {
                Read::Record(record) => record,
                // Of the current file no more than that: records stand behind it in every other case.
                Read::Rubbish { bytes, whole: false } if age == 1 && (bytes.len() as u64) < LINE => {
                    unended = bytes.len() as u64;
                    continue;
                }
                Read::Rubbish { .. } => {
                    return Err(VerifyError::Line {
                        path: path(),
                        line: number,
                        seq: verifier.map_or(1, |verifier| verifier.head().seq + 1),
                    });
                }
            };
            if verifier.is_none() && who.is_some() && is_older_missing(file, &record) {
                let seq = record.record.seq;
                return Err(VerifyError::OlderMissing { path: path(), seq });
            }
            let verifier = verifier.get_or_insert_with(|| {
                first = record.record.seq;
                signed = first.saturating_sub(1);
                match who {
                    Some((sensor, _)) if first == 1 => ChainVerifier::new(ChainOwner::Sensor(sensor)),
                    _ => ChainVerifier::after(before(&record)),
                }
            });
            let continued = verifier.head();
            verifier.push(&record);
            if verifier.is_bad() {
                // Whether it is missing or elsewhere, only the rest can tell.
                last = Some(path());
                continue;
            }
            if record.record.action == action::CHECKPOINT {
                let found: Option<SignedCheckpoint> = serde_json::from_str(&record.record.details).ok();
                let fits = found.is_some_and(|signed| {
                    signed.verify().is_ok()
                        && signed.checkpoint.head() == continued
                        && who.is_none_or(|(sensor, key)| {
                            signed.key == key && signed.checkpoint.owner == ChainOwner::Sensor(sensor)
                        })
                });
                if !fits {
                    let seq = record.record.seq;
                    return Err(VerifyError::Checkpoint { path: path(), seq });
                }
                checkpoints += 1;
                signed = continued.seq;
            } else if who.is_some() && record.record.seq > signed + UNSIGNED + 1 {
                let seq = record.record.seq;
                return Err(VerifyError::Unsigned { path: path(), seq });
            }
        }
        last.get_or_insert_with(path);
        if !verifier.as_ref().is_some_and(ChainVerifier::is_bad) {
            last = Some(path());
        }
    }
    let verifier = verifier.ok_or(VerifyError::Empty)?;
    let records = verifier.records();
    match verifier.finish() {
        Ok(head) => Ok(Verified {
            head,
            first,
            records,
            checkpoints,
            signed: if checkpoints > 0 { signed } else { 0 },
            unended,
        }),
        Err(fault) => Err(VerifyError::Chain {
            path: last.unwrap_or_default(),
            fault,
        }),
    }
}

/// Whether a log that begins with this record should begin earlier. Rotation takes the oldest of all files away, and nothing else does: then
/// every other file is there, and the oldest of them says what it continued.
fn is_older_missing(file: &AuditFile, first: &LinkedRecord<String>) -> bool {
    let is_oldest = file
        .0
        .parent()
        .is_some_and(|folder| file.0 == path_of(folder, FILES - 1));
    let continues = [action::ROTATED, action::DAMAGED].contains(&first.record.action.as_str());
    first.record.seq > 1 && !(is_oldest && continues)
}
