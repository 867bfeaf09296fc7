//! What image facts look like.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portolan_shared::model::manifest::ImageFacts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is kept of an image's config. Values of environment variables and commands of build steps are not: secrets hide there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImageFacts)]
pub struct Facts {
    /// When the image was made, if it says so credibly.
    pub created: Option<Timestamp>,
    /// What it runs on: `OS/ARCHITECTURE[/VARIANT]`.
    pub platform: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// The user that it runs as; root if null.
    pub user: Option<String>,
    /// Entry point.
    pub entrypoint: Vec<String>,
    /// Default arguments.
    pub command: Vec<String>,
    /// Working directory.
    pub working_dir: Option<String>,
    /// Names of environment variables.
    pub environment: Vec<String>,
    /// Ports that it says it listens on.
    pub ports: Vec<String>,
    /// Volumes that it says it wants.
    pub volumes: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Digests of its uncompressed layers, bottom first.
    pub diff_ids: Vec<String>,
    /// Build steps.
    pub build_steps: usize,
    /// Whether something was cut to its bound.
    pub cut: bool,
}

impl From<ImageFacts> for Facts {
    fn from(facts: ImageFacts) -> Self {
        Self {
            created: facts.created,
            platform: facts.platform.map(|platform| platform.to_string()),
            author: facts.author,
            user: facts.user,
            entrypoint: facts.entrypoint,
            command: facts.command,
            working_dir: facts.working_dir,
            environment: facts.environment,
            ports: facts.ports,
            volumes: facts.volumes,
            labels: facts.labels,
            diff_ids: facts.diff_ids.iter().map(ToString::to_string).collect(),
            build_steps: facts.history.len(),
            cut: facts.cut,
        }
    }
}
