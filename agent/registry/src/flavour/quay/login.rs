//! Who may use its API, and as whom.

use portolan_shared::model::CredentialKind;

use crate::client::{ApiLogin, RegistryClient};
use crate::error::Fault;

/// The user name that comes with an OAuth token.
const OAUTH: &str = "$oauthtoken";

/// What the login is, to the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// There is no login: what is public is shown.
    Stranger,
    /// An OAuth token, which the API takes.
    Oauth,
    /// A robot of this namespace, which the API does not take.
    Robot(String),
    /// Something else that the API does not take.
    Other,
}

impl Caller {
    pub(super) async fn of(client: &RegistryClient) -> Result<Self, Fault> {
        let hint = client.token_hint().await?;
        Ok(match hint {
            None => Self::Stranger,
            Some(hint) => hint.username().map_or(Self::Other, Self::named),
        })
    }

    fn named(name: &str) -> Self {
        match name.split_once('+') {
            _ if name == OAUTH => Self::Oauth,
            Some((namespace, _)) if !namespace.is_empty() => Self::Robot(namespace.to_owned()),
            _ => Self::Other,
        }
    }

    /// As whom the API is asked.
    pub(super) fn login(&self) -> ApiLogin<'static> {
        match self {
            Self::Oauth => ApiLogin::Secret,
            Self::Stranger | Self::Robot(_) | Self::Other => ApiLogin::Stranger,
        }
    }

    /// Whether the API shows everything that the login could read.
    pub(super) fn is_shown_all(&self) -> bool {
        matches!(self, Self::Stranger | Self::Oauth)
    }

    pub(super) fn kind(name: &str) -> CredentialKind {
        match Self::named(name) {
            Self::Oauth => CredentialKind::OauthToken,
            Self::Robot(_) => CredentialKind::Robot,
            Self::Stranger | Self::Other => CredentialKind::Password,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_who_may_ask_the_api() {
        assert_eq!(Caller::named("$oauthtoken"), Caller::Oauth);
        assert_eq!(Caller::named("acme+scan"), Caller::Robot("acme".into()));
        assert_eq!(Caller::named("jane"), Caller::Other);
        assert_eq!(Caller::named("+x"), Caller::Other);
        assert_eq!(Caller::kind("acme+scan"), CredentialKind::Robot);
        assert!(!Caller::Other.is_shown_all() && Caller::Stranger.is_shown_all());
    }
}
