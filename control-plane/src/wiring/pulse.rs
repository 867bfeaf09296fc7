//! Whether the database is the one that this control plane last worked on.
//!
//! While the control plane works it counts the database's pulse up, and remembers it beside its keys once the database has it for good. A database
//! with a lower pulse than is remembered is an old state that somebody has put in the place of the present one. What cannot be noticed so is a
//! folder that was set back as a whole, such as the snapshot of a machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use portolan_shared::process::{FileError, Shutdown, read_bounded, write_atomically, write_atomically_for};
use portolan_store::{Store, TimelineMark};

use super::{DataDir, DataDirError};

/// How often the pulse is counted up: what was written within this time may be lost without being noticed.
const EVERY: Duration = Duration::from_secs(60);
/// Where it is remembered.
const PULSE: &str = "pulse";
/// Longest such file, in bytes.
const LONGEST: u64 = 32;

impl DataDir {
    /// The highest pulse of the database that this folder remembers; 0 if it has not seen one.
    pub fn pulse(&self) -> Result<u64, DataDirError> {
        let path = self.path.join(PULSE);
        let Some(bytes) = read_bounded(&path, LONGEST)? else {
            return Ok(0);
        };
        let pulse = str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        pulse.ok_or(DataDirError::Content {
            path,
            what: "a number",
        })
    }

    /// Remembers a pulse of the database, for whoever the folder belongs to.
    pub fn keep_pulse(&self, pulse: u64) -> Result<(), FileError> {
        write_atomically_for(self.owner()?, &self.path.join(PULSE), line(pulse).as_bytes())
    }

    /// Must be asked before anything else: keys that are made now would belong to no database, and SQLite would make a new database in the place of
    /// the one that is gone.
    pub fn must_not_be_gone(&self) -> Result<(), DataDirError> {
        if self.pulse()? > 0 && !self.database().exists() {
            return Err(DataDirError::Lost {
                path: self.database(),
                loss: "everything is lost; to begin anew, remove the folder",
            });
        }
        Ok(())
    }

    /// Whether this is the database that this control plane last worked on, and not an old state of it. Must be asked before anything that
    /// sensors or people could see.
    pub async fn must_be_present(&self, store: &dyn Store) -> Result<(), DataDirError> {
        let timeline = store.timeline().await.map_err(DataDirError::Pulse)?;
        let why = match timeline.mark {
            Some(TimelineMark::Backup { .. }) => "is a backup",
            Some(TimelineMark::Restoring { .. }) => "was not restored to the end",
            None if self.pulse()? > timeline.pulse => "is older than what this control plane has written",
            None => return Ok(()),
        };
        Err(DataDirError::Old {
            path: self.database(),
            why,
        })
    }

    /// Counts the pulse up and remembers it.
    pub async fn beat(&self, store: &dyn Store) -> Result<(), DataDirError> {
        beat(&self.path, store).await
    }

    /// Counts the pulse up every minute until draining begins.
    pub fn keep_beating(
        &self,
        store: Arc<dyn Store>,
        shutdown: Shutdown,
    ) -> impl Future<Output = ()> + 'static {
        keep(self.path.clone(), store, EVERY, shutdown)
    }
}

async fn keep(folder: PathBuf, store: Arc<dyn Store>, every: Duration, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.draining() => return,
            () = tokio::time::sleep(every) => {}
        }
        if let Err(error) = beat(&folder, &*store).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the pulse of the database was not counted up"
            );
        }
    }
}

async fn beat(folder: &Path, store: &dyn Store) -> Result<(), DataDirError> {
    let pulse = store.beat().await.map_err(DataDirError::Pulse)?;
    Ok(write_atomically(&folder.join(PULSE), line(pulse).as_bytes())?)
}

/// What the file holds.
fn line(pulse: u64) -> String {
    format!("{pulse}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use portolan_store::Timelines as _;
    use portolan_store::sqlite::{SqliteStore, back_up};

    async fn open(dir: &DataDir) -> SqliteStore {
        SqliteStore::open(&dir.database()).await.unwrap()
    }

    async fn why(dir: &DataDir) -> Option<&'static str> {
        let store = open(dir).await;
        let present = dir.must_be_present(&store).await;
        store.close().await;
        match present {
            Ok(()) => None,
            Err(DataDirError::Old { why, .. }) => Some(why),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn t60_an_old_database_is_not_taken_for_the_present_one() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        dir.must_not_be_gone().unwrap();
        let store = open(&dir).await;
        dir.must_be_present(&store).await.unwrap();
        dir.beat(&store).await.unwrap();
        let (backup, copy) = (folder.path().join("backup"), folder.path().join("copy"));
        back_up(&dir.database(), &backup, Timestamp::UNIX_EPOCH)
            .await
            .unwrap();
        store.close().await;
        std::fs::copy(dir.database(), &copy).unwrap();
        assert_eq!(why(&dir).await, None, "it was only stopped");

        let store = open(&dir).await;
        dir.beat(&store).await.unwrap();
        store.close().await;
        std::fs::copy(&copy, dir.database()).unwrap();
        assert_eq!(
            why(&dir).await,
            Some("is older than what this control plane has written")
        );
        std::fs::copy(&backup, dir.database()).unwrap();
        assert_eq!(why(&dir).await, Some("is a backup"));
        let store = open(&dir).await;
        store.begin_restore(Timestamp::UNIX_EPOCH).await.unwrap();
        store.close().await;
        assert_eq!(why(&dir).await, Some("was not restored to the end"));
        std::fs::remove_file(dir.database()).unwrap();
        assert!(matches!(
            dir.must_not_be_gone().unwrap_err(),
            DataDirError::Lost { .. }
        ));
    }

    #[tokio::test]
    async fn what_is_no_pulse_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        for wrong in ["", "x", "-1", "1 2"] {
            std::fs::write(folder.path().join(PULSE), wrong).unwrap();
            assert!(
                matches!(dir.pulse().unwrap_err(), DataDirError::Content { .. }),
                "{wrong:?}"
            );
        }
        std::fs::write(folder.path().join(PULSE), "7\n").unwrap();
        assert_eq!(dir.pulse().unwrap(), 7);
    }

    #[tokio::test]
    async fn the_pulse_is_counted_up_again_and_again_until_draining() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        let store: Arc<dyn Store> = Arc::new(open(&dir).await);
        let shutdown = Shutdown::new();
        let often = Duration::from_millis(1);
        let beating = keep(
            folder.path().to_owned(),
            Arc::clone(&store),
            often,
            shutdown.clone(),
        );
        let draining = async {
            while dir.pulse().unwrap() < 3 {
                tokio::time::sleep(often).await;
            }
            shutdown.start_drain();
        };
        tokio::join!(beating, draining);
        assert_eq!(store.timeline().await.unwrap().pulse, dir.pulse().unwrap());
    }
}
