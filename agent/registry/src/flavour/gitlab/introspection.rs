//! What GitLab says of the token that asks (`/personal_access_tokens/self`): open to a token with any scope.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use portolan_shared::model::{CredentialFacts, CredentialKind};
use serde::Deserialize;

use super::rest::{Rest, Said, read};
use crate::auth::TokenHint;
use crate::client::ApiLogin;
use crate::error::Fault;

/// What came of asking.
#[derive(Debug, Clone)]
pub(super) enum Introspection {
    /// It is an access token, and this is what it says.
    Told(CredentialFacts),
    /// It has ended.
    Expired,
    /// It was revoked.
    Revoked,
    /// It is not let in, and nothing is said of why.
    Refused,
    /// Nothing can be told from the answer, or there was none.
    Nothing,
}

impl Introspection {
    /// Whether a scope lets it read the registry; `None` if its scopes are not known.
    pub(super) fn may_pull(&self) -> Option<bool> {
        let Self::Told(facts) = self else { return None };
        if facts.scopes.is_empty() {
            return None;
        }
        let pulls = |scope: &String| matches!(scope.as_str(), "read_registry" | "read_api" | "api");
        Some(facts.scopes.iter().any(pulls))
    }
}

/// Asks the web host what the token is. Even a token that the registry has refused: GitLab bans addresses for failed logins at Git and at the
/// registry, not at this API, and a second refusal here is not provoked.
pub(super) async fn ask(rest: &Rest, hint: &TokenHint) -> Introspection {
    #[derive(Deserialize)]
    struct Token {
        name: Option<String>,
        user_id: Option<u64>,
        #[serde(default)]
        scopes: Vec<String>,
        expires_at: Option<String>,
        revoked: Option<bool>,
    }
    let reply = match rest
        .ask("/personal_access_tokens/self", ApiLogin::SecretToExplain)
        .await
    {
        Ok(reply) => reply,
        Err(Fault::Denied { .. }) => return Introspection::Refused,
        Err(fault) => {
            tracing::debug!(%fault, "GitLab says nothing of the credential");
            return Introspection::Nothing;
        }
    };
    match (reply.status.as_u16(), Said::of(&reply)) {
        _ if reply.elsewhere => Introspection::Nothing,
        (200, _) => match read::<Token>(&reply) {
            Ok(token) if token.revoked == Some(true) => Introspection::Revoked,
            Ok(token) => {
                let mut facts =
                    CredentialFacts::of_kind(kind(hint)).with_scopes(token.scopes.iter().map(String::as_str));
                if let Some(owner) = owner(hint.username(), token.user_id, token.name.as_deref()) {
                    facts = facts.owned_by(&owner);
                }
                facts.expires_at = token.expires_at.as_deref().and_then(|date| {
                    // A date: the token ends as it begins.
                    let date: Date = date.get(..10)?.parse().ok()?;
                    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
                });
                Introspection::Told(facts)
            }
            Err(_) => Introspection::Nothing,
        },
        (_, Said::Expired) => Introspection::Expired,
        (_, Said::Revoked) => Introspection::Revoked,
        (401, _) => Introspection::Refused,
        _ => Introspection::Nothing,
    }
}

/// Whose the token is, as far as it is known: the user name that was given with it, which GitLab does not compare, the user's number, and
/// what the token is called.
fn owner(given: Option<&str>, user: Option<u64>, token: Option<&str>) -> Option<String> {
    let user = user.map(|user| format!("user {user}"));
    let token = token.map(|token| format!("token {token}"));
    let known: Vec<String> = user.into_iter().chain(token).collect();
    let known = (!known.is_empty()).then(|| known.join(", "));
    match (given.filter(|given| !given.is_empty()), known) {
        (Some(given), Some(known)) => Some(format!("{given} ({known})")),
        (Some(given), None) => Some(given.to_owned()),
        (None, known) => known,
    }
}

/// Whatever it looked like: this API knows access tokens only.
fn kind(hint: &TokenHint) -> CredentialKind {
    match hint.kind {
        CredentialKind::ProjectAccessToken | CredentialKind::GroupAccessToken => hint.kind,
        _ => CredentialKind::PersonalAccessToken,
    }
}
