//! Keys and certificates on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use portolan_shared::process::{FileError, create_private_dir, read_bounded, write_atomically};

/// Why the authority cannot work.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A file could not be read or written.
    #[error("the CA's files cannot be used")]
    File(#[from] FileError),
    /// Another failure of the file system.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Some of the CA's files are there and this one is not.
    #[error(
        "{} is missing although other files of the CA exist; restore the folder from a backup, or remove it as a whole to begin anew, \
         which makes every sensor enrol again",
        .0.display()
    )]
    Incomplete(PathBuf),
    /// A file does not hold what it should.
    #[error("{} does not hold {what}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A certificate could not be made.
    #[error("a certificate could not be made")]
    Issue(#[from] rcgen::Error),
    /// rustls does not take our own key.
    #[error("the server's key cannot be used")]
    Key(#[from] rustls::Error),
}

/// Largest file, in bytes: refused above.
const MAX_BYTES: u64 = 16 * 1024;

/// Makes a folder with these files, whole or not at all.
pub(super) fn create_folder(folder: &Path, files: &[(String, String)]) -> Result<(), CaError> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| CaError::Io { action, path, source }
    };
    let parent = folder.parent().unwrap_or(Path::new("."));
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = parent.join(format!(".{name}.new"));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(failed("remove", &unfinished))?;
    }
    create_private_dir(&unfinished)?;
    for (name, content) in files {
        write_atomically(&unfinished.join(name), content.as_bytes())?;
    }
    fs::rename(&unfinished, folder).map_err(failed("rename", &unfinished))?;
    fs::File::open(parent)
        .and_then(|parent| parent.sync_all())
        .map_err(failed("sync", parent))
}

/// Reads one of the files, which must be there.
pub(super) fn read(path: &Path) -> Result<String, CaError> {
    let bytes = read_bounded(path, MAX_BYTES)?.ok_or_else(|| CaError::Incomplete(path.to_owned()))?;
    String::from_utf8(bytes).map_err(|_| CaError::Content {
        path: path.to_owned(),
        what: "text",
    })
}
