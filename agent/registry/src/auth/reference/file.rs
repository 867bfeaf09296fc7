//! Files that hold credentials.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use portolan_shared::secret::Secret;
use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

use crate::auth::credential::{Credential, CredentialError};

/// Bytes of a credential file: refused above.
pub(super) const FILE_BYTES: u64 = 16 * 1024;

/// Changes when a file does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    path: PathBuf,
    modified: (i64, i64),
    changed: (i64, i64),
    length: u64,
    inode: u64,
}

/// What a file looks like now. Links are followed.
pub(super) async fn stamp(path: &Path) -> Result<Stamp, CredentialError> {
    let metadata = tokio::fs::metadata(path)
        .await
        .map_err(|error| refused(path, &error))?;
    must_be_regular(path, &metadata)?;
    Ok(Stamp {
        path: path.to_owned(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        length: metadata.len(),
        inode: metadata.ino(),
    })
}

/// The text of a file of at most `bound` bytes.
pub(super) async fn read(path: &Path, bound: u64) -> Result<Zeroizing<String>, CredentialError> {
    let file = tokio::fs::OpenOptions::new()
        .read(true)
        // Opening a pipe or a device must not wait for anybody.
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .await
        .map_err(|error| refused(path, &error))?;
    let metadata = file.metadata().await.map_err(|error| refused(path, &error))?;
    must_be_regular(path, &metadata)?;
    let mut content = Zeroizing::new(Vec::new());
    file.take(bound + 1)
        .read_to_end(&mut content)
        .await
        .map_err(|error| refused(path, &error))?;
    if content.len() as u64 > bound {
        return Err(form(path, "is too large"));
    }
    let text = std::str::from_utf8(&content).map_err(|_| form(path, "is not text in UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The login in a file with one line.
pub(super) async fn login(path: &Path) -> Result<Credential, CredentialError> {
    let text = read(path, FILE_BYTES).await?;
    one_line(&text).map_err(|problem| form(path, problem))
}

pub(super) fn form(path: &Path, problem: &'static str) -> CredentialError {
    CredentialError::Form {
        path: path.to_owned(),
        problem,
    }
}

/// Reading from pipes and devices has effects, and no end. Links are followed: that is how orchestrators mount secrets.
fn must_be_regular(path: &Path, metadata: &std::fs::Metadata) -> Result<(), CredentialError> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(form(path, "is not a regular file"))
    }
}

pub(super) fn refused(path: &Path, error: &std::io::Error) -> CredentialError {
    if error.kind() == std::io::ErrorKind::NotFound {
        CredentialError::NoFile(path.to_owned())
    } else {
        CredentialError::Unreadable {
            path: path.to_owned(),
            kind: error.kind(),
        }
    }
}

/// Reads `username:secret`, with or without an end of line.
fn one_line(text: &str) -> Result<Credential, &'static str> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let line = lines
        .next()
        .ok_or("is empty: expected one line, username:secret")?;
    if lines.next().is_some() {
        return Err("has more than one line: expected username:secret");
    }
    let (username, secret) = line
        .trim()
        .split_once(':')
        .ok_or("has no colon: expected one line, username:secret")?;
    if username.is_empty() || secret.is_empty() {
        return Err("lacks the user name or the secret: expected one line, username:secret");
    }
    Ok(Credential::Login {
        username: username.to_owned(),
        secret: Secret::new(secret.to_owned()),
    })
}
