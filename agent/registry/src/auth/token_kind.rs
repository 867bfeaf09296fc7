//! What kind of secret a login holds, told by what GitLab writes in front of its tokens and by the user name beside it.
//!
//! A hint for what to ask and what to say, never a condition: administrators change prefixes, older tokens have none, and instances put
//! their own in front (`SIE-glpat-`). Nothing is ever told from the rest of a secret.

use std::fmt;
use std::sync::Arc;

use portolan_shared::model::CredentialKind;

use super::authenticator::Authenticator;
use super::credential::Credential;
use crate::error::Fault;
use crate::http::Transport;

/// Bytes that an instance may put in front of GitLab's own prefix.
const INSTANCE_PREFIX: usize = 24;

/// Which kind has which prefix.
const PREFIXES: [(&str, CredentialKind); 13] = [
    ("glpat-", CredentialKind::PersonalAccessToken),
    ("gldt-", CredentialKind::DeployToken),
    ("glcbt-", CredentialKind::CiJobToken),
    ("glrt-", CredentialKind::RunnerToken),
    ("glrtr-", CredentialKind::RunnerToken),
    ("glptt-", CredentialKind::OtherToken),
    ("glft-", CredentialKind::OtherToken),
    ("glimt-", CredentialKind::OtherToken),
    ("glagent-", CredentialKind::OtherToken),
    ("glsoat-", CredentialKind::OtherToken),
    ("glffct-", CredentialKind::OtherToken),
    ("glwt-", CredentialKind::OtherToken),
    // The secret of an OAuth application, which is no access token.
    ("gloas-", CredentialKind::OtherToken),
];

/// What a login looks like. Two are equal if they are of the same login.
#[derive(Clone)]
pub(crate) struct TokenHint {
    pub(crate) kind: CredentialKind,
    /// Whether the secret itself has a prefix of GitLab's.
    pub(crate) prefixed: bool,
    login: Arc<Credential>,
}

impl TokenHint {
    pub(super) fn new(login: Arc<Credential>) -> Self {
        let (kind, prefixed) = match &*login {
            Credential::Login { username, secret } => kind_of(username, secret.expose()),
            Credential::IdentityToken(_) => (CredentialKind::OauthToken, false),
            Credential::RegistryToken(_) => (CredentialKind::Unknown, false),
        };
        Self {
            kind,
            prefixed,
            login,
        }
    }

    /// The user name; none of a token that goes without one.
    pub(crate) fn username(&self) -> Option<&str> {
        match &*self.login {
            Credential::Login { username, .. } => Some(username),
            Credential::IdentityToken(_) | Credential::RegistryToken(_) => None,
        }
    }

    /// What `read` makes of the secret. It must not keep the secret itself.
    pub(crate) fn read_secret<T>(&self, read: impl FnOnce(&str) -> T) -> T {
        match &*self.login {
            Credential::Login { secret, .. }
            | Credential::IdentityToken(secret)
            | Credential::RegistryToken(secret) => read(secret.expose()),
        }
    }

    /// Whether it is the same login.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.login, &other.login) || self.login == other.login
    }

    /// What is unusual about the user name for this kind, if anything. GitLab compares the names of deploy tokens and job tokens only.
    pub(crate) fn unusual_name(&self) -> Option<&'static str> {
        let name = self.username()?;
        match self.kind {
            _ if name.is_empty() => Some("the user name is empty"),
            CredentialKind::DeployToken if bot_of(name).is_some() => {
                Some("a deploy token is used with the name of a project's or group's bot user")
            }
            CredentialKind::DeployToken if name == JOB_USER => {
                Some("a deploy token is used with the name of CI jobs")
            }
            CredentialKind::PersonalAccessToken
            | CredentialKind::ProjectAccessToken
            | CredentialKind::GroupAccessToken
                if is_deploy_name(name) =>
            {
                Some("an access token is used with the name of a deploy token")
            }
            CredentialKind::PersonalAccessToken if name == JOB_USER => {
                Some("an access token is used with the name of CI jobs")
            }
            CredentialKind::CiJobToken if name != JOB_USER => {
                Some("a CI job's token is used with another name than gitlab-ci-token")
            }
            _ => None,
        }
    }
}

impl fmt::Debug for TokenHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenHint")
            .field("kind", &self.kind)
            .field("prefixed", &self.prefixed)
            .finish_non_exhaustive()
    }
}

impl Authenticator {
    /// What the login looks like that is valid now, or was refused just now; `None` without one.
    pub(crate) async fn hint(&self, transport: &Transport) -> Result<Option<TokenHint>, Fault> {
        Ok(self.login_to_explain(transport, None).await?.map(TokenHint::new))
    }
}

const JOB_USER: &str = "gitlab-ci-token";

fn kind_of(username: &str, secret: &str) -> (CredentialKind, bool) {
    let by_name = || match username {
        JOB_USER => CredentialKind::CiJobToken,
        "oauth2" => CredentialKind::OauthToken,
        name if is_deploy_name(name) => CredentialKind::DeployToken,
        name => bot_of(name).unwrap_or(CredentialKind::Unknown),
    };
    match prefix_of(secret) {
        Some(CredentialKind::PersonalAccessToken) => {
            let kind = bot_of(username).unwrap_or(CredentialKind::PersonalAccessToken);
            (kind, true)
        }
        Some(kind) => (kind, true),
        None => (by_name(), false),
    }
}

/// The prefix, at the front or behind one of the instance's own.
fn prefix_of(secret: &str) -> Option<CredentialKind> {
    PREFIXES.iter().find_map(|(prefix, kind)| {
        let at = secret.find(prefix)?;
        let after_another = at <= INSTANCE_PREFIX && secret[..at].ends_with('-');
        (at == 0 || after_another).then_some(*kind)
    })
}

/// `project_ID_bot_RANDOM` or `group_ID_bot_RANDOM`, as GitLab calls the users of project and group access tokens.
fn bot_of(name: &str) -> Option<CredentialKind> {
    let (kind, rest) = match name.split_once('_')? {
        ("project", rest) => (CredentialKind::ProjectAccessToken, rest),
        ("group", rest) => (CredentialKind::GroupAccessToken, rest),
        _ => return None,
    };
    let (id, bot) = rest.split_once('_')?;
    let is_bot = bot == "bot" || bot.starts_with("bot_") || bot.strip_prefix("bot").is_some_and(is_number);
    (is_number(id) && is_bot).then_some(kind)
}

/// `gitlab+deploy-token-N`, as GitLab calls deploy tokens that were given no other name.
fn is_deploy_name(name: &str) -> bool {
    name.strip_prefix("gitlab+deploy-token-").is_some_and(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::secret::Secret;
    use proptest::prelude::*;

    fn hint(username: &str, secret: &str) -> TokenHint {
        TokenHint::new(Arc::new(Credential::Login {
            username: username.into(),
            secret: Secret::new(secret.into()),
        }))
    }

    #[test]
    fn kinds_are_told_by_prefix_and_then_by_name() {
        use CredentialKind as Kind;
        for (username, secret, kind, prefixed) in [
            ("reader", "glpat-AAAA", Kind::PersonalAccessToken, true),
            ("reader", "SIE-glpat-AAAA", Kind::PersonalAccessToken, true),
            ("group_7_bot_4ffca233", "glpat-A", Kind::GroupAccessToken, true),
            (
                "project_123_bot_4ffca233",
                "glpat-A",
                Kind::ProjectAccessToken,
                true,
            ),
            ("project_123_bot", "glpat-A", Kind::ProjectAccessToken, true),
            ("project_123_bot2", "glpat-A", Kind::ProjectAccessToken, true),
            ("project_x_bot_1", "glpat-A", Kind::PersonalAccessToken, true),
            ("gitlab-ci-token", "glpat-A", Kind::PersonalAccessToken, true),
            ("anything", "gldt-A", Kind::DeployToken, true),
            ("gitlab+deploy-token-1", "no prefix", Kind::DeployToken, false),
            ("gitlab+deploy-token-x", "no prefix", Kind::Unknown, false),
            ("gitlab-ci-token", "glcbt-64_A", Kind::CiJobToken, true),
            ("gitlab-ci-token", "legacy", Kind::CiJobToken, false),
            ("oauth2", "0123abcd", Kind::OauthToken, false),
            ("reader", "glrt-A", Kind::RunnerToken, true),
            ("reader", "glrtr-A", Kind::RunnerToken, true),
            ("reader", "glft-A", Kind::OtherToken, true),
            ("reader", "glptt-A", Kind::OtherToken, true),
            ("reader", "gloas-A", Kind::OtherToken, true),
            ("group_7_bot_x", "renamed-A", Kind::GroupAccessToken, false),
            ("reader", "correct horse", Kind::Unknown, false),
            ("reader", "myglpat-A", Kind::Unknown, false),
            ("reader", "a password of some length-glpat-", Kind::Unknown, false),
            ("reader", "", Kind::Unknown, false),
        ] {
            let hint = hint(username, secret);
            assert_eq!(
                (hint.kind, hint.prefixed),
                (kind, prefixed),
                "{username} {secret}"
            );
        }
    }

    #[test]
    fn names_that_do_not_belong_to_the_kind_are_noticed() {
        for (username, secret) in [
            ("group_7_bot_x", "gldt-A"),
            ("gitlab-ci-token", "gldt-A"),
            ("gitlab+deploy-token-1", "glpat-A"),
            ("gitlab-ci-token", "glpat-A"),
            ("reader", "glcbt-A"),
            ("", "glpat-A"),
        ] {
            assert!(
                hint(username, secret).unusual_name().is_some(),
                "{username} {secret}"
            );
        }
        for (username, secret) in [
            ("gitlab+deploy-token-1", "gldt-A"),
            ("a name that was chosen", "gldt-A"),
            ("reader", "glpat-A"),
            ("group_7_bot_x", "glpat-A"),
            ("gitlab-ci-token", "glcbt-A"),
            ("reader", "password"),
        ] {
            assert_eq!(hint(username, secret).unusual_name(), None, "{username} {secret}");
        }
    }

    #[test]
    fn a_hint_shows_neither_name_nor_secret() {
        let shown = format!("{:?}", hint("somebody", "glpat-do-not-show"));
        assert!(
            !shown.contains("do-not-show") && !shown.contains("somebody"),
            "{shown}"
        );
    }

    proptest! {
        #[test]
        fn no_login_panics(username in "\\PC{0,40}", secret in "\\PC{0,60}") {
            let _ = hint(&username, &secret).unusual_name();
        }
    }
}
