//! The files of a database: a backup is copied beside the one that is there, and takes its place in the end.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use portolan_shared::process::FileError;

use super::UpkeepError;
use crate::wiring::DataDir;

/// What SQLite keeps beside a database: what is not in the database itself yet, and who reads it.
pub(super) const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Copies a database that nobody uses.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), FileError> {
    let failed = |action: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| FileError::Io { action, path, source }
    };
    let mut source = File::open(from).map_err(failed("open", from))?;
    let mut copy = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(to)
        .map_err(failed("create", to))?;
    io::copy(&mut source, &mut copy)
        .and_then(|_| copy.sync_all())
        .map_err(failed("write", to))
}

/// Puts the restored database where it belongs, and sets aside what is there. In between there is none, and then the server does not start.
pub(super) fn put_in_place(
    new: &Path,
    data_dir: &DataDir,
    now: Timestamp,
) -> Result<Option<PathBuf>, UpkeepError> {
    let database = data_dir.database();
    let old = with_suffix(&database, &format!(".before-{}", now.strftime("%Y%m%dT%H%M%SZ")));
    let there = database.exists();
    if there {
        // The old database keeps what belongs to it, whenever this is cut short.
        for suffix in BESIDE {
            let beside = with_suffix(&database, suffix);
            if beside.exists() {
                link(&beside, &with_suffix(&old, suffix))?;
            }
        }
        rename(&database, &old, "set aside")?;
    }
    // None of this must ever be found beside the new one.
    for suffix in BESIDE {
        remove_file(with_suffix(&database, suffix))?;
    }
    data_dir.give(new)?;
    rename(new, &database, "put in place")?;
    data_dir.sync()?;
    Ok(there.then_some(old))
}

/// Removes a database that was worked on, if there is one.
pub(super) fn remove(database: &Path) -> Result<(), FileError> {
    for suffix in ["", BESIDE[0], BESIDE[1]] {
        remove_file(with_suffix(database, suffix))?;
    }
    Ok(())
}

/// Removes a file, if it is there.
fn remove_file(path: PathBuf) -> Result<(), FileError> {
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            let action = "remove";
            Err(FileError::Io { action, path, source })
        }
        _ => Ok(()),
    }
}

/// Gives a file a second name.
fn link(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::hard_link(from, to).map_err(|source| FileError::Io {
        action: "keep",
        path: from.to_owned(),
        source,
    })
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn rename(from: &Path, to: &Path, action: &'static str) -> Result<(), FileError> {
    fs::rename(from, to).map_err(|source| FileError::Io {
        action,
        path: from.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_database_that_cannot_be_put_in_place_is_not_said_to_be_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new");
        let refused = rename(&new, &folder.path().join("portolan.db"), "put in place").unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("cannot put in place {}", new.display())
        );
    }
}
