//! A place in the feed for entries that have none: a release that does not know the feed has written them.

use sqlx::SqlitePool;

use super::super::failure::During as _;
use crate::StoreError;

/// Numbers them behind all others, in the order in which they were noticed. Nothing else writes yet.
pub(in super::super) async fn number_all(writer: &SqlitePool) -> Result<(), StoreError> {
    const ACTION: &str = "give ledger entries their place in the change feed";
    const STATEMENTS: [&str; 3] = [
        "UPDATE ledger_entry SET feed_no = numbered.feed_no FROM (
             SELECT repository_no, entry_no, (SELECT feed_no FROM tenant WHERE tenant_id = ?1)
                    + row_number() OVER (ORDER BY noticed_at, repository_no, entry_no) AS feed_no
             FROM ledger_entry WHERE tenant_id = ?1 AND feed_no IS NULL) AS numbered
         WHERE ledger_entry.tenant_id = ?1 AND ledger_entry.repository_no = numbered.repository_no
           AND ledger_entry.entry_no = numbered.entry_no",
        "UPDATE tenant SET feed_no = max(feed_no, coalesce((SELECT max(ledger_entry.feed_no) FROM ledger_entry WHERE ledger_entry.tenant_id = ?1), 0))
         WHERE tenant_id = ?1",
        // Of which registries they are does not matter: whoever follows one looks.
        "INSERT OR REPLACE INTO registry_feed (tenant_id, registry_id, feed_no) SELECT registry.tenant_id, registry.registry_id, tenant.feed_no
         FROM registry CROSS JOIN tenant ON tenant.tenant_id = registry.tenant_id WHERE registry.tenant_id = ?1",
    ];
    let tenants: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT tenant_id FROM tenant WHERE EXISTS (SELECT 1 FROM ledger_entry INDEXED BY ledger_feed
             WHERE ledger_entry.tenant_id = tenant.tenant_id AND ledger_entry.feed_no IS NULL)",
    )
    .fetch_all(writer)
    .await
    .during(ACTION)?;
    for tenant in tenants {
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await.during(ACTION)?;
        for statement in STATEMENTS {
            sqlx::query(statement)
                .bind(&tenant)
                .execute(&mut *tx)
                .await
                .during(ACTION)?;
        }
        tx.commit().await.during(ACTION)?;
    }
    Ok(())
}
