//! What SQLite says, in the words of the store.

use sqlx::error::DatabaseError;

use crate::StoreError;

/// Says what was being done when the database failed.
pub(super) trait During<T> {
    /// `action` completes the sentence "the database failed to ...".
    fn during(self, action: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for Result<T, sqlx::Error> {
    fn during(self, action: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| {
            let rejected = is_rejection(&source);
            let source = Box::new(source);
            if rejected {
                StoreError::Rejected { action, source }
            } else {
                StoreError::Unavailable { action, source }
            }
        })
    }
}

/// Whether a statement failed for what it was given, so that it will fail again: it breaks a constraint, the type of a column, or SQLite's
/// bound on the length of a value. Source: <https://sqlite.org/rescode.html>; the low byte of an extended code is the primary one.
fn is_rejection(error: &sqlx::Error) -> bool {
    /// `SQLITE_TOOBIG`, `SQLITE_CONSTRAINT` (with `SQLITE_CONSTRAINT_DATATYPE` of strict tables among its extended codes), `SQLITE_MISMATCH`.
    const REJECTIONS: [u32; 3] = [18, 19, 20];
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok())
        .is_some_and(|code| REJECTIONS.contains(&(code & 0xff)))
}

/// Whether a statement failed because a row with such a key exists.
pub(super) fn is_taken(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(DatabaseError::is_unique_violation)
}

/// Whether a statement failed because it refers to a tenant that does not exist: tenants are all that foreign keys point to.
pub(super) fn is_unknown_tenant(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(DatabaseError::is_foreign_key_violation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{Connection as _, SqliteConnection};

    #[tokio::test]
    async fn what_breaks_a_rule_of_a_table_is_not_worth_another_try() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query("CREATE TABLE count (n INTEGER NOT NULL CHECK (n > 0) UNIQUE) STRICT")
            .execute(&mut connection)
            .await
            .unwrap();
        for (values, rejected) in [
            ("1", None),
            ("1", Some(true)),
            ("0", Some(true)),
            ("NULL", Some(true)),
            ("9223372036854775808", Some(true)),
            ("nothing", Some(false)),
        ] {
            let statement = sqlx::AssertSqlSafe(format!("INSERT INTO count VALUES ({values})"));
            let done = sqlx::query(statement).execute(&mut connection).await;
            let told = done.during("count").err().map(|error| match error {
                StoreError::Rejected { .. } => true,
                StoreError::Unavailable { .. } => false,
                other => panic!("{other}"),
            });
            assert_eq!(told, rejected, "{values}");
        }
    }
}
