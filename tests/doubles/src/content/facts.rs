//! What a registry with a database knows of a manifest without reading it again.

use portolan_shared::model::Digest;
use serde_json::Value;

/// Taken from a manifest when it is stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct ManifestFacts {
    /// Its config's digest and media type; none for indexes and what is no manifest at all.
    pub(crate) config: Option<(Digest, String)>,
    /// Its layers and their sizes.
    pub(crate) layers: Vec<(Digest, u64)>,
    /// Its config's size and its own length, in bytes.
    own: u64,
    /// Its children.
    pub(crate) children: Vec<Digest>,
}

impl ManifestFacts {
    pub(super) fn read(manifest: &Value, length: usize) -> Self {
        let described = |value: &Value| {
            let digest = value["digest"].as_str()?.parse::<Digest>().ok()?;
            Some((digest, value["size"].as_u64().unwrap_or_default()))
        };
        let list = |name: &str| manifest[name].as_array().cloned().unwrap_or_default();
        let config = described(&manifest["config"]);
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        Self {
            own: config.as_ref().map_or(0, |(_, size)| size.saturating_add(length)),
            config: config.map(|(digest, _)| {
                let media_type = manifest["config"]["mediaType"].as_str().unwrap_or_default();
                (digest, media_type.to_owned())
            }),
            layers: list("layers").iter().filter_map(described).collect(),
            children: list("manifests")
                .iter()
                .filter_map(|child| Some(described(child)?.0))
                .collect(),
        }
    }

    /// What GitLab calls a tag's size: layers, config and manifest of an image; 0 for an index, of which it computes none.
    pub(crate) fn size(&self) -> u64 {
        let layers = self.layers.iter().map(|(_, size)| size);
        layers.fold(self.own, |sum, size| sum.saturating_add(*size))
    }
}
