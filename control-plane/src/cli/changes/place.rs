//! How far the changes were printed, and where that is kept.

use std::path::{Path, PathBuf};

use portolan_shared::process::{read_bounded, write_atomically};

use super::ChangesArgs;
use crate::cli::Exit;
use crate::cli::failure::CliError;

/// Largest file of a cursor, in bytes: refused above.
const FILE: u64 = 1_024;

/// The cursor behind what was printed.
#[derive(Debug)]
pub(super) struct Place {
    cursor: Option<String>,
    file: Option<PathBuf>,
}

impl Place {
    /// Where to begin: behind the cursor that was given, or the one in the file if there is one.
    pub(super) fn read(args: &ChangesArgs) -> Result<Self, CliError> {
        let kept = args.cursor_file.as_deref().map(read).transpose()?.flatten();
        Ok(Self {
            cursor: args.cursor.clone().or(kept),
            file: args.cursor_file.clone(),
        })
    }

    /// The cursor; none at the beginning.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Notes that everything before this cursor was printed.
    pub(super) fn advance(&mut self, cursor: String) -> Result<(), CliError> {
        let moved = self.cursor.as_ref() != Some(&cursor);
        let cursor = self.cursor.insert(cursor);
        if let (Some(file), true) = (&self.file, moved) {
            write_atomically(file, format!("{cursor}\n").as_bytes())?;
        }
        Ok(())
    }

    /// The cursor to go on from after such an end; none if nobody can.
    pub(super) fn after(&self, end: &Result<Exit, CliError>) -> Option<&str> {
        match end {
            Err(CliError::Refused(body)) if matches!(body.code.as_str(), "cursor_expired" | "invalid") => {
                None
            }
            _ => self.cursor(),
        }
    }
}

/// What the file says, if there is one.
fn read(file: &Path) -> Result<Option<String>, CliError> {
    let Some(bytes) = read_bounded(file, FILE)? else {
        return Ok(None);
    };
    let cursor = String::from_utf8(bytes).unwrap_or_default().trim().to_owned();
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if cursor.is_empty() || !cursor.bytes().all(letters) {
        return Err(CliError::usage(format!(
            "{} is no file that --cursor-file has written: remove it to begin anew",
            file.display()
        )));
    }
    Ok(Some(cursor))
}
