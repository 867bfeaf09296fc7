//! Bytes that were read on this day (UTC), remembered across restarts.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use portolan_shared::process::{read_bounded, write_atomically};
use serde::{Deserialize, Serialize};

/// The file's name in the data directory.
const FILE: &str = "bytes-today.json";
/// A file that is larger is not one of ours.
const FILE_BYTES: u64 = 1_024;
/// After so many bytes the count is written, and when a job ends. A crash loses less than this.
const WRITTEN_EVERY: u64 = 64 << 20;

/// Counts the bytes of a day. The count is kept in a file; one that cannot be read or written costs a warning and the memory of what was
/// read before a restart, never a job.
pub(super) struct DayBytes {
    file: Option<PathBuf>,
    count: Mutex<Count>,
    /// Held while the file is written, so that counts reach it in their order.
    writing: Mutex<()>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    day: Date,
    bytes: u64,
    /// Of these, how many the file has.
    #[serde(skip)]
    written: u64,
}

impl DayBytes {
    /// Counts without a file.
    #[cfg(test)]
    pub(super) fn in_memory() -> Self {
        Self::of(None)
    }

    /// Goes on with the count in this data directory.
    pub(super) fn of(data_dir: Option<&Path>) -> Self {
        let file = data_dir.map(|folder| folder.join(FILE));
        let count = file.as_deref().and_then(read).unwrap_or_default();
        Self {
            file,
            count: Mutex::new(Count {
                written: count.bytes,
                ..count
            }),
            writing: Mutex::default(),
        }
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts more bytes, and gives how many they are today.
    pub(super) fn add(&self, bytes: u64, now: Timestamp) -> u64 {
        let day = TimeZone::UTC.to_datetime(now).date();
        let mut count = self.count();
        if begins_anew(count.day, day) {
            *count = Count {
                day,
                ..Count::default()
            };
        }
        count.bytes = count.bytes.saturating_add(bytes);
        let due = count.bytes - count.written >= WRITTEN_EVERY;
        let so_far = count.bytes;
        drop(count);
        if due {
            self.save();
        }
        so_far
    }

    /// Writes the count down, if it has changed.
    pub(super) fn save(&self) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody who counts waits for the disk.
        let count = {
            let mut count = self.count();
            if count.bytes == count.written {
                return;
            }
            count.written = count.bytes;
            *count
        };
        let Some(file) = &self.file else {
            return;
        };
        let written = serde_json::to_vec(&count)
            .map_err(|error| error.to_string())
            .and_then(|json| write_atomically(file, &json).map_err(|error| error.to_string()));
        if let Err(error) = written {
            tracing::warn!(error, "the bytes of this day are counted in memory only");
        }
    }
}

/// Whether the count of one day ends on another. A clock that is set back over midnight begins no new day, for its bytes have been read; one
/// that is set back further was wrong before.
fn begins_anew(counted: Date, today: Date) -> bool {
    today > counted || counted.yesterday().is_ok_and(|before| today < before)
}

fn read(file: &Path) -> Option<Count> {
    let read = read_bounded(file, FILE_BYTES)
        .map_err(|error| error.to_string())
        .and_then(|bytes| {
            bytes
                .map(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()))
                .transpose()
        });
    read.unwrap_or_else(|error| {
        tracing::warn!(error, "the bytes of this day cannot be read and are counted anew");
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_counted_across_restarts_and_a_new_one_begins_at_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let day = DayBytes::of(Some(folder.path()));
        assert_eq!(day.add(700, at("2026-01-05T10:00:00Z")), 700);
        day.save();
        let day = DayBytes::of(Some(folder.path()));
        assert_eq!(day.add(50, at("2026-01-05T23:59:59Z")), 750);
        assert_eq!(day.add(1, at("2026-01-06T00:00:00Z")), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_over_midnight_forgives_nothing() {
        let day = DayBytes::in_memory();
        assert_eq!(day.add(700, at("2026-01-06T00:00:10Z")), 700);
        assert_eq!(day.add(50, at("2026-01-05T23:59:50Z")), 750);
        assert_eq!(day.add(50, at("2026-01-06T00:00:10Z")), 800);
        assert_eq!(day.add(1, at("2026-01-01T00:00:00Z")), 1, "it was wrong before");
    }

    #[test]
    fn a_crash_loses_no_more_than_a_step() {
        let folder = tempfile::tempdir().unwrap();
        let now = at("2026-01-05T10:00:00Z");
        let day = DayBytes::of(Some(folder.path()));
        day.add(WRITTEN_EVERY, now);
        day.add(WRITTEN_EVERY - 1, now);
        drop(day);
        assert_eq!(DayBytes::of(Some(folder.path())).add(0, now), WRITTEN_EVERY);
    }

    #[test]
    fn a_damaged_count_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        let day = DayBytes::of(Some(folder.path()));
        assert_eq!(day.add(5, at("2026-01-05T10:00:00Z")), 5);
        day.save();
        assert_eq!(
            DayBytes::of(Some(folder.path())).add(0, at("2026-01-05T10:00:00Z")),
            5
        );
    }
}
