//! `portolan backup`

use std::io::{self, Write};

use jiff::Timestamp;
use portolan_shared::process::Clock;
use portolan_store::sqlite;

use super::report::{minute, size};
use super::{BackupArgs, UpkeepError};
use crate::wiring::DataDir;

/// A backup that was taken.
#[derive(Debug)]
pub struct Backup {
    /// What the database was copied as it was at this time.
    pub taken_at: Timestamp,
    /// Bytes of the copy.
    pub bytes: u64,
}

/// Copies the database of a data folder, which may be in use.
pub async fn back_up(args: &BackupArgs, clock: &dyn Clock) -> Result<Backup, UpkeepError> {
    let database = DataDir::database_in(&args.data_dir);
    if !database.exists() {
        return Err(UpkeepError::NoDatabase(database));
    }
    let taken_at = clock.now();
    let bytes = sqlite::back_up(&database, &args.file, taken_at).await?;
    Ok(Backup { taken_at, bytes })
}

impl Backup {
    /// Tells people of it.
    pub fn tell(&self, args: &BackupArgs, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "{} holds the database as it was at {}: {}. It holds no key.",
            args.file.display(),
            minute(self.taken_at),
            size(self.bytes)
        )
    }
}
