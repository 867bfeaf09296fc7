//! The state directory: locked, private, every file whole or absent.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use portolan_shared::process::{FileError, create_private_dir, read_bounded, write_atomically};
use rustix::fs::FlockOperation;
use zeroize::Zeroizing;

use super::envelope;
use super::error::KeyringError;

/// No state file comes near this; a larger one is refused.
const FILE_BYTES: u64 = 256 * 1024;

/// The directory that holds a sensor's state.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// Held open for its lock.
    lock: Mutex<Option<File>>,
}

/// A payload, and whether the current generation was damaged.
pub(super) struct Generation {
    pub(super) payload: Zeroizing<Vec<u8>>,
    pub(super) damaged: Option<KeyringError>,
}

impl StateDir {
    /// Makes the directory if there is none, and locks it for as long as this lives.
    ///
    /// # Errors
    /// [`KeyringError::InUse`] if another process holds it.
    pub fn open(path: &Path) -> Result<Self, KeyringError> {
        create_private_dir(path)?;
        if let Err(error) = fs::set_permissions(path, fs::Permissions::from_mode(0o700)) {
            tracing::warn!(path = %path.display(), %error, "cannot make the state directory private");
        }
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(|source| FileError::Io {
                action: "open",
                path: lock_path.clone(),
                source,
            })?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(KeyringError::InUse {
                    path: path.to_owned(),
                });
            }
            Err(error) => {
                return Err(KeyringError::File(FileError::Io {
                    action: "lock",
                    path: lock_path,
                    source: error.into(),
                }));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            lock: Mutex::new(Some(lock)),
        })
    }

    /// For looking only, beside an agent that may be running. Nothing can be written through it.
    #[must_use]
    pub fn for_looking(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            lock: Mutex::default(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the lock up, although this lives on: for looking only from now on.
    pub fn release(&self) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whoever does not hold the lock may look and not touch.
    fn check_locked(&self) -> Result<(), KeyringError> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        match &*lock {
            Some(_) => Ok(()),
            None => Err(KeyringError::InUse {
                path: self.path.clone(),
            }),
        }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The payload of a file; `None` if there is no such file.
    pub(super) fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        self.read_as(name, name)
    }

    fn read_as(&self, file: &str, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        let path = self.file(file);
        let Some(content) = read_bounded(&path, FILE_BYTES)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        match envelope::open(name, &content) {
            Ok(payload) => Ok(Some(Zeroizing::new(payload.to_vec()))),
            Err(why) => Err(KeyringError::Damaged {
                path,
                why: why.to_owned(),
            }),
        }
    }

    /// Replaces a file whole.
    pub(super) fn write(&self, name: &str, payload: &[u8]) -> Result<(), KeyringError> {
        self.check_locked()?;
        Ok(write_atomically(
            &self.file(name),
            &envelope::seal(name, payload),
        )?)
    }

    /// The payload of a file that is kept twice: of the previous generation if the current one is damaged or missing.
    pub(super) fn read_generation(&self, name: &str) -> Result<Option<Generation>, KeyringError> {
        let damaged = match self.read(name) {
            Ok(Some(payload)) => {
                return Ok(Some(Generation {
                    payload,
                    damaged: None,
                }));
            }
            Ok(None) => None,
            Err(error) => Some(error),
        };
        match self.read_as(&previous(name), name) {
            Ok(Some(payload)) => {
                let damaged = damaged.unwrap_or_else(|| KeyringError::Damaged {
                    path: self.file(name),
                    why: "it is missing".to_owned(),
                });
                Ok(Some(Generation {
                    payload,
                    damaged: Some(damaged),
                }))
            }
            Ok(None) => damaged.map_or(Ok(None), Err),
            Err(error) => Err(damaged.unwrap_or(error)),
        }
    }

    /// Replaces a file that is kept twice; the current one becomes the previous one if it is sound.
    pub(super) fn write_generation(&self, name: &str, payload: &[u8]) -> Result<(), KeyringError> {
        self.check_locked()?;
        if let Ok(Some(current)) = self.read(name) {
            write_atomically(&self.file(&previous(name)), &envelope::seal(name, &current))?;
        }
        self.write(name, payload)
    }

    /// Removes a file, and its previous generation; nothing happens if there is none.
    pub(super) fn remove(&self, name: &str) -> Result<(), KeyringError> {
        self.check_locked()?;
        for path in [self.file(name), self.file(&previous(name))] {
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(KeyringError::File(FileError::Io {
                        action: "remove",
                        path,
                        source,
                    }));
                }
            }
        }
        Ok(())
    }
}

fn previous(name: &str) -> String {
    format!("{name}.previous")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_agents_never_share_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let first = StateDir::open(&path).unwrap();
        assert!(matches!(StateDir::open(&path), Err(KeyringError::InUse { .. })));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        first.write("trust", b"mine").unwrap();
        first.release();
        let second = StateDir::open(&path).unwrap();
        assert!(first.write("trust", b"not mine any more").is_err());
        assert_eq!(*second.read("trust").unwrap().unwrap(), b"mine");
    }

    #[test]
    fn a_damaged_generation_gives_way_to_the_previous_one_and_is_never_kept() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::open(folder.path()).unwrap();
        dir.write_generation("trust", b"one").unwrap();
        dir.write_generation("trust", b"two").unwrap();
        fs::write(dir.file("trust"), b"rubbish").unwrap();
        let found = dir.read_generation("trust").unwrap().unwrap();
        assert_eq!(*found.payload, b"one");
        assert!(found.damaged.unwrap().to_string().contains("trust is damaged"));
        dir.write_generation("trust", b"three").unwrap();
        fs::write(dir.file("trust"), b"rubbish").unwrap();
        assert_eq!(
            *dir.read_generation("trust").unwrap().unwrap().payload,
            b"one",
            "rubbish did not become the previous generation"
        );
        fs::write(dir.file("trust.previous"), b"rubbish").unwrap();
        assert!(dir.read_generation("trust").is_err());
    }
}
