//! Files that nobody else may read: the secrets of senders, and the key of the listener's certificate. Read at the start, and again when they change.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use portolan_shared::events::{WebhookSecret, WebhookSecretError};
use portolan_shared::secret::Secret;
use zeroize::Zeroizing;

/// A file with a secret, in bytes: refused above.
const SECRET_BYTES: u64 = 4 * 1024;
/// Whoever is neither the owner nor in the group may do nothing with it, and the group not write: `0640` of root and the agent's group is what the
/// installation makes, `0440` what systemd and Kubernetes can be told to mount.
const NOT_ALLOWED: u32 = 0o027;

/// Why a file cannot be used. Never says anything of its content.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// It is not there.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// The operating system refuses.
    #[error("{} cannot be read: the agent's user must be able to", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// It is a pipe, a device, a folder.
    #[error("{} is not a regular file", .0.display())]
    NotRegular(PathBuf),
    /// Others could have read or replaced it.
    #[error(
        "{} has mode {mode:03o}, so that others can read or change it: chmod 640 it, and give it the agent's group",
        path.display()
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// There is too much in it.
    #[error("{} is larger than {bound} bytes", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// How large it may be.
        bound: u64,
    },
    /// What is in it is no secret.
    #[error("{}: expected one line with the secret", path.display())]
    Secret {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: WebhookSecretError,
    },
    /// What is in it is no certificate, or no key.
    #[error("{}: expected {expected}, in PEM", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
    },
    /// The two do not belong together.
    #[error("the key in {} is not that of the certificate in {}", key.display(), certificate.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What TLS makes of them.
        #[source]
        source: rustls::Error,
    },
}

impl FileFault {
    /// With what caused it.
    pub(super) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}

/// Changes when a file does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: (i64, i64),
    changed: (i64, i64),
    length: u64,
    inode: u64,
}

impl Stamp {
    /// What the file looks like now; none if it cannot be seen. Links are followed: that is how orchestrators mount secrets.
    pub(super) fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().as_ref().map(Self::from)
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            length: metadata.len(),
            inode: metadata.ino(),
        }
    }
}

/// Whether others may see the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    Agent,
    Everybody,
}

/// Reads a regular file of at most `bound` bytes.
pub(super) fn read_file(
    path: &Path,
    bound: u64,
    audience: Audience,
) -> Result<Zeroizing<Vec<u8>>, FileFault> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => FileFault::Missing(path.to_owned()),
        _ => FileFault::Unreadable {
            path: path.to_owned(),
            source,
        },
    };
    let file = OpenOptions::new()
        .read(true)
        // Opening a pipe or a device must not wait for anybody.
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(refused)?;
    let metadata = file.metadata().map_err(refused)?;
    if !metadata.is_file() {
        return Err(FileFault::NotRegular(path.to_owned()));
    }
    let mode = metadata.mode() & 0o777;
    if audience == Audience::Agent && mode & NOT_ALLOWED != 0 {
        let path = path.to_owned();
        return Err(FileFault::Exposed { path, mode });
    }
    let mut content = Zeroizing::new(Vec::new());
    file.take(bound + 1).read_to_end(&mut content).map_err(refused)?;
    if content.len() as u64 > bound {
        let path = path.to_owned();
        return Err(FileFault::TooLarge { path, bound });
    }
    Ok(content)
}

/// A secret in a file, as it is now.
#[derive(Debug)]
pub(super) struct SecretFile {
    path: PathBuf,
    held: RwLock<Held>,
}

#[derive(Debug)]
struct Held {
    /// None: the file has gone, and with it the secret.
    secret: Option<WebhookSecret>,
    stamp: Option<Stamp>,
    fault: Option<String>,
}

impl SecretFile {
    pub(super) fn open(path: &Path) -> Result<Self, FileFault> {
        // Before it is read: what changes in between is looked at again.
        let stamp = Stamp::of(path);
        let secret = Some(read_secret(path)?);
        Ok(Self {
            path: path.to_owned(),
            held: RwLock::new(Held {
                secret,
                stamp,
                fault: None,
            }),
        })
    }

    /// The secret in force.
    pub(super) fn current(&self) -> Option<WebhookSecret> {
        self.held
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .secret
            .clone()
    }

    /// Why the file as it is now is not in force.
    pub(super) fn fault(&self) -> Option<String> {
        self.held
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .fault
            .clone()
    }

    /// Reads it again if it has changed. With a file that cannot be used the last secret stays in force, since it may be half written; with one that is
    /// gone, none does.
    pub(super) fn look(&self) {
        let stamp = Stamp::of(&self.path);
        if self.held.read().unwrap_or_else(PoisonError::into_inner).stamp == stamp {
            return;
        }
        let read = read_secret(&self.path);
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.stamp = stamp;
        held.fault = read.as_ref().err().map(FileFault::with_causes);
        let path = self.path.display();
        match read {
            Ok(secret) => {
                held.secret = Some(secret);
                tracing::info!(%path, "a notification secret was read again");
            }
            Err(fault) => {
                if matches!(fault, FileFault::Missing(_)) {
                    held.secret = None;
                }
                tracing::error!(
                    fault = fault.with_causes(),
                    "a notification secret cannot be read again"
                );
            }
        }
    }
}

fn read_secret(path: &Path) -> Result<WebhookSecret, FileFault> {
    let wrong = |source| FileFault::Secret {
        path: path.to_owned(),
        source,
    };
    let content = read_file(path, SECRET_BYTES, Audience::Agent)?;
    let text = std::str::from_utf8(&content).map_err(|_| wrong(WebhookSecretError::Characters))?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    WebhookSecret::new(Secret::new(line.to_owned())).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn write(path: &Path, content: &str, mode: u32) {
        let beside = path.with_extension("new");
        fs::write(&beside, content).unwrap();
        fs::set_permissions(&beside, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(&beside, path).unwrap();
    }

    #[test]
    fn a_secret_is_one_line_that_others_cannot_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let read = || SecretFile::open(&path).map_err(|fault| fault.with_causes());
        assert!(read().unwrap_err().contains("there is no file"));
        for (content, mode, wrong) in [
            ("0123456789abcdef\n", 0o644, "mode 644"),
            ("0123456789abcdef\n", 0o660, "mode 660"),
            ("short\n", 0o600, "too short"),
            ("0123456789abcdef\n0123456789abcdef\n", 0o600, "printable ASCII"),
        ] {
            write(&path, content, mode);
            let fault = read().unwrap_err();
            assert!(fault.contains(wrong), "{fault}");
            assert!(!fault.contains("0123456789"), "{fault}");
        }
        write(&path, &"x".repeat(5_000), 0o600);
        assert!(read().unwrap_err().contains("larger than 4096 bytes"));
        for (content, mode) in [
            ("0123456789abcdef", 0o400),
            ("0123456789abcdef\n", 0o640),
            ("0123456789abcdef\r\n", 0o440),
        ] {
            write(&path, content, mode);
            let secret = read().unwrap();
            assert_eq!(secret.current().unwrap().expose(), "0123456789abcdef");
            assert!(!format!("{secret:?}").contains("0123456789"));
        }
        let fault = SecretFile::open(folder.path()).unwrap_err();
        assert!(matches!(fault, FileFault::NotRegular(_)), "{fault}");
    }

    #[test]
    fn a_secret_that_changes_holds_at_once_and_one_that_is_gone_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        write(&path, "the-first-secret-of-all", 0o600);
        let file = SecretFile::open(&path).unwrap();
        let now = || {
            file.look();
            let secret = file.current().map(|secret| secret.expose().to_owned());
            (secret, file.fault().is_some())
        };
        let is = |text: &str, faulty| (Some(text.to_owned()), faulty);
        assert_eq!(now(), is("the-first-secret-of-all", false));
        write(&path, "the-second-secret-of-all", 0o600);
        assert_eq!(now(), is("the-second-secret-of-all", false));
        write(&path, "half", 0o600);
        assert_eq!(now(), is("the-second-secret-of-all", true), "half written");
        fs::remove_file(&path).unwrap();
        assert_eq!(now(), (None, true));
        write(&path, "the-third-secret-of-them", 0o600);
        assert_eq!(now(), is("the-third-secret-of-them", false));
    }
}
