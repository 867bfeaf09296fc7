//! The registry's side: whether a token is good enough.

use std::sync::Arc;
use std::time::Duration;

use super::claims::{Access, Claims};
use super::state::State;

/// Why a registry refuses a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not one of ours, or expired, or for another service.
    Invalid,
    /// Sound, but does not grant what is needed.
    Insufficient,
}

/// What a registry double knows of its token service.
#[derive(Debug, Clone)]
pub(crate) struct TokenVerifier {
    pub(super) state: Arc<State>,
    pub(super) realm: String,
}

impl TokenVerifier {
    pub(crate) fn realm(&self) -> &str {
        &self.realm
    }

    pub(crate) fn service(&self) -> &str {
        &self.state.service
    }

    /// Checks a token as a registry does, accepting it for `leeway` beyond its expiry.
    pub(crate) fn check(&self, token: &str, needed: &[Access], leeway: Duration) -> Result<(), Refusal> {
        let claims = self
            .state
            .signer
            .verify(token)
            .or_else(|| self.opaque(token))
            .ok_or(Refusal::Invalid)?;
        let now = self.state.clock.now().as_second();
        let leeway = i64::try_from(leeway.as_secs()).unwrap_or(i64::MAX);
        let in_time = now < claims.exp.saturating_add(leeway) && now >= claims.nbf.saturating_sub(leeway);
        if !in_time || claims.iss != self.state.issuer || claims.aud != self.state.service {
            return Err(Refusal::Invalid);
        }
        let granted = |needed: &Access| claims.access.iter().any(|access| access.covers(needed));
        if needed.iter().all(granted) {
            Ok(())
        } else {
            Err(Refusal::Insufficient)
        }
    }

    fn opaque(&self, token: &str) -> Option<Claims> {
        let number = token.strip_prefix("opaque-")?.split('-').next()?.parse().ok()?;
        let memory = self.state.memory();
        memory
            .opaque
            .get(&number)
            .filter(|(issued, _)| issued == token)
            .map(|(_, claims)| claims.clone())
    }
}
