//! The files of a database: a backup is copied beside the one that is there, and takes its place in the end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use portolan_shared::process::{FileError, Owner, create_private_file, remove_if_there, with_suffix};

use super::UpkeepError;
use crate::wiring::DataDir;

/// What SQLite keeps beside a database: what is not in the database itself yet, and who reads it.
pub(super) const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Copies a database that nobody uses, for `owner`: also what SQLite keeps beside the copy is theirs then.
pub(super) fn copy(from: &Path, to: &Path, owner: Owner) -> Result<(), FileError> {
    let failed = |action: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| FileError::Io { action, path, source }
    };
    let mut source = File::open(from).map_err(failed("open", from))?;
    let mut copy = create_private_file(to)?;
    owner.own(&copy, to)?;
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
    let old = with_suffix(&database, format!(".before-{}", now.strftime("%Y%m%dT%H%M%SZ")));
    let there = database.exists();
    if there {
        // The old database keeps what belongs to it, whenever this is cut short.
        for suffix in BESIDE {
            let beside = with_suffix(&database, suffix);
            if beside.exists() {
                link(&beside, &with_suffix(&old, suffix))?;
            }
        }
        if data_dir.pulse()? == 0 {
            // A server that is started when this was cut short does not make a database of its own.
            data_dir.keep_pulse(1)?;
        }
        rename(&database, &old, "set aside")?;
    }
    // None of this must ever be found beside the new one.
    for suffix in BESIDE {
        remove_if_there(&with_suffix(&database, suffix))?;
    }
    rename(new, &database, "put in place")?;
    data_dir.sync()?;
    Ok(there.then_some(old))
}

/// Removes a database that was worked on, if there is one.
pub(super) fn remove(database: &Path) -> Result<(), FileError> {
    for suffix in ["", BESIDE[0], BESIDE[1]] {
        remove_if_there(&with_suffix(database, suffix))?;
    }
    Ok(())
}

/// Gives a file a second name.
fn link(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::hard_link(from, to).map_err(|source| FileError::Io {
        action: "keep",
        path: from.to_owned(),
        source,
    })
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

    #[test]
    fn a_copy_is_not_written_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to, other] =
            ["backup", "portolan.db.restoring", "other"].map(|name| folder.path().join(name));
        fs::write(&from, "backup").unwrap();
        fs::write(&other, "of somebody else").unwrap();
        std::os::unix::fs::symlink(&other, &to).unwrap();
        copy(&from, &to, Owner::of(folder.path()).unwrap()).unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"of somebody else");
        assert!(to.symlink_metadata().unwrap().is_file());
        assert_eq!(fs::read(&to).unwrap(), b"backup");
    }

    #[test]
    fn a_database_that_is_set_aside_is_known_to_be_gone() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        fs::write(dir.database(), "").unwrap();
        dir.must_not_be_gone().unwrap();
        // Cut short in between: the new one is not there.
        put_in_place(&folder.path().join("new"), &dir, Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(!dir.database().exists());
        dir.must_not_be_gone().unwrap_err();
    }
}
