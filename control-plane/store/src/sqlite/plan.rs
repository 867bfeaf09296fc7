//! How SQLite goes about a statement: for tests of those that are asked very often.

use sqlx::AssertSqlSafe;

use super::SqliteStore;
use super::columns::Columns;

/// The steps in which SQLite would find the rows of a statement.
pub(super) async fn steps(sql: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("portolan.db"))
        .await
        .unwrap();
    let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
        .fetch_all(store.reader())
        .await
        .unwrap();
    rows.iter()
        .map(|row| Columns::of("plan", row).get("detail").unwrap())
        .collect()
}

/// Asserts that a statement touches no table but by primary key or by its indexes, and goes through no index from end to end but these.
pub(super) async fn goes_by(indexes: &[&str], sql: &str) {
    let steps = steps(sql).await;
    for index in indexes {
        assert!(
            steps.iter().any(|step| step.contains(index)),
            "{index}: {steps:#?}"
        );
    }
    for step in &steps {
        let Some(scanned) = step.strip_prefix("SCAN ") else {
            continue;
        };
        // What the statement itself has put together, or was given.
        let own = scanned.starts_with('(')
            || scanned.contains(" VIRTUAL TABLE ")
            || ["MATERIALIZE", "CO-ROUTINE"]
                .iter()
                .any(|made| steps.contains(&format!("{made} {scanned}")));
        let meant = scanned
            .split_once(" INDEX ")
            .is_some_and(|(_, by)| indexes.iter().any(|index| by.starts_with(index)));
        assert!(own || meant, "{step}: {steps:#?}");
    }
}
