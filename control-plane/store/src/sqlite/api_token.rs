//! API tokens.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{ApiTokenId, TenantId};
use sqlx::sqlite::SqliteRow;

use super::columns::{Columns, millis};
use super::failure::{During as _, is_taken, is_unknown_tenant};
use super::rows::hex;
use super::{SqliteStore, audit, keyset};
use crate::{
    ApiToken, ApiTokens, AuditEntry, NewApiToken, Page, PageRequest, StoreError, TokenHash, USE_NOTED_EVERY,
};

#[async_trait]
impl ApiTokens for SqliteStore {
    async fn add_api_token(&self, token: &NewApiToken, entry: &AuditEntry) -> Result<(), StoreError> {
        const ACTION: &str = "add an API token";
        let mut tx = self.write().await?;
        let inserted = sqlx::query(
            "INSERT INTO api_token (tenant_id, token_id, name, role, secret_hash, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .bind(token.tenant.as_bytes().as_slice())
        .bind(token.id.as_bytes().as_slice())
        .bind(&token.name)
        .bind(token.role.as_str())
        .bind(token.hash.0.as_slice())
        .bind(millis(token.created_at))
        .bind(token.expires_at.map(millis))
        .execute(&mut *tx)
        .await;
        match inserted {
            Err(error) if is_taken(&error) => Err(StoreError::Taken {
                what: "API token",
                name: token.name.clone(),
            }),
            Err(error) if is_unknown_tenant(&error) => Err(StoreError::Unknown {
                what: "tenant",
                name: token.tenant.to_string(),
            }),
            other => {
                other.during(ACTION)?;
                audit::append(&mut tx, token.tenant, entry).await?;
                tx.commit().await.during(ACTION)
            }
        }
    }

    async fn api_token(&self, id: ApiTokenId) -> Result<Option<ApiToken>, StoreError> {
        let row = sqlx::query("SELECT * FROM api_token WHERE token_id = ?1")
            .bind(id.as_bytes().as_slice())
            .fetch_optional(self.reader())
            .await
            .during("find an API token")?;
        row.as_ref().map(read).transpose()
    }

    async fn api_tokens(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<ApiToken>, StoreError> {
        let (at, id) = keyset::after::<(i64, String)>(page)?.unwrap_or((i64::MIN, String::new()));
        let rows = sqlx::query(
            "SELECT * FROM api_token WHERE tenant_id = ?1 AND (created_at, token_id) > (?2, unhex(?3))
             ORDER BY created_at, token_id LIMIT ?4",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(at)
        .bind(id)
        .bind(keyset::rows_wanted(page))
        .fetch_all(self.reader())
        .await
        .during("list API tokens")?;
        let tokens = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        keyset::page(page, tokens, |last| {
            (millis(last.token.created_at), hex(last.token.id.as_bytes()))
        })
    }

    async fn note_api_token_use(
        &self,
        tenant: TenantId,
        id: ApiTokenId,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let statement = sqlx::query(
            "UPDATE api_token SET use_noted_at = ?3
             WHERE tenant_id = ?1 AND token_id = ?2 AND (use_noted_at IS NULL OR abs(?3 - use_noted_at) >= ?4)",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(millis(now))
        .bind(USE_NOTED_EVERY.as_secs() * 1_000);
        audit::with_entry(self, "note the use of an API token", statement, tenant, entry).await
    }

    async fn revoke_api_token(
        &self,
        tenant: TenantId,
        id: ApiTokenId,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let statement = sqlx::query(
            "UPDATE api_token SET revoked_at = ?3 WHERE tenant_id = ?1 AND token_id = ?2 AND revoked_at IS NULL",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(millis(now));
        audit::with_entry(self, "revoke an API token", statement, tenant, entry).await
    }
}

fn read(row: &SqliteRow) -> Result<ApiToken, StoreError> {
    let row = Columns::of("api_token", row);
    Ok(ApiToken {
        token: NewApiToken {
            id: row.bytes("token_id", ApiTokenId::from_slice)?,
            tenant: row.bytes("tenant_id", TenantId::from_slice)?,
            name: row.get("name")?,
            role: row.text("role")?,
            hash: TokenHash(row.array("secret_hash")?),
            created_at: row.time("created_at")?,
            expires_at: row.opt_time("expires_at")?,
        },
        revoked_at: row.opt_time("revoked_at")?,
        use_noted_at: row.opt_time("use_noted_at")?,
    })
}
