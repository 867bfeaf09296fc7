//! The store on SQLite: one file, one writer, any number of readers.
//!
//! Each trait has a file or folder of the same name here. Around them: `store` opens and closes the database, `schema` brings it up to date,
//! `columns` turns stored values into checked types, `keyset` makes cursors, `media_type` shortens media types.
//!
//! How it works:
//!
//! - **One connection writes**, in `BEGIN IMMEDIATE` transactions; WAL with `synchronous=FULL`, so a commit has reached the disk when it
//!   returns. Whoever wants to write waits for that connection, at most half a minute. A few more connections only read.
//!   Writes of several callers are not gathered into one transaction. Where a flush takes a millisecond or more that would pay, but it needs
//!   a task that owns the writer, and opening a store must not start one.
//! - **Sets go in as one bound JSON array** (`json_each`), never as a statement per row: a statement costs a trip to the connection's thread
//!   and back, a row in an array costs two microseconds.
//! - **The fence is checked in the write transaction** that applies the effect, and once more in the condition of the statement that counts it.
//! - **Pages are keyset pages**: an index gives the rows in order, the cursor holds the last key.
//!
//! # To add a table or change one
//!
//! 1. Add `migrations/sqlite/NNNN_what.sql`; never change one that has been released. The previous release must be able to serve while and
//!    after it runs: add now, move the data, drop with a later release.
//! 2. `tenant_id` is the first column of the primary key; tables are `STRICT`, and `WITHOUT ROWID` unless rows are wide. Words get a `CHECK`.
//! 3. Name the file in `schema.rs`. The tests in `tests/sqlite/schema.rs` read the schema and hold it to these rules.
//! 4. Write the row's way into its checked type beside the queries, private to the file; a value that does not fit is
//!    [`StoreError::Corrupt`](crate::StoreError::Corrupt).
//! 5. If the table belongs to a registry, add it to `registry/remove.rs`.
//! 6. Add cases to `portolan-store-conformance`, so that the next backend must do the same.

mod api_token;
mod audit;
mod columns;
mod credential;
mod enrolment;
mod event;
mod failure;
mod feed;
mod freshness;
mod image;
mod inventory;
mod keyset;
mod media_type;
#[cfg(test)]
mod plan;
mod probe;
mod registry;
mod rows;
mod run;
mod schedule;
mod schema;
mod sensor;
mod store;
mod tenant;
mod timeline;
mod webhook;

pub use store::SqliteStore;
pub use timeline::{back_up, tenants_in};
