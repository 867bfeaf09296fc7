//! What can go wrong.

use std::path::PathBuf;

use jiff::Timestamp;
use portolan_shared::model::TenantId;
use portolan_shared::process::FileError;
use portolan_store::StoreError;

use crate::wiring::DataDirError;

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The data folder cannot be used.
    #[error("the data folder cannot be used")]
    DataDir(#[from] DataDirError),
    /// The database cannot be used.
    #[error("the database cannot be used")]
    Store(#[from] StoreError),
    /// A file could not be read or written.
    #[error("a file cannot be used")]
    File(#[from] FileError),
    /// There is no database.
    #[error("there is no database at {}", .0.display())]
    NoDatabase(PathBuf),
    /// The database is somewhere else.
    #[error("{} is a link: put the database itself there, with its -wal if there is one, and restore again", .0.display())]
    Link(PathBuf),
    /// Part of a database is in another file.
    #[error(
        "{} is there: the database beside it is not whole without it. Let a server of its own open and stop it in order, or restore it where it is, \
         without --from",
        .0.display()
    )]
    NotWhole(PathBuf),
    /// The database that is there is of another control plane, and so are, perhaps, the keys.
    #[error(
        "{} is of another control plane: no tenant of the backup is in it, so the keys beside it need not be those of the backup. If this is the right \
         folder, move it away, with its -wal if there is one; see to it that ca/, pepper and audit.key are those of the backup; and restore again",
        .0.display()
    )]
    Foreign(PathBuf),
    /// The clock is wrong.
    #[error("the backup was taken at {taken_at}, and it is {now} now: set the clock first")]
    Clock {
        /// What the clock says.
        now: Timestamp,
        /// When the backup was taken.
        taken_at: Timestamp,
    },
    /// A file is not what `portolan audit export` writes, or not all of it.
    #[error("{}: {why}", path.display())]
    Export {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An exported log does not belong to the database.
    #[error("{}: record {seq} does not follow from the audit log of the backup; the log is of another control plane, or one of both was changed", path.display())]
    Diverges {
        /// Which file.
        path: PathBuf,
        /// The first record that does not follow.
        seq: u64,
    },
    /// An exported log is of a tenant that the backup does not know.
    #[error("{}: it is the log of tenant {tenant}, which the backup does not know, or a second log of one that it knows", path.display())]
    Tenant {
        /// Which file.
        path: PathBuf,
        /// Whose log it is.
        tenant: TenantId,
    },
    /// The logs of some tenants were not given.
    #[error(
        "the audit log of {} is missing: give what `portolan audit export` wrote with --audit, so that whoever was shut out since the backup stays out; \
         or say --no-audit, look at every sensor and token yourself, and revoke again what was revoked",
        .0.join(", ")
    )]
    LogsMissing(Vec<String>),
}
