//! What the schema holds, and what it must not.

use super::*;

/// Tables and the names of their columns; the columns of the primary key first, in their order.
async fn schema() -> Vec<(String, Vec<String>, Vec<String>)> {
    let (store, folder) = open().await;
    store.close().await;
    let mut connection = raw(&folder.path().join("portolan.db")).await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut schema = Vec::new();
    for table in tables {
        let rows = sqlx::query("SELECT name, pk FROM pragma_table_info(?1) ORDER BY pk, cid")
            .bind(&table)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let columns = rows.iter().map(|row| row.get("name")).collect();
        let key = rows
            .iter()
            .filter(|row| row.get::<i64, _>("pk") > 0)
            .map(|row| row.get("name"))
            .collect();
        schema.push((table, key, columns));
    }
    assert!(schema.len() > 15, "{schema:?}");
    schema
}

#[tokio::test]
async fn every_key_starts_with_the_tenant() {
    // Which migrations have run, and the position of denials of all tenants, belong to nobody.
    let exceptions = ["_sqlx_migrations", "denial_epoch", "timeline"];
    for (table, key, _) in schema().await {
        if exceptions.contains(&table.as_str()) {
            continue;
        }
        assert_eq!(key.first().map(String::as_str), Some("tenant_id"), "{table}");
    }
}

#[tokio::test]
async fn no_column_is_made_for_a_secret_in_clear() {
    let secret = [
        "password",
        "passwd",
        "secret",
        "token",
        "private",
        "bearer",
        "credential",
        "pepper",
    ];
    // Ids, versions and keyed hashes; and the credential's reference, whose form a constraint keeps.
    let known = [
        "token_id",
        "secret_hash",
        "credential",
        "credential_id",
        "credential_version",
        "secret_no",
        "secret_since",
    ];
    for (table, _, columns) in schema().await {
        for column in columns {
            let suspect = secret.iter().any(|word| column.contains(word));
            assert!(!suspect || known.contains(&column.as_str()), "{table}.{column}");
        }
    }
}

#[tokio::test]
async fn a_credential_in_clear_does_not_fit_into_the_column() {
    let (store, folder) = open().await;
    let site = Site::new(&store).await;
    let mut connection = raw(&folder.path().join("portolan.db")).await;
    for clear in ["reader:glpat-x", "glpat-x", "file:secret", ""] {
        let refused = sqlx::query("UPDATE registry SET credential = ?1 WHERE tenant_id = ?2")
            .bind(clear)
            .bind(site.tenant.as_bytes().as_slice())
            .execute(&mut connection)
            .await
            .unwrap_err();
        assert!(
            refused.as_database_error().unwrap().is_check_violation(),
            "{clear}"
        );
    }
}

/// Numbers are given out before it is known which migration is done first.
#[tokio::test]
async fn a_migration_below_the_newest_is_caught_up_with() {
    let (store, folder) = open().await;
    store.close().await;
    let path = folder.path().join("portolan.db");
    let mut connection = raw(&path).await;
    for statement in [
        "DROP INDEX run_end",
        "ALTER TABLE run DROP COLUMN put_off_at",
        "ALTER TABLE run DROP COLUMN put_off_ms",
        "DELETE FROM _sqlx_migrations WHERE version = 26",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    SqliteStore::open(&path).await.unwrap().close().await;
    let index: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'run_end'")
        .fetch_one(&mut raw(&path).await)
        .await
        .unwrap();
    assert_eq!(index, 1);
}
