//! What an API token looks like, and what one is made from.

use jiff::Timestamp;
use portolan_store::ApiToken;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An API token, without its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ApiToken)]
pub struct Token {
    /// Its id.
    #[schema(format = "uuid")]
    pub id: String,
    /// What it is for.
    pub name: String,
    /// `viewer`, `operator` or `admin`.
    pub role: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; never if null.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl From<ApiToken> for Token {
    fn from(stored: ApiToken) -> Self {
        Self {
            id: stored.token.id.to_string(),
            name: stored.token.name,
            role: stored.token.role.to_string(),
            created_at: stored.token.created_at,
            expires_at: stored.token.expires_at,
            revoked_at: stored.revoked_at,
        }
    }
}

/// An API token to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateApiToken)]
pub struct CreateToken {
    /// What it is for; unique among the tenant's tokens in use.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    /// `viewer`, `operator` or `admin`.
    #[schema(pattern = "^(viewer|operator|admin)$")]
    pub role: String,
    /// When it ends; never if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// An API token that was just made.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = CreatedApiToken)]
pub struct CreatedToken {
    /// Its id.
    #[schema(format = "uuid")]
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// The token itself. It is not to be had again.
    pub token: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}
