//! From the text of a token to a caller.

use super::{ApiTokenText, Caller};
use crate::app::{App, AppError};

/// Keeps hashes of API tokens apart from hashes of other secrets.
pub(super) const PURPOSE: &str = "api token";

impl App {
    /// Who the holder of this token is.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] for every text that is not a token in use; [`AppError::Unavailable`] if the database does not answer.
    pub async fn authenticate(&self, bearer: &str) -> Result<Caller, AppError> {
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
        Ok(Caller {
            tenant: stored.token.tenant,
            role: stored.token.role,
            token: stored.token.id,
            token_name: stored.token.name,
        })
    }
}
