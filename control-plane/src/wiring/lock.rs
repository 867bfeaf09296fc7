//! The lock of the data folder, which keeps a second control plane and a restore away.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use portolan_shared::process::Owner;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::DataDirError;

/// Held for as long as this lives.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes it, if nobody else holds it.
    pub(super) fn take(folder: &Path) -> Result<Self, DataDirError> {
        let path = folder.join("lock");
        let failed = |source| DataDirError::Lock {
            path: path.clone(),
            source,
        };
        let (file, new) = open(&path).map_err(failed)?;
        if new {
            Owner::of(folder)?.own(&file, &path)?;
        }
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(Errno::WOULDBLOCK) => Err(DataDirError::InUse(folder.to_owned())),
            Err(error) => Err(failed(error.into())),
        }
    }
}

/// The file, and whether it was made now.
///
/// The folder belongs to the server's user, and it may be root who locks it: what has this name may be a link that leads out of the folder, and is
/// not followed, or a second name of a file that is somebody else's. So a file is given to that user only if it was made here.
fn open(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    match options.clone().create_new(true).open(path) {
        Ok(file) => Ok((file, true)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let there = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
            Ok((there.open(path)?, false))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    #[test]
    fn a_lock_that_leads_out_of_the_folder_is_not_taken() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let victim = outside.path().join("shadow");
        std::fs::write(&victim, "").unwrap();
        // Only root can do what this is about; for others everything is theirs anyway.
        let _ = chown(folder.path(), Some(65_534), Some(65_534));
        let root = Owner::of(&victim).unwrap();
        let lock = folder.path().join("lock");
        for target in [&victim, &outside.path().join("new")] {
            symlink(target, &lock).unwrap();
            assert!(matches!(
                Lock::take(folder.path()).unwrap_err(),
                DataDirError::Lock { .. }
            ));
            std::fs::remove_file(&lock).unwrap();
        }
        assert!(!outside.path().join("new").exists());
        std::fs::hard_link(&victim, &lock).unwrap();
        drop(Lock::take(folder.path()).unwrap());
        assert_eq!(Owner::of(&victim).unwrap(), root);
        std::fs::remove_file(&lock).unwrap();
        drop(Lock::take(folder.path()).unwrap());
        assert_eq!(Owner::of(&lock).unwrap(), Owner::of(folder.path()).unwrap());
    }
}
