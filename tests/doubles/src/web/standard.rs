//! The instance that tests start from: one group, three projects, and a credential of every kind.

use super::credential::{Credential, Kind, Reach, Standing};
use super::gitlab::GitLab;
use super::instance::{Group, Instance};
use super::project::{Project, Visibility};

impl GitLab {
    /// A personal token with `read_api` and `read_registry`.
    pub const FULL: (&str, &str) = ("reader", "glpat-AAAAAAAAAAAAAAAAAAAA");
    /// A personal token with `read_registry` alone.
    pub const REGISTRY_ONLY: (&str, &str) = ("reader", "glpat-BBBBBBBBBBBBBBBBBBBB");
    /// A personal token with `read_user`: nothing on a registry.
    pub const NO_SCOPE: (&str, &str) = ("reader", "glpat-CCCCCCCCCCCCCCCCCCCC");
    /// A deploy token of project 42.
    pub const DEPLOY: (&str, &str) = ("gitlab+deploy-token-1", "gldt-DDDDDDDDDDDDDDDDDDDD");
    /// A personal token of an administrator of the instance.
    pub const ADMIN: (&str, &str) = ("root", "glpat-EEEEEEEEEEEEEEEEEEEE");
    /// A group access token of group 7, with the scopes of [`GitLab::FULL`].
    pub const BOT: (&str, &str) = ("group_7_bot_4ffca233d8298ea1", "glpat-FFFFFFFFFFFFFFFFFFFF");
    /// A project access token of project 42, with the scopes of [`GitLab::FULL`].
    pub const PROJECT_BOT: (&str, &str) = ("project_42_bot_4ffca233d8298ea1", "glpat-GGGGGGGGGGGGGGGGGGGG");
    /// A personal token with `read_repository`, which sounds as if it read images.
    pub const REPOSITORY_SCOPE: (&str, &str) = ("reader", "glpat-HHHHHHHHHHHHHHHHHHHH");
    /// A personal token that has expired.
    pub const EXPIRED: (&str, &str) = ("reader", "glpat-IIIIIIIIIIIIIIIIIIII");
    /// A personal token that was revoked.
    pub const REVOKED: (&str, &str) = ("reader", "glpat-JJJJJJJJJJJJJJJJJJJJ");
    /// The token of a job of project 42.
    pub const JOB: (&str, &str) = ("gitlab-ci-token", "glcbt-KKKKKKKKKKKKKKKKKKKK");
    /// An OAuth access token with `read_api`.
    pub const OAUTH: (&str, &str) = (
        "oauth2",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    );
    /// A user's password.
    pub const PASSWORD: (&str, &str) = ("reader", "correct-horse-battery");
    /// The password of a user who has two-factor authentication on.
    pub const TWO_FACTOR: (&str, &str) = ("careful", "staple-battery-horse");
}

impl Instance {
    /// Group 7 `acme` with projects 42 `acme/shop` (private), 43 `acme/hidden` (private, of which nobody but administrators is a
    /// member) and 44 `acme/open` (public), and the credentials that [`GitLab`] names.
    #[must_use]
    pub fn standard() -> Self {
        let mut instance = Self::default();
        instance.groups = vec![Group {
            id: 7,
            path: "acme".to_owned(),
        }];
        instance.projects = vec![
            Project::new(42, "acme/shop"),
            Project::new(43, "acme/hidden"),
            Project::new(44, "acme/open").visible(Visibility::Public),
        ];
        let full: &[&'static str] = &["read_api", "read_registry"];
        let personal = |login, scopes| Credential::new(Kind::Personal, login, scopes);
        let shop = || Reach::Only([42].into());
        let mut credentials = vec![
            personal(GitLab::FULL, full),
            personal(GitLab::REGISTRY_ONLY, &["read_registry"]),
            personal(GitLab::NO_SCOPE, &["read_user"]),
            Credential::new(Kind::Deploy, GitLab::DEPLOY, &["read_registry"]).reaching(shop()),
            Credential {
                administrator: true,
                user_id: 1,
                ..personal(GitLab::ADMIN, full)
            },
            Credential::new(Kind::Group, GitLab::BOT, full),
            Credential::new(Kind::Project, GitLab::PROJECT_BOT, full).reaching(shop()),
            personal(GitLab::REPOSITORY_SCOPE, &["read_repository"]),
            personal(GitLab::EXPIRED, full).standing(Standing::Expired),
            personal(GitLab::REVOKED, full).standing(Standing::Revoked),
            Credential::new(Kind::Job, GitLab::JOB, &[]).reaching(shop()),
            Credential::new(Kind::OAuth, GitLab::OAUTH, &["read_api"]),
            Credential::new(Kind::Password { two_factor: false }, GitLab::PASSWORD, &[]),
            Credential::new(Kind::Password { two_factor: true }, GitLab::TWO_FACTOR, &[]),
        ];
        for (credential, id) in credentials.iter_mut().zip(901..) {
            credential.id = id;
            if credential.reach == Reach::AllBut([].into()) {
                credential.reach = Reach::AllBut([43, 44].into());
            }
        }
        instance.credentials = credentials;
        instance
    }
}
