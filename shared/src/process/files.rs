//! Files that hold state: written whole or not at all, readable by their owner alone, bounded when read.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// A file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The file is larger than it may be.
    #[error("{} is larger than {bound} bytes", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// How large it may be.
        bound: u64,
    },
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Io { action, path, source }
}

/// Whom a file is to belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    /// Whom the file or folder at `path` belongs to.
    pub fn of(path: &Path) -> Result<Self, FileError> {
        let there = fs::metadata(path).map_err(failed("look at", path))?;
        Ok(Self {
            user: there.uid(),
            group: there.gid(),
        })
    }

    /// Gives this owner a file that was made at `path`; it need not have that name any more, and what has taken the name is not touched. Whoever
    /// may give nothing away keeps it: the folder is another's, who lets this process write in it.
    pub fn own(self, file: &File, path: &Path) -> Result<(), FileError> {
        let given = file.metadata().and_then(|own| {
            if own.uid() == self.user {
                return Ok(());
            }
            fchown(file, Some(self.user), Some(self.group))
        });
        match given {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            given => given.map_err(failed("change the owner of", path)),
        }
    }
}

/// Replaces `path` by a file with `content` and mode 0600, or leaves it as it was: written under another name, synced, renamed,
/// and the folder synced, so that a crash at any moment leaves the old or the new content. Nothing is written through a link, whoever
/// has put it there.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<(), FileError> {
    replace(path, content, None)
}

/// The same, for somebody else: the file is theirs before it has its name.
pub fn write_atomically_for(owner: Owner, path: &Path, content: &[u8]) -> Result<(), FileError> {
    replace(path, content, Some(owner))
}

fn replace(path: &Path, content: &[u8], owner: Option<Owner>) -> Result<(), FileError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let mut file = create_private_file(&temporary)?;
    if let Some(owner) = owner {
        owner.own(&file, &temporary)?;
    }
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(failed("write", &temporary))?;
    fs::rename(&temporary, path).map_err(failed("replace", path))?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed("sync", folder))
}

/// Makes an empty file at `path`, readable by its owner alone. What has the name is removed first and not emptied: it can be a link to
/// another file, or a second name of one.
pub fn create_private_file(path: &Path) -> Result<File, FileError> {
    remove_if_there(path)?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed("create", path))
}

/// Removes a file, if it is there; of a link, the link.
pub fn remove_if_there(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

/// The file beside `path` that has its name with `suffix` behind it.
#[must_use]
pub fn with_suffix(path: &Path, suffix: impl AsRef<OsStr>) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Reads `path` if it has at most `bound` bytes; `None` if there is no such file.
pub fn read_bounded(path: &Path, bound: u64) -> Result<Option<Vec<u8>>, FileError> {
    Ok(open_bounded(path, bound)?.map(|(_, content)| content))
}

/// The same, with the file that was read: what is asked of it is not answered by another one that has taken its name since.
pub fn open_bounded(path: &Path, bound: u64) -> Result<Option<(File, Vec<u8>)>, FileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", path)(error)),
    };
    let mut content = Vec::new();
    (&file)
        .take(bound + 1)
        .read_to_end(&mut content)
        .map_err(failed("read", path))?;
    if content.len() as u64 > bound {
        return Err(FileError::TooLarge {
            path: path.to_owned(),
            bound,
        });
    }
    Ok(Some((file, content)))
}

/// Makes `path` and its parents, readable by their owner alone; nothing happens if it exists.
pub fn create_private_dir(path: &Path) -> Result<(), FileError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed("create", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    #[test]
    fn writes_whole_files_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/state");
        create_private_dir(path.parent().unwrap()).unwrap();
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(read_bounded(&path, 3).unwrap().unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(read_bounded(&path, 2), Err(FileError::TooLarge { .. })));
        assert!(read_bounded(&folder.path().join("none"), 1).unwrap().is_none());
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "no temporary file is left"
        );
    }

    #[test]
    fn nothing_is_written_through_a_link_that_somebody_has_put_there() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("state"), folder.path().join("other"));
        fs::write(&other, "of somebody else").unwrap();
        let temporary = folder.path().join(format!(".state.{}.tmp", std::process::id()));
        let write = |content: &[u8]| write_atomically_for(Owner::of(folder.path()).unwrap(), &path, content);
        let links: [fn(&Path, &Path) -> io::Result<()>; 2] =
            [|from, to| symlink(from, to), |from, to| fs::hard_link(from, to)];
        for link in links {
            link(&other, &temporary).unwrap();
            write(b"one").unwrap();
            assert!(path.symlink_metadata().unwrap().is_file());
            assert_eq!(fs::read(&path).unwrap(), b"one");
            assert_eq!(fs::read(&other).unwrap(), b"of somebody else");
            assert_eq!(fs::metadata(&other).unwrap().nlink(), 1);
        }
        // Nor through one that has the name itself.
        fs::remove_file(&path).unwrap();
        symlink(&other, &path).unwrap();
        write(b"two").unwrap();
        assert!(path.symlink_metadata().unwrap().is_file());
        assert_eq!(fs::read(&other).unwrap(), b"of somebody else");
    }

    /// As in a folder that a volume's group may write in: root can give a file to anybody, and others are not hindered by that they cannot.
    #[test]
    fn whoever_may_give_nothing_away_is_not_hindered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let somebody = Owner {
            user: 65_533,
            group: 65_533,
        };
        write_atomically_for(somebody, &path, b"one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 3);
    }

    #[test]
    fn a_file_is_given_to_its_owner_and_what_has_taken_its_name_is_not() {
        let folder = tempfile::tempdir().unwrap();
        // Only root can give a file away; for others everything is theirs anyway.
        if chown(folder.path(), Some(65_534), Some(65_534)).is_err() {
            return;
        }
        let owner = Owner::of(folder.path()).unwrap();
        let path = folder.path().join("state");
        write_atomically_for(owner, &path, b"one").unwrap();
        assert_eq!(Owner::of(&path).unwrap(), owner);
        let mine = folder.path().join("mine");
        let file = create_private_file(&mine).unwrap();
        let root = Owner::of(&mine).unwrap();
        fs::rename(&mine, folder.path().join("moved")).unwrap();
        fs::write(&mine, "").unwrap();
        owner.own(&file, &mine).unwrap();
        assert_eq!(Owner::of(&mine).unwrap(), root);
        assert_eq!(Owner::of(&folder.path().join("moved")).unwrap(), owner);
    }
}
