//! Image facts: what is kept of a config blob. Values of environment variables and build commands are left out, because secrets
//! hide there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bounded::bounded_labels;
use super::parse::{Annotations, syntax};
use crate::model::words::words;
use crate::model::{Digest, Platform, limits, truncated};

/// Why a config blob gave no facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// Not JSON of the right form; holds only the position.
    #[error("not an image config: {0}")]
    Syntax(String),
}

words! {
    /// What of an image's facts a sensor's administrator may keep from the control plane.
    FactsField {
        /// Who made it.
        Author = "author",
        /// Entry point and default arguments.
        Command = "command",
        /// Names of environment variables; their values are never kept.
        Environment = "environment",
        /// Its build steps.
        History = "history",
        /// Labels of the config. Annotations of manifests travel with these, which are hashed as they are.
        Labels = "labels",
    }
}

/// One build step, without its command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// When, as the config says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Whether it made no layer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

/// What is kept of an image config (OCI image-spec 1.1, "Image Configuration").
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageFacts {
    /// When the image was made, RFC 3339; none if unset or before 1981-01-02, which reproducible builds use for "unset".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<jiff::Timestamp>,
    /// What it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Annotations,
    /// Whether labels or lists were cut to their bounds.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// The user that its process runs as; empty means root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Entry point.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// Default arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Names of environment variables, never their values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
    /// Ports it says it listens on, such as `8080/tcp`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// Volumes it says it wants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// Digests of its uncompressed layers, bottom first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diff_ids: Vec<Digest>,
    /// Its build steps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
    /// What the sensor's administrator keeps back: it may be there, or not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<FactsField>,
}

/// Entries kept of any one list in a config.
const LIST: usize = 2_000;

impl ImageFacts {
    /// Reads a config blob that has been verified and bounded ([`limits::CONFIG_BYTES`]).
    pub fn from_config(bytes: &[u8]) -> Result<Self, FactsError> {
        let wire: Wire =
            serde_json::from_slice(bytes).map_err(|error| FactsError::Syntax(syntax(&error).to_string()))?;
        Ok(wire.into_facts())
    }

    /// The same without these fields. That they are kept back is told; whether there was anything in them is not.
    #[must_use]
    pub fn without(mut self, fields: &[FactsField]) -> Self {
        for field in fields {
            match field {
                FactsField::Author => self.author = None,
                FactsField::Command => {
                    self.entrypoint.clear();
                    self.command.clear();
                }
                FactsField::Environment => self.environment.clear(),
                FactsField::History => self.history.clear(),
                FactsField::Labels => self.labels.clear(),
            }
        }
        self.withheld = fields.to_vec();
        self
    }

    /// The facts as JSON of at most [`limits::IMAGE_FACTS_BYTES`]: labels, then history are given up, with the flag, until it fits.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let json = |facts: &Self| serde_json::to_vec(facts).unwrap_or_default();
        let whole = json(self);
        if whole.len() <= limits::IMAGE_FACTS_BYTES {
            return whole;
        }
        let mut less = Self {
            labels: Annotations::new(),
            cut: true,
            ..self.clone()
        };
        let bytes = json(&less);
        if bytes.len() <= limits::IMAGE_FACTS_BYTES {
            return bytes;
        }
        less.history.clear();
        for list in [
            &mut less.entrypoint,
            &mut less.command,
            &mut less.environment,
            &mut less.ports,
            &mut less.volumes,
        ] {
            list.clear();
        }
        json(&less)
    }
}

#[derive(Deserialize)]
struct Wire {
    created: Option<String>,
    author: Option<String>,
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
    config: Option<WireConfig>,
    rootfs: Option<WireRootfs>,
    history: Option<Vec<WireHistory>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct WireConfig {
    user: Option<String>,
    env: Option<Vec<String>>,
    entrypoint: Option<OneOrMany>,
    cmd: Option<OneOrMany>,
    working_dir: Option<String>,
    labels: Option<BTreeMap<String, Option<String>>>,
    exposed_ports: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    volumes: Option<BTreeMap<String, serde::de::IgnoredAny>>,
}

/// Very old images have a string where the specification has a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<String>),
    One(String),
}

#[derive(Deserialize)]
struct WireRootfs {
    diff_ids: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct WireHistory {
    created: Option<String>,
    #[serde(default)]
    empty_layer: Option<bool>,
}

impl Wire {
    fn into_facts(self) -> ImageFacts {
        let mut cut = false;
        let config = self.config.unwrap_or_default();
        let all_labels = config.labels.as_ref().map_or(0, BTreeMap::len);
        let long = config.labels.iter().flatten().any(|(_, value)| {
            value
                .as_ref()
                .is_some_and(|value| value.len() > limits::LABEL_VALUE_BYTES)
        });
        let labels = bounded_labels(config.labels);
        cut |= long || labels.len() < all_labels;
        let mut list = |items: Vec<String>| {
            cut |= items.len() > LIST || items.iter().any(|item| item.len() > limits::LABEL_VALUE_BYTES);
            items
                .into_iter()
                .take(LIST)
                .map(|item| truncated(&item, limits::LABEL_VALUE_BYTES).0.to_owned())
                .collect()
        };
        let many = |value: Option<OneOrMany>| match value {
            Some(OneOrMany::Many(items)) => items,
            Some(OneOrMany::One(item)) => vec![item],
            None => Vec::new(),
        };
        let entrypoint = list(many(config.entrypoint));
        let command = list(many(config.cmd));
        let ports = list(config.exposed_ports.unwrap_or_default().into_keys().collect());
        let volumes = list(config.volumes.unwrap_or_default().into_keys().collect());
        let names = config.env.unwrap_or_default();
        let environment = list(
            names
                .iter()
                .map(|pair| pair.split('=').next().unwrap_or_default().to_owned())
                .collect(),
        );
        let short = |text: Option<String>| {
            text.filter(|t| !t.is_empty())
                .map(|t| truncated(&t, limits::LABEL_VALUE_BYTES).0.to_owned())
        };
        let diff_ids = self.rootfs.and_then(|rootfs| rootfs.diff_ids).unwrap_or_default();
        let history = self.history.unwrap_or_default();
        cut |= diff_ids.len() > LIST || history.len() > LIST;
        ImageFacts {
            created: self.created.as_deref().and_then(plausible),
            platform: Platform::new(
                self.os.as_deref().unwrap_or_default(),
                self.architecture.as_deref().unwrap_or_default(),
                self.variant.as_deref(),
                self.os_version.as_deref(),
            ),
            author: short(self.author),
            labels,
            user: short(config.user),
            entrypoint,
            command,
            working_dir: short(config.working_dir),
            environment,
            ports,
            volumes,
            diff_ids: diff_ids
                .iter()
                .take(LIST)
                .filter_map(|text| text.parse().ok())
                .collect(),
            history: history
                .into_iter()
                .take(LIST)
                .map(|entry| History {
                    created: entry.created.map(|text| crate::model::printable(&text, 64)),
                    empty_layer: entry.empty_layer.unwrap_or(false),
                })
                .collect(),
            withheld: Vec::new(),
            cut,
        }
    }
}

/// A time of creation that is meant as one: reproducible builds write the epoch or 1980 (ko, Bazel, buildpacks).
fn plausible(text: &str) -> Option<jiff::Timestamp> {
    const EARLIEST: i64 = 347_241_600; // 1981-01-02
    text.parse::<jiff::Timestamp>()
        .ok()
        .filter(|created| created.as_second() >= EARLIEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_that_is_withheld_is_gone_and_named_and_the_others_stay() {
        let config = br#"{"author":"a","os":"linux","architecture":"amd64",
            "config":{"Env":["NAME=value"],"Entrypoint":["/run"],"Cmd":["-x"],"Labels":{"l":"v"},"User":"u"},
            "history":[{"created":"2026-01-01T00:00:00Z"}]}"#;
        let whole = ImageFacts::from_config(config).unwrap();
        for field in FactsField::ALL {
            let less = whole.clone().without(&[*field]);
            assert_ne!(less, whole.clone().without(&[]), "{field}");
            assert_eq!(less.withheld, [*field]);
            assert_eq!(less.user, whole.user);
            let json = String::from_utf8(less.to_json()).unwrap();
            let key = match field {
                FactsField::Command => "entrypoint",
                field => field.as_str(),
            };
            assert!(!json.contains(&format!("\"{key}\":")), "{json}");
        }
        let none = whole.without(FactsField::ALL);
        assert_eq!(none.withheld, FactsField::ALL);
        assert!(none.command.is_empty() && none.platform.is_some());
    }
}
