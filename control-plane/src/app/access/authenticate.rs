//! From the text of a token to a caller.

use std::net::IpAddr;

use portolan_store::AuditSeverity;
use serde_json::json;

use super::source::SourceClass;
use super::{ApiTokenText, Caller};
use crate::app::{App, AppError};

/// Keeps hashes of API tokens apart from hashes of other secrets.
pub(super) const PURPOSE: &str = "api token";

impl App {
    /// Who the holder of this token is. `source`: where the request came from, for the audit log.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] for every text that is not a token in use; [`AppError::Unavailable`] if the database does not answer.
    pub async fn authenticate(&self, bearer: &str, source: Option<IpAddr>) -> Result<Caller, AppError> {
        let Some(text) = ApiTokenText::parse(bearer) else {
            tracing::debug!("refused a text that is not an API token");
            return Err(AppError::Unauthenticated);
        };
        let shown = self.pepper.hash(PURPOSE, text.secret.expose());
        let refused = |why: &'static str| {
            tracing::info!(token = %text.id, why, "refused an API token");
            AppError::Unauthenticated
        };
        let stored = self
            .store
            .api_token(text.id)
            .await?
            .ok_or_else(|| refused("unknown"))?;
        let matches =
            aws_lc_rs::constant_time::verify_slices_are_equal(&shown.0, &stored.token.hash.0).is_ok();
        let ended = stored.token.expires_at.is_some_and(|end| end <= self.clock.now());
        let wrong = match stored.revoked_at {
            _ if !matches => Some("wrong secret"),
            Some(_) => Some("revoked"),
            None if ended => Some("expired"),
            None => None,
        };
        if let Some(why) = wrong {
            let token = &stored.token;
            self.note_refused_token(token.tenant, token.id, &token.name, why)
                .await;
            return Err(refused(why));
        }
        let is_due = stored.use_is_due(self.clock.now());
        let first = stored.use_noted_at.is_none();
        let caller = Caller {
            tenant: stored.token.tenant,
            role: stored.token.role,
            token: stored.token.id,
            token_name: stored.token.name,
        };
        if is_due {
            self.note_use(&caller, first, source).await;
        }
        Ok(caller)
    }

    /// Tells of the use of a token. A database that does not take it refuses nobody: the next request tries again.
    async fn note_use(&self, caller: &Caller, first: bool, source: Option<IpAddr>) {
        let (now, object) = (self.clock.now(), format!("token:{}", caller.token));
        let details = json!({
            "name": caller.token_name, "role": caller.role.as_str(), "first": first,
            "source": SourceClass::of(source).as_str(),
        });
        let entry = caller.entry(now, "token.use", object, AuditSeverity::Info, details);
        let noted = self
            .store
            .note_api_token_use(caller.tenant, caller.token, now, &entry);
        if let Err(error) = noted.await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(token = %caller.token, error, "the use of an API token was not noted");
        }
    }
}
