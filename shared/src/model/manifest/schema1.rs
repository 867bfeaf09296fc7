//! Docker image manifests of schema 1: long obsolete, still in old stores. Recorded as such, with what they tell.

use serde::Deserialize;

use super::bounded::Bounded;
use super::kind::ArtifactKind;
use super::parse::{Annotations, Descriptor, Manifest, ManifestError, syntax};
use crate::model::{MediaType, Platform, limits};

#[derive(Deserialize)]
struct Wire {
    architecture: Option<String>,
    #[serde(rename = "fsLayers", default)]
    layers: Bounded<Layer, { limits::LAYERS }>,
    /// Only the first is looked at.
    #[serde(default)]
    history: Bounded<Entry, 1>,
}

#[derive(Deserialize)]
struct Layer {
    #[serde(rename = "blobSum")]
    blob_sum: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "v1Compatibility")]
    v1_compatibility: String,
}

#[derive(Deserialize, Default)]
struct Compatibility {
    os: Option<String>,
    architecture: Option<String>,
}

/// Reads a schema 1 manifest. Its layers have no sizes; the entry of the top layer comes first.
pub(super) fn parse(
    bytes: &[u8],
    media_type: MediaType,
    type_conflict: bool,
) -> Result<Manifest, ManifestError> {
    let wire: Wire = serde_json::from_slice(bytes).map_err(|error| syntax(&error))?;
    let layers = wire
        .layers
        .all("layers")?
        .into_iter()
        .map(|layer| {
            let digest = layer.blob_sum.parse().map_err(|_| ManifestError::Digest)?;
            Ok(Descriptor {
                media_type: MediaType::OCTET_STREAM,
                digest,
                size: 0,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let top: Compatibility = wire
        .history
        .first()
        .and_then(|entry| serde_json::from_str(&entry.v1_compatibility).ok())
        .unwrap_or_default();
    let architecture = top.architecture.or(wire.architecture).unwrap_or_default();
    let platform = Platform::new(top.os.as_deref().unwrap_or("linux"), &architecture, None, None);
    Ok(Manifest {
        media_type,
        type_conflict,
        kind: ArtifactKind::DockerSchema1,
        artifact_type: None,
        config: None,
        layers,
        children: Vec::new(),
        subject: None,
        annotations: Annotations::new(),
        platform,
    })
}
