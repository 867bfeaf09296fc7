//! Opening and closing.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use portolan_shared::model::limits;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Sqlite, SqlitePool, Transaction};

use super::columns::integer;
use super::failure::During as _;
use super::{audit, feed, schema};
use crate::{Store, StoreError};

/// How long a call waits for a connection before it gives up with [`StoreError::Unavailable`].
const WAIT: Duration = Duration::from_secs(30);
/// How long SQLite waits for a lock that another process holds, such as a backup.
const BUSY: Duration = Duration::from_secs(5);
/// Memory for pages, in negative KiB as SQLite wants it. A commit of the largest repository changes 40 MB of pages; if they do not all fit,
/// SQLite writes them out before the commit and reads them again, at a tenth of the speed.
const WRITER_CACHE: &str = "-131072";
/// Bytes of the database that readers see without copying pages, the most that SQLite maps: address space, not memory.
const READER_MAP: &str = "2147418112";
/// Connections that only read: more would only wait for the same cores.
const READERS: u32 = 4;

/// The store on one SQLite file. Clones share everything.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    repositories: usize,
    runs: usize,
}

impl SqliteStore {
    /// Opens the database at `path`, readable by its owner alone; makes it if there is none, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] if it was written by a newer release, [`StoreError::Unavailable`] if it cannot be opened.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        make_private(path).map_err(|source| StoreError::Unavailable {
            action: "make its file",
            source: Box::new(source),
        })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .statement_cache_capacity(256)
            .pragma("temp_store", "MEMORY")
            .pragma("journal_size_limit", "67108864")
            .disable_statement_logging();
        let writer = pool(1)
            .connect_with(
                options
                    .clone()
                    .pragma("cache_size", WRITER_CACHE)
                    .pragma("wal_autocheckpoint", "4000")
                    .thread_name(|_| "portolan-store-writer".to_owned()),
            )
            .await
            .during("open")?;
        schema::migrate(&writer).await?;
        audit::chain_all(&writer).await?;
        feed::number_all(&writer).await?;
        let readers = pool(READERS)
            .connect_with(
                options
                    .pragma("cache_size", "-16384")
                    .pragma("mmap_size", READER_MAP)
                    .pragma("query_only", "ON")
                    .thread_name(|n| format!("portolan-store-reader-{n}")),
            )
            .await
            .during("open for reading")?;
        Ok(Self {
            writer,
            readers,
            repositories: limits::REPOSITORIES_PER_REGISTRY,
            runs: limits::RUNS_PER_TENANT,
        })
    }

    /// The same with another bound on the repositories of one registry than
    /// [`REPOSITORIES_PER_REGISTRY`](limits::REPOSITORIES_PER_REGISTRY).
    #[must_use]
    pub fn with_repositories_per_registry(self, bound: usize) -> Self {
        Self {
            repositories: bound,
            ..self
        }
    }

    /// The same with another bound on the leased runs of one tenant than [`RUNS_PER_TENANT`](limits::RUNS_PER_TENANT).
    #[must_use]
    pub fn with_runs_per_tenant(self, bound: usize) -> Self {
        Self { runs: bound, ..self }
    }

    /// Most runs of one tenant that are leased at once.
    pub(super) fn runs_per_tenant(&self) -> i64 {
        integer(self.runs as u64)
    }

    /// Most repositories of one registry: a commit or report of a further one is refused.
    pub(super) fn repositories_per_registry(&self) -> u64 {
        self.repositories as u64
    }

    /// A transaction that may write; the only one at this time. Rolled back if it is dropped.
    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .during("begin a transaction")
    }

    /// A transaction that sees one state of the database from its first statement on.
    pub(super) async fn read(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.readers.begin().await.during("begin to read")
    }

    /// For single statements that read.
    pub(super) fn reader(&self) -> &SqlitePool {
        &self.readers
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT epoch FROM denial_epoch")
            .fetch_one(self.reader())
            .await
            .during("answer")?;
        Ok(())
    }

    async fn close(&self) {
        self.readers.close().await;
        // The last connection to close moves what is in the log into the database and removes the log.
        self.writer.close().await;
    }
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WAIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// SQLite gives its log and index the mode of the database file, so it is made before SQLite does.
fn make_private(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}
