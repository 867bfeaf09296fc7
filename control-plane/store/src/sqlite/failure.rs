//! What SQLite says, in the words of the store.

use crate::StoreError;

/// Says what was being done when the database failed.
pub(super) trait During<T> {
    /// `action` completes the sentence "the database failed to ...".
    fn during(self, action: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for Result<T, sqlx::Error> {
    fn during(self, action: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Unavailable {
            action,
            source: Box::new(source),
        })
    }
}

/// Whether a statement failed because a row with such a key exists.
pub(super) fn is_taken(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// Whether a statement failed because it refers to a tenant that does not exist: tenants are all that foreign keys point to.
pub(super) fn is_unknown_tenant(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
}
