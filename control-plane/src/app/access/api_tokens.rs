//! Making, listing and revoking API tokens.

use jiff::Timestamp;
use portolan_shared::model::{ApiTokenId, TenantId, limits};
use portolan_shared::secret::{Secret, SecretBytes};
use portolan_store::{ApiToken, AuditEntry, AuditSeverity, NewApiToken, Page, PageRequest, Role};
use serde_json::json;

use super::authenticate::PURPOSE;
use super::{ApiTokenText, Caller};
use crate::app::{App, AppError};

/// The actor of the audit log when nobody asked.
const SYSTEM: &str = "system";

/// A token that was just made. Its text is not to be had again.
#[derive(Debug)]
pub struct NewToken {
    /// Its public part.
    pub id: ApiTokenId,
    /// The whole token.
    pub text: Secret,
}

impl App {
    /// Makes a token for a tenant, without a caller: for the first start, when there is nobody yet. The audit log names the system.
    ///
    /// # Errors
    /// [`AppError::Taken`] if the tenant has a token of that name in use, [`AppError::Invalid`] for a name that is not one.
    pub async fn mint_api_token(
        &self,
        tenant: TenantId,
        name: &str,
        role: Role,
        expires_at: Option<Timestamp>,
    ) -> Result<(ApiTokenId, Secret), AppError> {
        let actor = SYSTEM.to_owned();
        self.mint(tenant, actor, name, role, expires_at).await
    }

    async fn mint(
        &self,
        tenant: TenantId,
        actor: String,
        name: &str,
        role: Role,
        expires_at: Option<Timestamp>,
    ) -> Result<(ApiTokenId, Secret), AppError> {
        check_name(name)?;
        let now = self.clock.now();
        if expires_at.is_some_and(|end| end <= now) {
            return Err(AppError::invalid("expires_at", "must lie in the future"));
        }
        let mut secret = vec![0; 32];
        self.rng.fill(&mut secret);
        let text = ApiTokenText {
            id: ApiTokenId::random(&*self.rng),
            secret: SecretBytes::new(secret),
        };
        let token = NewApiToken {
            id: text.id,
            tenant,
            name: name.to_owned(),
            role,
            hash: self.pepper.hash(PURPOSE, text.secret.expose()),
            created_at: now,
            expires_at,
        };
        let entry = AuditEntry {
            at: now,
            actor,
            action: "token.create".to_owned(),
            object: format!("token:{}", text.id),
            severity: AuditSeverity::Notice,
            details: json!({"name": name, "role": role.as_str(), "expires_at": expires_at}),
        };
        self.store.add_api_token(&token, &entry).await?;
        Ok((text.id, text.encode()))
    }

    /// Revokes a token without a caller: one that an interrupted first start made and that nobody has read. `false` if it is not in use.
    pub async fn discard_api_token(&self, tenant: TenantId, id: ApiTokenId) -> Result<bool, AppError> {
        let at = self.clock.now();
        let entry = AuditEntry {
            at,
            actor: SYSTEM.to_owned(),
            action: "token.revoke".to_owned(),
            object: format!("token:{id}"),
            severity: AuditSeverity::Notice,
            details: json!({}),
        };
        Ok(self.store.revoke_api_token(tenant, id, at, &entry).await?)
    }

    /// Makes a token in the caller's tenant. Takes an admin.
    pub async fn create_api_token(
        &self,
        caller: &Caller,
        name: &str,
        role: Role,
        expires_at: Option<Timestamp>,
    ) -> Result<NewToken, AppError> {
        caller.require(Role::Admin)?;
        let (id, text) = self
            .mint(caller.tenant, caller.actor(), name, role, expires_at)
            .await?;
        Ok(NewToken { id, text })
    }

    /// The tenant's tokens, oldest first, revoked ones included. Takes an admin.
    pub async fn api_tokens(&self, caller: &Caller, page: &PageRequest) -> Result<Page<ApiToken>, AppError> {
        caller.require(Role::Admin)?;
        Ok(self.store.api_tokens(caller.tenant, page).await?)
    }

    /// Revokes a token; the caller's own too. Takes an admin.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if the tenant has no such token in use.
    pub async fn revoke_api_token(&self, caller: &Caller, id: ApiTokenId) -> Result<(), AppError> {
        caller.require(Role::Admin)?;
        let (at, object) = (self.clock.now(), format!("token:{id}"));
        let entry = caller.entry(at, "token.revoke", object, AuditSeverity::Notice, json!({}));
        if !self.store.revoke_api_token(caller.tenant, id, at, &entry).await? {
            return Err(AppError::not_found("token", id));
        }
        Ok(())
    }
}

/// Names of tokens stand in audit logs and on terminals: one line, nothing that controls either.
fn check_name(name: &str) -> Result<(), AppError> {
    let well_formed = (1..=limits::LABEL_KEY_BYTES).contains(&name.len())
        && name.trim() == name
        && !name.chars().any(char::is_control);
    if well_formed {
        Ok(())
    } else {
        Err(AppError::invalid(
            "name",
            format!(
                "expected 1 to {} bytes without control characters or surrounding space",
                limits::LABEL_KEY_BYTES
            ),
        ))
    }
}
