//! Who may come in, and what each sees.

use std::collections::BTreeSet;

/// What an account sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// Every project, and the catalog.
    Administrator,
    /// Every project.
    Everything,
    /// These projects.
    Projects(BTreeSet<String>),
    /// Nothing any more: its time is over.
    Ended,
}

/// A user or a robot.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) secret: String,
    pub(super) reach: Reach,
    /// When it ends, in seconds since 1970; -1 if it never does.
    pub(super) expires_at: i64,
    /// Whether it may list robots.
    pub(super) lists_robots: bool,
}

impl Account {
    /// The project of a robot that has one; `None` of the system's robots.
    pub(super) fn robots_project(&self) -> Option<&str> {
        Some(self.name.strip_prefix("robot$")?.split_once('+')?.0)
    }

    pub(super) fn sees(&self, project: &str) -> bool {
        match &self.reach {
            Reach::Administrator | Reach::Everything => true,
            Reach::Projects(projects) => projects.contains(project),
            Reach::Ended => false,
        }
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    /// Nobody in particular.
    Stranger,
    /// Somebody with a login that is good.
    Known(Account),
}

impl Caller {
    pub(super) fn is_administrator(&self) -> bool {
        matches!(self, Self::Known(account) if account.reach == Reach::Administrator)
    }

    pub(super) fn sees(&self, project: &str, public: &BTreeSet<String>) -> bool {
        public.contains(project) || matches!(self, Self::Known(account) if account.sees(project))
    }
}

/// The project of a repository: its first component.
pub(super) fn project_of(repository: &str) -> &str {
    repository.split('/').next().unwrap_or(repository)
}
