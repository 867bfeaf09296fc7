//! Going through the files.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use portolan_shared::audit::LinkedRecord;

use super::folder::{FILES, path_of};

/// Longest line, in bytes; what is longer is no record.
pub(super) const LINE: u64 = 1024 * 1024;

/// One line of a file.
#[derive(Debug)]
pub enum Read {
    /// A record.
    Record(LinkedRecord<String>),
    /// Bytes that are none; `whole` if they end as a line does.
    Rubbish {
        /// How many bytes.
        bytes: Vec<u8>,
        /// Whether the line has an end.
        whole: bool,
    },
}

/// A file of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFile(pub PathBuf);

impl AuditFile {
    /// Its lines.
    pub fn lines(&self) -> io::Result<Lines> {
        self.lines_from(0)
    }

    /// Its lines from this byte on, which must be the first of one.
    pub(super) fn lines_from(&self, at: u64) -> io::Result<Lines> {
        let mut file = File::open(&self.0)?;
        file.seek(SeekFrom::Start(at))?;
        Ok(Lines {
            input: BufReader::new(file),
            at,
        })
    }
}

/// The lines of one file.
#[derive(Debug)]
pub struct Lines {
    input: BufReader<File>,
    at: u64,
}

impl Lines {
    /// Where in the file the next one begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }
}

impl Iterator for Lines {
    type Item = io::Result<Read>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = Vec::new();
        match (&mut self.input).take(LINE).read_until(b'\n', &mut bytes) {
            Ok(0) => return None,
            Ok(read) => self.at += read as u64,
            Err(error) => return Some(Err(error)),
        }
        let whole = bytes.last() == Some(&b'\n');
        Some(Ok(match serde_json::from_slice(&bytes) {
            Ok(record) if whole => Read::Record(record),
            _ => Read::Rubbish { bytes, whole },
        }))
    }
}

/// The files of the log in this folder, oldest first.
#[must_use]
pub fn files_in(folder: &Path) -> Vec<AuditFile> {
    (0..FILES)
        .rev()
        .map(|age| path_of(folder, age))
        .filter(|path| path.exists())
        .map(AuditFile)
        .collect()
}
