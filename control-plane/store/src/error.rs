//! What can go wrong in storage.

/// What of a fence was no longer current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaleFence {
    /// A newer session of the same sensor exists.
    Session,
    /// The run is not leased to this attempt any more: lost, cancelled or ended.
    Attempt,
    /// The sensor's tenant has no such run: it belongs to another tenant, never was, or went with its registry. Towards sensors this is
    /// the same as [`StaleFence::Attempt`].
    Run,
}

impl StaleFence {
    fn as_str(self) -> &'static str {
        match self {
            Self::Session => "the session is no longer current",
            Self::Attempt => "the attempt is no longer current",
            Self::Run => "the tenant has no such run",
        }
    }
}

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The effect came from a session or attempt that is no longer current; nothing was changed.
    #[error("fenced off: {}", .0.as_str())]
    Stale(StaleFence),
    /// A name that must be unique is taken.
    #[error("{what} {name:?} exists already")]
    Taken {
        /// Of which noun.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Something that the value refers to does not exist in this tenant.
    #[error("{what} {name:?} does not exist")]
    Unknown {
        /// Of which noun.
        what: &'static str,
        /// How it was named.
        name: String,
    },
    /// A value that the store was given breaks a bound or rule of the model.
    #[error("{what} is not acceptable: {why}")]
    Refused {
        /// Which value.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A stored value cannot be read back.
    #[error("table {table}, column {column}: the stored value cannot be read")]
    Corrupt {
        /// Where.
        table: &'static str,
        /// Which column.
        column: &'static str,
    },
    /// What the database was to store breaks a rule of its schema, which nothing that is accepted should. Trying again does not help.
    #[error("the database does not accept what it was given to {action}")]
    Rejected {
        /// What was asked.
        action: &'static str,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database did not do what it was asked. Trying again later may help.
    #[error("the database failed to {action}")]
    Unavailable {
        /// What was asked.
        action: &'static str,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
