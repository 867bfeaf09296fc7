//! Whose a database is.

use std::path::Path;

use portolan_shared::model::TenantId;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{Connection as _, SqliteConnection};

use crate::StoreError;
use crate::sqlite::columns::Columns;
use crate::sqlite::failure::During as _;

/// The tenants of the database at `path`, which may be of any release. Nothing is changed in it.
///
/// # Errors
///
/// [`StoreError::Unavailable`] or [`StoreError::Corrupt`] if it cannot be read.
pub async fn tenants_in(path: &Path) -> Result<Vec<TenantId>, StoreError> {
    const ACTION: &str = "say whose it is";
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut database = SqliteConnection::connect_with(&options).await.during(ACTION)?;
    let rows: Result<Vec<SqliteRow>, _> = sqlx::query("SELECT tenant_id FROM tenant LIMIT 1000")
        .fetch_all(&mut database)
        .await;
    database.close().await.during(ACTION)?;
    let read = |row: &SqliteRow| Columns::of("tenant", row).bytes("tenant_id", TenantId::from_slice);
    rows.during(ACTION)?.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::SqliteStore;
    use crate::{Store as _, Tenant, Tenants as _};
    use jiff::Timestamp;

    #[tokio::test]
    async fn it_is_seen_also_before_it_is_in_the_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portolan.db");
        let store = SqliteStore::open(&path).await.unwrap();
        assert_eq!(tenants_in(&path).await.unwrap(), []);
        let tenant = Tenant {
            id: TenantId::from_slice(&[1; 16]).unwrap(),
            name: "default".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
        };
        store.add_tenant(&tenant).await.unwrap();
        let before = std::fs::read(&path).unwrap();
        assert_eq!(tenants_in(&path).await.unwrap(), [tenant.id]);
        assert_eq!(std::fs::read(&path).unwrap(), before);
        store.close().await;
    }

    #[tokio::test]
    async fn what_is_no_database_does_not_say() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portolan.db");
        tenants_in(&path).await.unwrap_err();
        assert!(!path.exists());
        std::fs::write(&path, "something else").unwrap();
        tenants_in(&path).await.unwrap_err();
    }
}
