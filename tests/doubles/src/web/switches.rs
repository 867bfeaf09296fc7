//! How the web host behaves.

/// What a rate limiter allows: after `limit` requests the next is refused, and the count begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many requests are let through between two refusals.
    pub limit: u64,
    /// Seconds in `Retry-After`.
    pub retry_after: u64,
}

/// What the REST API makes of the path that a project had before. No source says for certain: a client has to cope with either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormerPaths {
    /// It redirects to the project's number.
    Redirected,
    /// It describes the project as if it had been asked for by its new path.
    Described,
}

/// How the web host behaves; changeable while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switches {
    /// Its version, as `/api/v4/metadata` says it.
    pub version: String,
    /// Whether the instance has a registry; without one `/jwt/auth` answers 404 and projects name no image prefix.
    pub registry_enabled: bool,
    /// Whether something in front takes `Authorization` out of every request.
    pub authorization_stripped: bool,
    /// Whether `/v2/` leads to the sign-in page, as before there was a dependency proxy.
    pub signs_in: bool,
    /// Whether tokens may read about themselves (15.5 and later), else 404.
    pub token_self: bool,
    /// Whether they may list what they reach (17.4 and later), else 404.
    pub associations: bool,
    /// Whether the rules for protected tags can be read (18.7 and later), else 404.
    pub tag_rules: bool,
    /// What is answered to a path that a project had before.
    pub former_paths: FormerPaths,
    /// The rate limiter, which then announces itself on every answer.
    pub rate_limit: Option<RateLimit>,
}

impl Default for Switches {
    /// A current GitLab with a registry and without a rate limiter, as installed.
    fn default() -> Self {
        Self {
            version: "18.7.0-ee".to_owned(),
            registry_enabled: true,
            authorization_stripped: false,
            signs_in: false,
            token_self: true,
            associations: true,
            tag_rules: true,
            former_paths: FormerPaths::Redirected,
            rate_limit: None,
        }
    }
}
