//! The file of a backup until it is whole.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use portolan_shared::process::{FileError, create_private_file, remove_if_there, with_suffix};
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

/// How often the lock is tried for: each time somebody else has let go of it and removed it at that moment.
const TRIES: usize = 10;

/// An empty file for a backup, beside its name to be. As long as this lives nobody else has one for that name; then it is gone, unless it was kept.
///
/// Another file has the lock: SQLite locks the backup itself, and on NFS the two locks would get into each other's way. Its name is not that of
/// the backup with `.lock` behind it: that is what people lock themselves around a backup, and keep.
#[derive(Debug)]
pub(super) struct Partial {
    path: PathBuf,
    lock: PathBuf,
    _locked: File,
}

impl Partial {
    /// Makes one; none if somebody else has one for this name. What an attempt left that was cut off is removed.
    pub(super) fn claim(to: &Path) -> Result<Option<Self>, FileError> {
        let path = with_suffix(to, ".partial");
        let lock = with_suffix(&path, ".lock");
        let locked = lock_at(&lock).map_err(|source| FileError::Io {
            action: "lock",
            path: lock.clone(),
            source,
        })?;
        let Some(locked) = locked else {
            return Ok(None);
        };
        let partial = Self {
            path,
            lock,
            _locked: locked,
        };
        partial.remove()?;
        // SQLite copies into an empty file as into none, and leaves its mode alone.
        create_private_file(&partial.path)?;
        Ok(Some(partial))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, once it is on the disk. [`io::ErrorKind::AlreadyExists`] if there is a file of this name. Gives its bytes.
    pub(super) fn keep_as(self, to: &Path) -> io::Result<u64> {
        self.keep(to, File::sync_all)
    }

    /// The same; `sync` makes sure that the folder has the name for good. If that fails the name is taken away again.
    fn keep(self, to: &Path, sync: impl FnOnce(&File) -> io::Result<()>) -> io::Result<u64> {
        let file = File::open(&self.path)?;
        file.sync_all()?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new(".")))?;
        rename_to_new(&self.path, to).or_else(|error| match Errno::from_io_error(&error) {
            // Not every file system can do that, NFS for one. Where neither is possible there is no backup: nothing is ever replaced.
            Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => std::fs::hard_link(&self.path, to),
            _ => Err(error),
        })?;
        if let Err(error) = sync(&folder) {
            if is_at(&file, to)? {
                std::fs::remove_file(to)?;
            }
            return Err(error);
        }
        Ok(file.metadata()?.len())
    }

    /// Removes the file, and what SQLite may have left of a transaction in it.
    fn remove(&self) -> Result<(), FileError> {
        remove_if_there(&self.path)?;
        remove_if_there(&with_suffix(&self.path, "-journal"))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // What cannot be removed goes with the next attempt. The lock loses its name before it is let go: who gets it then sees that.
        let _ = self.remove();
        let _ = remove_if_there(&self.lock);
    }
}

/// Makes a file and locks it; none if somebody else has locked it. Whoever lets go of it removes it. A link is not followed.
fn lock_at(path: &Path) -> io::Result<Option<File>> {
    for _ in 0..TRIES {
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)?;
        match lock.try_lock() {
            Ok(()) if is_at(&lock, path)? => return Ok(Some(lock)),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether the file still has this name, and not another file.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match path.symlink_metadata() {
        Ok(there) => Ok((there.dev(), there.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_has_lost_its_name_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = lock_at(&path).unwrap().unwrap();
        assert!(lock_at(&path).unwrap().is_none(), "it is held");
        std::fs::remove_file(&path).unwrap();
        assert!(!is_at(&first, &path).unwrap());
        let second = lock_at(&path).unwrap().unwrap();
        assert!(is_at(&second, &path).unwrap() && !is_at(&first, &path).unwrap());
    }

    #[test]
    fn a_lock_is_not_made_where_a_link_leads() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("lock"), folder.path().join("other"));
        std::os::unix::fs::symlink(&other, &path).unwrap();
        lock_at(&path).unwrap_err();
        assert!(!other.exists());
    }

    #[test]
    fn a_name_that_is_not_there_for_good_is_taken_away_again() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("monday.db");
        let partial = Partial::claim(&to).unwrap().unwrap();
        let full = |_: &File| {
            assert!(to.exists());
            Err(io::ErrorKind::StorageFull.into())
        };
        assert_eq!(
            partial.keep(&to, full).unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
