//! What people and programs log in with.

use std::collections::BTreeSet;

use super::project::{Project, RegistryAccess, Visibility};
use crate::token::Account;

/// Lowest role that may read images of a private project: Reporter.
pub(super) const REPORTER: u8 = 20;
/// Lowest role that may manage images: Developer.
pub(super) const DEVELOPER: u8 = 30;

/// Of which kind a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A personal access token.
    Personal,
    /// A project access token.
    Project,
    /// A group access token.
    Group,
    /// A deploy token: its login counts, and the REST API does not know it.
    Deploy,
    /// The token of a running CI job.
    Job,
    /// An OAuth access token.
    OAuth,
    /// A password; refused everywhere but on the web pages once two-factor authentication is on.
    Password {
        /// Whether it is.
        two_factor: bool,
    },
}

/// Whether a credential still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Active,
    /// Its last day is over.
    Expired,
    /// It was revoked.
    Revoked,
}

/// Of which projects a credential's owner is a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Of these.
    Only(BTreeSet<u64>),
    /// Of all but these.
    AllBut(BTreeSet<u64>),
}

/// A credential, its owner and their rights.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Its number.
    pub id: u64,
    /// Its owner's number.
    pub user_id: u64,
    /// Its name.
    pub name: String,
    /// The login that belongs to it.
    pub login: String,
    /// The secret.
    pub secret: String,
    /// Of which kind it is.
    pub kind: Kind,
    /// Its scopes; of no account for passwords and jobs, which may do what their owner may.
    pub scopes: Vec<&'static str>,
    /// Whether it still counts.
    pub standing: Standing,
    /// Its last day, such as `2026-12-31`; none if it has none.
    pub expires_at: Option<String>,
    /// Of which projects its owner is a member.
    pub reach: Reach,
    /// In which role: 10 is a guest, 20 a reporter, 30 a developer, 40 a maintainer.
    pub role: u8,
    /// Whether its owner is an administrator of the instance.
    pub administrator: bool,
}

impl Credential {
    /// An active credential of a developer in every project.
    #[must_use]
    pub fn new(kind: Kind, (login, secret): (&str, &str), scopes: &[&'static str]) -> Self {
        Self {
            id: 901,
            user_id: 77,
            name: "inventory".to_owned(),
            login: login.to_owned(),
            secret: secret.to_owned(),
            kind,
            scopes: scopes.to_vec(),
            standing: Standing::Active,
            expires_at: Some("2026-12-31".to_owned()),
            reach: Reach::AllBut(BTreeSet::new()),
            role: DEVELOPER,
            administrator: false,
        }
    }

    /// The same with another reach.
    #[must_use]
    pub fn reaching(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// The same, no longer counting.
    #[must_use]
    pub fn standing(mut self, standing: Standing) -> Self {
        self.standing = standing;
        self
    }

    /// Whether its owner is a member of `project`.
    #[must_use]
    pub fn is_member(&self, project: u64) -> bool {
        match &self.reach {
            Reach::Only(projects) => projects.contains(&project),
            Reach::AllBut(projects) => !projects.contains(&project),
        }
    }

    pub(super) fn has_one_of(&self, scopes: &[&str]) -> bool {
        self.scopes.iter().any(|scope| scopes.contains(scope))
    }

    /// Whether it belongs to a user, who may see what is open to all users.
    fn is_user(&self) -> bool {
        self.kind != Kind::Deploy
    }

    /// Whether `project` exists for its owner.
    pub(super) fn sees(&self, project: &Project) -> bool {
        self.administrator
            || self.is_member(project.id)
            || project.visibility == Visibility::Public
            || (project.visibility == Visibility::Internal && self.is_user())
    }

    /// Whether its owner may read the images of `project`, scopes aside.
    pub(super) fn reads(&self, project: &Project) -> bool {
        let member = self.administrator || (self.is_member(project.id) && self.role >= REPORTER);
        let open = match project.visibility {
            Visibility::Public => true,
            Visibility::Internal => self.is_user(),
            Visibility::Private => false,
        };
        match project.registry {
            RegistryAccess::Disabled => false,
            RegistryAccess::Private => member,
            RegistryAccess::Enabled => member || open,
        }
    }

    /// The account of the token service for it; none if it is refused there as if it were unknown.
    pub(super) fn account(&self, projects: &[Project]) -> Option<Account> {
        let (auth_type, any_login, unscoped) = match self.kind {
            Kind::Personal | Kind::Project | Kind::Group => ("personal_access_token", true, false),
            Kind::OAuth => ("oauth", true, false),
            Kind::Deploy => ("deploy_token", false, false),
            Kind::Job => ("build", false, true),
            Kind::Password { two_factor: false } => ("gitlab_or_ldap", false, true),
            Kind::Password { two_factor: true } => return None,
        };
        if self.standing != Standing::Active {
            return None;
        }
        let mut account = Account::new(&self.login, &self.secret).auth_type(auth_type);
        if any_login {
            account = account.any_login();
        }
        let pulls = unscoped || self.has_one_of(&["read_registry", "read_api", "api"]);
        if !pulls && !self.has_one_of(&["write_registry"]) {
            return Some(account.without_registry_scope());
        }
        if pulls {
            let readable = projects
                .iter()
                .filter(|project| self.reads(project) && project.takes_images());
            account = account.reads_below(readable.map(Project::image_path));
        }
        Some(if self.administrator {
            account.catalog()
        } else {
            account
        })
    }
}
