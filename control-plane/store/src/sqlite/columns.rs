//! Stored values, read into checked types.

use std::str::FromStr;

use jiff::Timestamp;
use portolan_shared::model::Digest;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row as _, Sqlite, Type};

use crate::StoreError;

/// One row of a query, and which table its values come from.
pub(super) struct Columns<'r> {
    table: &'static str,
    row: &'r SqliteRow,
}

impl<'r> Columns<'r> {
    /// Reads `row`; errors name `table`.
    pub(super) fn of(table: &'static str, row: &'r SqliteRow) -> Self {
        Self { table, row }
    }

    /// A value that cannot be read.
    pub(super) fn corrupt(&self, column: &'static str) -> StoreError {
        StoreError::Corrupt {
            table: self.table,
            column,
        }
    }

    /// A value of a type that the database knows.
    pub(super) fn get<T: Decode<'r, Sqlite> + Type<Sqlite>>(
        &self,
        column: &'static str,
    ) -> Result<T, StoreError> {
        self.row.try_get(column).map_err(|_| self.corrupt(column))
    }

    /// Bytes that stand for something.
    pub(super) fn bytes<T, E>(
        &self,
        column: &'static str,
        read: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Result<T, StoreError> {
        read(self.get::<&[u8]>(column)?).map_err(|_| self.corrupt(column))
    }

    /// Bytes that stand for something, if there are any.
    pub(super) fn opt_bytes<T, E>(
        &self,
        column: &'static str,
        read: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Result<Option<T>, StoreError> {
        self.get::<Option<&[u8]>>(column)?
            .map(|bytes| read(bytes).map_err(|_| self.corrupt(column)))
            .transpose()
    }

    /// Exactly `N` bytes.
    pub(super) fn array<const N: usize>(&self, column: &'static str) -> Result<[u8; N], StoreError> {
        self.bytes(column, |bytes| <[u8; N]>::try_from(bytes))
    }

    /// Exactly `N` bytes, or none.
    pub(super) fn opt_array<const N: usize>(
        &self,
        column: &'static str,
    ) -> Result<Option<[u8; N]>, StoreError> {
        self.opt_bytes(column, |bytes| <[u8; N]>::try_from(bytes))
    }

    /// A digest.
    pub(super) fn digest(&self, column: &'static str) -> Result<Digest, StoreError> {
        self.bytes(column, Digest::from_bytes)
    }

    /// A digest, if there is one.
    pub(super) fn opt_digest(&self, column: &'static str) -> Result<Option<Digest>, StoreError> {
        self.opt_bytes(column, Digest::from_bytes)
    }

    /// Text that stands for something.
    pub(super) fn text<T: FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        self.get::<&str>(column)?
            .parse()
            .map_err(|_| self.corrupt(column))
    }

    /// Text that stands for something, if there is any.
    pub(super) fn opt_text<T: FromStr>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        self.get::<Option<&str>>(column)?
            .map(|text| text.parse().map_err(|_| self.corrupt(column)))
            .transpose()
    }

    /// A number that is never negative.
    pub(super) fn number(&self, column: &'static str) -> Result<u64, StoreError> {
        u64::try_from(self.get::<i64>(column)?).map_err(|_| self.corrupt(column))
    }

    /// A number that is never negative and small.
    pub(super) fn small(&self, column: &'static str) -> Result<u32, StoreError> {
        u32::try_from(self.get::<i64>(column)?).map_err(|_| self.corrupt(column))
    }

    /// A time.
    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        Timestamp::from_millisecond(self.get(column)?).map_err(|_| self.corrupt(column))
    }

    /// A time, if there is one.
    pub(super) fn opt_time(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        self.get::<Option<i64>>(column)?
            .map(|millis| Timestamp::from_millisecond(millis).map_err(|_| self.corrupt(column)))
            .transpose()
    }

    /// A value kept as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        serde_json::from_str(self.get(column)?).map_err(|_| self.corrupt(column))
    }

    /// A value kept as JSON, if there is one.
    pub(super) fn opt_json<T: DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.get::<Option<&str>>(column)?
            .map(|text| serde_json::from_str(text).map_err(|_| self.corrupt(column)))
            .transpose()
    }
}

/// A time as it is stored: milliseconds since the Unix epoch.
pub(super) fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// A count or size as it is stored. SQLite's integers have 63 bits for it: nothing that is counted comes near, and a size that a registry
/// only claims is kept as the largest that there is. Above it, JSON would be read as a floating-point number, which no column takes.
pub(super) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
