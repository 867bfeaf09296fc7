//! The files: rotated, and mended where a crash has torn one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portolan_shared::audit::AuditHead;
use portolan_shared::process::{FileError, create_private_dir};

use super::read::{AuditFile, files_in};
use super::recent::Recent;
use super::scan::scan;

/// Folder of the log in the data directory.
pub const FOLDER: &str = "audit";
/// Files that are kept, the current one included: the oldest is removed beyond.
pub(super) const FILES: usize = 4;
/// Bytes of one file: the next record goes into a new one above.
pub(super) const FILE_BYTES: u64 = 64 * 1024 * 1024;

/// The log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum AuditLogError {
    /// A file.
    #[error("the audit log cannot be opened")]
    File(#[from] FileError),
}

/// The file of this age: 0 is the current one.
pub(super) fn path_of(folder: &Path, age: usize) -> PathBuf {
    match age {
        0 => folder.join("audit.jsonl"),
        age => folder.join(format!("audit.{age}.jsonl")),
    }
}

/// What records go into. A trait so that a full disk can be played.
pub(super) trait Sink: Send {
    /// Writes all of it, or nothing that counts.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Bytes that count.
    fn len(&self) -> u64;
    /// What brings it to the disk; may be called elsewhere.
    fn syncer(&self) -> Box<dyn FnOnce() -> io::Result<()> + Send>;
}

/// A file that is appended to.
struct Disk {
    file: Arc<File>,
    len: u64,
    /// Something that does not count may stand behind `len`.
    torn: bool,
}

impl Sink for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.len)?;
        }
        self.torn = true;
        self.file.write_all_at(bytes, self.len)?;
        self.torn = false;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn syncer(&self) -> Box<dyn FnOnce() -> io::Result<()> + Send> {
        let file = Arc::clone(&self.file);
        Box::new(move || file.sync_data())
    }
}

/// What was found when the log was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// No log.
    Nothing,
    /// A sound one.
    Sound,
    /// Its last line was not written to its end: what there was of it is removed, and told of by its size and hash.
    Torn { bytes: u64, sha256: String },
    /// It is damaged within: the file is set aside as an older one, and a new one begun.
    Damaged { line: u64, why: String },
}

/// A log that was opened.
pub(super) struct Opened {
    /// The current file.
    pub(super) sink: Box<dyn Sink>,
    /// Where the log stands; on the disk, too.
    pub(super) head: AuditHead,
    pub(super) found: Found,
    /// Its first record is not the log's first, the file before it is not there, and nothing tells of that yet.
    pub(super) older_missing: bool,
    /// Records of the current file that no checkpoint covers.
    pub(super) unsigned: u32,
    pub(super) recent: Recent,
}

/// Where the log lies.
pub(super) struct Folder {
    path: PathBuf,
    pub(super) file_bytes: u64,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            file_bytes: FILE_BYTES,
        }
    }

    /// The files there are, oldest first.
    pub(super) fn files(&self) -> Vec<AuditFile> {
        files_in(&self.path)
    }

    /// Opens the current file, mended if need be; the log stands at `genesis` if there is none.
    pub(super) fn open(&self, genesis: AuditHead) -> Result<Opened, AuditLogError> {
        create_private_dir(&self.path)?;
        let current = path_of(&self.path, 0);
        let older = path_of(&self.path, 1);
        // The first record of a file continues the last of the one before it, unless that one was damaged or is not there.
        let scanned = scan(&current, (!older.exists()).then_some(genesis))?;
        // Of the file before it, only where it ends counts, and only if the current one does not say so.
        let before = if scanned.head.is_none() && older.exists() {
            scan(&older, None)?.head
        } else {
            None
        };
        let head = scanned.head.or(before).unwrap_or(genesis);
        if let Found::Damaged { .. } = scanned.end {
            self.shift()?;
            return Ok(Opened {
                sink: self.create()?,
                head,
                found: scanned.end,
                older_missing: scanned.older_missing,
                unsigned: scanned.unsigned,
                recent: Recent::behind_head(head),
            });
        }
        let begun = scanned.head.is_some() || matches!(scanned.end, Found::Torn { .. });
        let found = match (begun, before) {
            (true, _) => scanned.end,
            (false, Some(_)) => Found::Sound,
            (false, None) => Found::Nothing,
        };
        let file = open_file(&current)?;
        if matches!(found, Found::Torn { .. }) {
            file.set_len(scanned.sound_bytes)
                .map_err(failed("mend", &current))?;
        }
        file.sync_all().map_err(failed("sync", &current))?;
        self.sync()?;
        Ok(Opened {
            sink: Box::new(Disk {
                file: Arc::new(file),
                len: scanned.sound_bytes,
                torn: false,
            }),
            head,
            found,
            older_missing: scanned.older_missing,
            unsigned: scanned.unsigned,
            recent: scanned.recent.unwrap_or_else(|| Recent::behind_head(head)),
        })
    }

    /// Begins a new current file; the oldest is removed.
    pub(super) fn rotate(&self) -> Result<Box<dyn Sink>, AuditLogError> {
        self.shift()?;
        Ok(self.create()?)
    }

    /// Makes every file one older. Not if that was done already and only the new file could not be made: every further time would cost the
    /// oldest file, and bring nothing.
    fn shift(&self) -> Result<(), FileError> {
        if !path_of(&self.path, 0).exists() {
            return Ok(());
        }
        for age in (0..FILES - 1).rev() {
            let (from, to) = (path_of(&self.path, age), path_of(&self.path, age + 1));
            if from.exists() {
                fs::rename(&from, &to).map_err(failed("rotate", &from))?;
            }
        }
        Ok(())
    }

    fn create(&self) -> Result<Box<dyn Sink>, FileError> {
        let path = path_of(&self.path, 0);
        let file = open_file(&path)?;
        self.sync()?;
        Ok(Box::new(Disk {
            file: Arc::new(file),
            len: 0,
            torn: false,
        }))
    }

    /// Brings the names of the files to the disk.
    fn sync(&self) -> Result<(), FileError> {
        File::open(&self.path)
            .and_then(|folder| folder.sync_all())
            .map_err(failed("sync", &self.path))
    }
}

fn open_file(path: &Path) -> Result<File, FileError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed("open", path))
}

pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Io { action, path, source }
}

/// What a record says that it continues.
pub(super) fn before(record: &portolan_shared::audit::LinkedRecord<String>) -> AuditHead {
    AuditHead {
        seq: record.record.seq.saturating_sub(1),
        hash: record.prev_hash,
    }
}
