//! A project.

use serde_json::{Value, json};

/// Who may see a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Its members.
    Private,
    /// Every user.
    Internal,
    /// Everyone.
    Public,
}

impl Visibility {
    /// As the REST API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Internal => "internal",
            Self::Public => "public",
        }
    }
}

/// Who may read a project's images: its `container_registry_access_level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryAccess {
    /// Everyone who may see the project, and reporters if it is private.
    Enabled,
    /// Reporters.
    Private,
    /// Nobody: the project has no registry.
    Disabled,
}

impl RegistryAccess {
    /// As the REST API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Private => "private",
            Self::Disabled => "disabled",
        }
    }
}

/// A project of the instance.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its number.
    pub id: u64,
    /// Its path with all groups above it, as people wrote it: upper case is possible here, not in image names.
    pub path: String,
    /// Who may see it.
    pub visibility: Visibility,
    /// Whether it is archived.
    pub archived: bool,
    /// Who may read its images.
    pub registry: RegistryAccess,
    /// Its cleanup policy, sent as it is: sound, with an empty or an invalid `name_regex`, or absent.
    pub expiration_policy: Option<Value>,
    /// Its rules for protected tags, sent as they are.
    pub tag_rules: Vec<Value>,
}

impl Project {
    /// A private project with a registry, GitLab's default policy (off), and one rule for protected tags.
    #[must_use]
    pub fn new(id: u64, path: &str) -> Self {
        Self {
            id,
            path: path.to_owned(),
            visibility: Visibility::Private,
            archived: false,
            registry: RegistryAccess::Enabled,
            expiration_policy: Some(Self::default_policy()),
            tag_rules: vec![json!({
                "id": 1,
                "project_id": id,
                "tag_name_pattern": "v.*",
                "minimum_access_level_for_push": "maintainer",
                "minimum_access_level_for_delete": "owner",
            })],
        }
    }

    /// The same, to be seen by others too.
    #[must_use]
    pub fn visible(mut self, visibility: Visibility) -> Self {
        self.visibility = visibility;
        self
    }

    /// The policy that a new project has.
    #[must_use]
    pub fn default_policy() -> Value {
        json!({
            "cadence": "1d",
            "enabled": false,
            "keep_n": 10,
            "older_than": "90d",
            "name_regex": ".*",
            "name_regex_keep": null,
            "next_run_at": "2026-01-03T00:00:00.000Z",
        })
    }

    /// The path that its images begin with.
    #[must_use]
    pub fn image_path(&self) -> String {
        self.path.to_ascii_lowercase()
    }

    /// Whether images can have its path: not if a group or the project itself begins or ends with what is neither letter nor digit.
    #[must_use]
    pub fn takes_images(&self) -> bool {
        let is_word = |character: Option<char>| character.is_some_and(|c| c.is_ascii_alphanumeric());
        self.path
            .split('/')
            .all(|part| is_word(part.chars().next()) && is_word(part.chars().last()))
    }

    /// The path of the group that it is in.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// Its own name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}
