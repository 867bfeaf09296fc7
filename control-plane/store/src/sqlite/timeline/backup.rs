//! A copy of the database, taken while others work on it.

use std::error::Error;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{Connection as _, SqliteConnection};

use super::mark;
use super::partial::Partial;
use crate::StoreError;
use crate::sqlite::columns::millis;
use crate::sqlite::failure::During as _;

/// Copies the database at `from` to a new file at `to`, readable by its owner alone, and marks the copy as a backup. It is the state of one moment,
/// without what was deleted; the database may be in use, and who writes to it does not wait. Gives the bytes of the copy.
///
/// The copy comes into being beside `to` under the same name with `.partial` behind it, and is on the disk before it gets its name: a file
/// of the name `to` is whole, and one that is there is never replaced. Meanwhile nobody else takes a backup of that name. If it fails nothing is
/// left; what an attempt has left that was cut off goes with the next.
///
/// # Errors
///
/// [`StoreError::Taken`] if there is a file at `to`, [`StoreError::Refused`] if another backup of that name is being taken, or if `from` is itself a
/// backup or half restored, or of a release that knew no backups, [`StoreError::Unavailable`] if there is no database or a file cannot be written.
pub async fn back_up(from: &Path, to: &Path, now: Timestamp) -> Result<u64, StoreError> {
    const ACTION: &str = "copy the database";
    if to.symlink_metadata().is_ok() {
        return Err(taken(to));
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
    const MAKE: &str = "make the file of the backup";
    let Some(partial) = Partial::claim(to).map_err(|error| unavailable(MAKE, error))? else {
        return Err(StoreError::Refused {
            what: "the name of the backup",
            why: "another backup of this name is being taken".to_owned(),
        });
    };
    // Whole, so that it cannot be taken for a URI; and as text, for SQLite takes no other.
    let path = std::path::absolute(partial.path()).map_err(|error| unavailable(MAKE, error))?;
    let Some(name) = path.to_str() else {
        return Err(StoreError::Refused {
            what: "the name of the backup",
            why: "it is not UTF-8".to_owned(),
        });
    };
    sqlx::query("VACUUM INTO ?1")
        .bind(name)
        .execute(&mut source)
        .await
        .during(ACTION)?;
    source.close().await.during(ACTION)?;
    mark_as_backup(&path, now).await?;
    partial.keep_as(to).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => taken(to),
        _ => unavailable("keep the backup", error),
    })
}

async fn mark_as_backup(copy: &Path, now: Timestamp) -> Result<(), StoreError> {
    const ACTION: &str = "mark the backup";
    let options = SqliteConnectOptions::new()
        .filename(copy)
        .journal_mode(SqliteJournalMode::Delete);
    let mut copy = SqliteConnection::connect_with(&options).await.during(ACTION)?;
    let marked = sqlx::query("UPDATE timeline SET mark = 'backup', marked_at = ?1")
        .bind(millis(now))
        .execute(&mut copy)
        .await;
    copy.close().await.during(ACTION)?;
    marked.during(ACTION)?;
    Ok(())
}

fn taken(to: &Path) -> StoreError {
    StoreError::Taken {
        what: "file",
        name: to.display().to_string(),
    }
}

fn unavailable(action: &'static str, error: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable {
        action,
        source: Box::new(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::sqlite::SqliteStore;
    use crate::{Store as _, TimelineMark, Timelines as _};
    use tempfile::TempDir;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    struct Scene {
        folder: TempDir,
        store: SqliteStore,
    }

    impl Scene {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let database = folder.path().join("portolan.db");
            let store = SqliteStore::open(&database).await.unwrap();
            fs::create_dir(folder.path().join("backups")).unwrap();
            Self { folder, store }
        }

        fn to(&self) -> PathBuf {
            self.folder.path().join("backups/monday.db")
        }

        async fn back_up(&self) -> Result<u64, StoreError> {
            back_up(&self.folder.path().join("portolan.db"), &self.to(), NOW).await
        }

        /// Names of what lies where backups go.
        fn names(&self) -> Vec<String> {
            let files = fs::read_dir(self.folder.path().join("backups")).unwrap();
            let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        }
    }

    #[tokio::test]
    async fn of_two_backups_to_one_name_one_is_taken() {
        let scene = Scene::new().await;
        let (one, other) = tokio::join!(scene.back_up(), scene.back_up());
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert_eq!(scene.names(), ["monday.db"]);
        let whole = SqliteStore::open(&scene.to()).await.unwrap();
        let mark = whole.timeline().await.unwrap().mark;
        assert_eq!(mark, Some(TimelineMark::Backup { taken_at: NOW }));
        whole.close().await;
        let again = scene.back_up().await.unwrap_err();
        assert!(matches!(again, StoreError::Taken { .. }), "{again:?}");
    }

    #[tokio::test]
    async fn who_takes_a_backup_is_not_disturbed() {
        let scene = Scene::new().await;
        let partial = Partial::claim(&scene.to()).unwrap().unwrap();
        fs::write(partial.path(), "half").unwrap();
        let refused = scene.back_up().await.unwrap_err();
        assert!(matches!(refused, StoreError::Refused { .. }), "{refused:?}");
        assert_eq!(fs::read(partial.path()).unwrap(), b"half");
        // Somebody else has made a file of this name meanwhile.
        fs::write(scene.to(), "another").unwrap();
        let kept = partial.keep_as(&scene.to()).unwrap_err();
        assert_eq!(kept.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(scene.to()).unwrap(), b"another");
        assert_eq!(scene.names(), ["monday.db"]);
    }

    #[tokio::test]
    async fn what_was_cut_off_goes_with_the_next_attempt() {
        let scene = Scene::new().await;
        scene.back_up().await.unwrap();
        let beside = |name| scene.folder.path().join("backups").join(name);
        // Cut off when it had both names, and moved away since.
        fs::rename(scene.to(), beside("old.db")).unwrap();
        fs::hard_link(beside("old.db"), beside("monday.db.partial")).unwrap();
        let old = fs::read(beside("old.db")).unwrap();
        fs::write(beside("monday.db.partial-journal"), "torn").unwrap();
        fs::write(beside("monday.db.partial.lock"), "").unwrap();
        scene.back_up().await.unwrap();
        assert_eq!(scene.names(), ["monday.db", "old.db"]);
        assert_eq!(fs::read(beside("old.db")).unwrap(), old);
    }

    #[tokio::test]
    async fn what_people_lock_around_a_backup_is_theirs() {
        let scene = Scene::new().await;
        let lock = scene.folder.path().join("backups/monday.db.lock");
        let held = fs::File::create(&lock).unwrap();
        held.lock().unwrap();
        scene.back_up().await.unwrap();
        assert_eq!(scene.names(), ["monday.db", "monday.db.lock"]);
        // Nor is one removed that nobody holds.
        drop(held);
        fs::remove_file(scene.to()).unwrap();
        scene.back_up().await.unwrap();
        assert_eq!(scene.names(), ["monday.db", "monday.db.lock"]);
    }

    #[tokio::test]
    async fn a_backup_that_fails_leaves_nothing_behind() {
        let scene = Scene::new().await;
        let fails =
            "CREATE TRIGGER fails BEFORE UPDATE OF mark ON timeline BEGIN SELECT RAISE(ABORT, 'full'); END";
        let mut tx = scene.store.write().await.unwrap();
        sqlx::query(fails).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        scene.back_up().await.unwrap_err();
        assert!(scene.names().is_empty(), "{:?}", scene.names());
        scene.store.close().await;
    }
}
