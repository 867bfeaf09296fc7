//! API tokens: what people and their programs prove themselves with.

use std::fmt;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{ApiTokenId, TenantId};

use crate::{AuditEntry, Page, PageRequest, StoreError};

/// What the holder of an API token may do; each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Read.
    Viewer,
    /// Also run and change registries.
    Operator,
    /// Also enrol and revoke sensors and make tokens.
    Admin,
}

impl Role {
    /// Every role, least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or("expected viewer, operator or admin")
    }
}

/// A keyed hash (HMAC-SHA256 with a pepper that is not in the database) of a token's secret part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

/// A token to be stored.
#[derive(Debug, Clone)]
pub struct NewApiToken {
    /// Its public part.
    pub id: ApiTokenId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it is for, in the words of whoever made it; unique within the tenant.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// What is kept of its secret part.
    pub hash: TokenHash,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; never if none.
    pub expires_at: Option<Timestamp>,
}

/// How often the audit log tells that a token is used, at most.
pub const USE_NOTED_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// A stored token.
#[derive(Debug, Clone)]
pub struct ApiToken {
    /// As it was stored.
    pub token: NewApiToken,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// When its use was last noted, if it was.
    pub use_noted_at: Option<Timestamp>,
}

impl ApiToken {
    /// Whether its use is to be noted again at this time: a day after the last time. A clock that was set back does not put that off.
    #[must_use]
    pub fn use_is_due(&self, now: Timestamp) -> bool {
        self.use_noted_at
            .is_none_or(|noted| now.duration_since(noted).abs() >= USE_NOTED_EVERY)
    }
}

/// Storage of API tokens.
#[async_trait]
pub trait ApiTokens {
    /// Stores a token, and the entry with it. [`StoreError::Taken`] if the tenant has one of that name that is not revoked.
    async fn add_api_token(&self, token: &NewApiToken, entry: &AuditEntry) -> Result<(), StoreError>;

    /// The token with this public part, in whichever tenant: this is how a caller's tenant is found.
    async fn api_token(&self, id: ApiTokenId) -> Result<Option<ApiToken>, StoreError>;

    /// The tenant's tokens, oldest first.
    async fn api_tokens(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<ApiToken>, StoreError>;

    /// Notes that a token is used, and writes the entry, if that is due by [`ApiToken::use_is_due`]; of any number of callers at once one does.
    async fn note_api_token_use(
        &self,
        tenant: TenantId,
        id: ApiTokenId,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Revokes a token, and writes the entry. `false` if the tenant has none with this id that is in use; then nothing is written.
    async fn revoke_api_token(
        &self,
        tenant: TenantId,
        id: ApiTokenId,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;
}
