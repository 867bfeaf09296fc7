//! A copy of the database, taken while others work on it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{Connection as _, SqliteConnection};

use super::mark;
use crate::StoreError;
use crate::sqlite::columns::millis;
use crate::sqlite::failure::During as _;

/// Copies the database at `from` to a new file at `to`, readable by its owner alone, and marks the copy as a backup. It is the state of one moment,
/// without what was deleted; the database may be in use, and who writes to it does not wait. Gives the bytes of the copy.
///
/// The copy comes into being beside `to` under the same name with `.partial` behind it, and is on the disk before it gets its name: a file
/// of the name `to` is whole. A `.partial` of an earlier attempt is removed.
///
/// # Errors
///
/// [`StoreError::Taken`] if there is a file at `to`, [`StoreError::Refused`] if `from` is itself a backup or half restored, or of a release that
/// knew no backups, [`StoreError::Unavailable`] if there is no database or a file cannot be written.
pub async fn back_up(from: &Path, to: &Path, now: Timestamp) -> Result<u64, StoreError> {
    const ACTION: &str = "copy the database";
    if to.symlink_metadata().is_ok() {
        return Err(StoreError::Taken {
            what: "file",
            name: to.display().to_string(),
        });
    }
    let refused = |why: &str| StoreError::Refused {
        what: "the database",
        why: why.to_owned(),
    };
    let options = SqliteConnectOptions::new().filename(from).read_only(true);
    let mut source = SqliteConnection::connect_with(&options).await.during(ACTION)?;
    let known: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'timeline')")
            .fetch_one(&mut source)
            .await
            .during(ACTION)?;
    if !known {
        return Err(refused(
            "a release before this one wrote it; start the server of this release once",
        ));
    }
    if mark::read(&mut source).await?.mark.is_some() {
        return Err(refused("it is itself a backup, or one that is being restored"));
    }
    // Whole, so that it cannot be taken for a URI; and as text, for SQLite takes no other.
    let partial = std::path::absolute(partial(to))
        .map_err(|error| unavailable("make the file of the backup", error))?;
    let Some(name) = partial.to_str() else {
        return Err(StoreError::Refused {
            what: "the name of the backup",
            why: "it is not UTF-8".to_owned(),
        });
    };
    make_empty(&partial).map_err(|error| unavailable("make the file of the backup", error))?;
    sqlx::query("VACUUM INTO ?1")
        .bind(name)
        .execute(&mut source)
        .await
        .during(ACTION)?;
    source.close().await.during(ACTION)?;
    let options = SqliteConnectOptions::new()
        .filename(&partial)
        .journal_mode(SqliteJournalMode::Delete);
    let mut copy = SqliteConnection::connect_with(&options)
        .await
        .during("mark the backup")?;
    sqlx::query("UPDATE timeline SET mark = 'backup', marked_at = ?1")
        .bind(millis(now))
        .execute(&mut copy)
        .await
        .during("mark the backup")?;
    copy.close().await.during("mark the backup")?;
    keep(&partial, to).map_err(|error| unavailable("keep the backup", error))
}

fn partial(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

/// SQLite copies into an empty file as into none, and leaves its mode alone.
fn make_empty(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Ok(())
}

fn keep(partial: &Path, to: &Path) -> io::Result<u64> {
    let file = File::open(partial)?;
    file.sync_all()?;
    std::fs::rename(partial, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(file.metadata()?.len())
}

fn unavailable(action: &'static str, error: io::Error) -> StoreError {
    StoreError::Unavailable {
        action,
        source: Box::new(error),
    }
}
