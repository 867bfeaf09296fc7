//! From raw bytes to a [`Manifest`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bounded::{Bounded, BoundedAnnotations};
use super::kind::ArtifactKind;
use super::schema1;
use crate::model::{Digest, MediaType, Platform, limits};

/// Annotations or labels, sorted by key; keys and values within their bounds.
pub type Annotations = BTreeMap<String, String>;

/// Why bytes are not a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON of the right form. Holds only the position: the text may be anything.
    #[error("not a manifest: {0}")]
    Syntax(String),
    /// Neither its own media type nor the served one is that of a manifest, and its structure tells nothing.
    #[error("not a manifest: media type {0:?}")]
    UnknownType(String),
    /// More members than the bound.
    #[error("{count} {what}, more than the bound of {bound}")]
    TooMany {
        /// Members of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        bound: usize,
    },
    /// A descriptor without a usable digest.
    #[error("a descriptor's digest is malformed")]
    Digest,
}

/// Points at content by type, digest and size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// What the content is.
    pub media_type: MediaType,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// What a child of an index is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildRole {
    /// An image for one platform, or any other manifest.
    Manifest,
    /// A BuildKit attestation of another child; never a platform.
    Attestation,
    /// A layer of a build cache: a blob, which is never fetched.
    CacheLayer,
}

/// One entry of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// What it points at.
    pub descriptor: Descriptor,
    /// What it runs on, if it says so and is no attestation.
    pub platform: Option<Platform>,
    /// What it is for.
    pub role: ChildRole,
    /// The child that an attestation is about.
    pub attests: Option<Digest>,
}

/// A manifest of any kind, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its media type: what it says of itself, else what it was served as, else what its structure shows.
    pub media_type: MediaType,
    /// Whether it says of itself another media type than it was served as.
    pub type_conflict: bool,
    /// What kind of thing it is.
    pub kind: ArtifactKind,
    /// Its artifact type (image-spec 1.1): `artifactType`, else the config's media type.
    pub artifact_type: Option<MediaType>,
    /// Its config blob, unless that is the empty descriptor.
    pub config: Option<Descriptor>,
    /// Its layers or blobs, in order.
    pub layers: Vec<Descriptor>,
    /// The entries of an index, in order.
    pub children: Vec<Child>,
    /// What it refers to.
    pub subject: Option<Descriptor>,
    /// Its annotations.
    pub annotations: Annotations,
    /// Its platform, where the manifest itself tells (schema 1 only).
    pub platform: Option<Platform>,
}

impl Manifest {
    /// Reads a manifest. `served_as` is the media type that it came with, if any.
    ///
    /// The caller has verified `bytes` against their digest and bounded their length ([`limits::MANIFEST_BYTES`]).
    pub fn parse(bytes: &[u8], served_as: Option<&MediaType>) -> Result<Self, ManifestError> {
        let wire: Wire = serde_json::from_slice(bytes).map_err(|error| syntax(&error))?;
        let own = wire
            .media_type
            .as_deref()
            .and_then(|text| text.parse::<MediaType>().ok());
        let (media_type, type_conflict) = wire.decide_type(own.as_ref(), served_as)?;
        if media_type == MediaType::DOCKER_SCHEMA1 || media_type == MediaType::DOCKER_SCHEMA1_SIGNED {
            return schema1::parse(bytes, media_type, type_conflict);
        }
        wire.into_manifest(media_type, type_conflict)
    }

    /// The size of what the manifest names, in bytes: layers and config. Zero for an index.
    #[must_use]
    pub fn content_size(&self) -> u64 {
        let config = self.config.as_ref().map_or(0, |config| config.size);
        self.layers
            .iter()
            .fold(config, |sum, layer| sum.saturating_add(layer.size))
    }

    /// The platforms of an index's children, attestations not counted, each once, in order.
    #[must_use]
    pub fn platforms(&self) -> Vec<Platform> {
        let mut platforms = Vec::new();
        for platform in self
            .children
            .iter()
            .filter_map(|child| child.platform.as_ref())
            .chain(&self.platform)
        {
            if !platforms.contains(platform) {
                platforms.push(platform.clone());
            }
        }
        platforms
    }
}

pub(super) fn syntax(error: &serde_json::Error) -> ManifestError {
    let category = match error.classify() {
        serde_json::error::Category::Io | serde_json::error::Category::Eof => "ends too early",
        serde_json::error::Category::Syntax => "is not JSON",
        serde_json::error::Category::Data => "has a member of the wrong type",
    };
    ManifestError::Syntax(format!(
        "{category} at line {} column {}",
        error.line(),
        error.column()
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    schema_version: Option<u32>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<WireDescriptor>,
    layers: Option<Bounded<WireDescriptor, { limits::LAYERS }>>,
    blobs: Option<Bounded<WireDescriptor, { limits::LAYERS }>>,
    manifests: Option<Bounded<WireDescriptor, { limits::INDEX_CHILDREN }>>,
    #[serde(rename = "fsLayers")]
    fs_layers: Option<serde::de::IgnoredAny>,
    subject: Option<WireDescriptor>,
    annotations: Option<BoundedAnnotations>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDescriptor {
    media_type: Option<String>,
    digest: String,
    #[serde(default)]
    size: i64,
    platform: Option<WirePlatform>,
    annotations: Option<WireMarks>,
}

/// The annotations of a descriptor that say something about its role (BuildKit).
#[derive(Deserialize, Default)]
struct WireMarks {
    #[serde(rename = "vnd.docker.reference.type")]
    reference_type: Option<String>,
    #[serde(rename = "vnd.docker.reference.digest")]
    reference_digest: Option<String>,
}

#[derive(Deserialize)]
struct WirePlatform {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
}

impl Wire {
    fn decide_type(
        &self,
        own: Option<&MediaType>,
        served_as: Option<&MediaType>,
    ) -> Result<(MediaType, bool), ManifestError> {
        let known = |media_type: &&MediaType| MediaType::MANIFESTS.contains(*media_type);
        let own = own.filter(known);
        let served = served_as.filter(known);
        let conflict = matches!((own, served), (Some(own), Some(served)) if own != served);
        if let Some(media_type) = own.or(served) {
            return Ok((media_type.clone(), conflict));
        }
        let by_structure = if self.schema_version == Some(1) || self.fs_layers.is_some() {
            Some(MediaType::DOCKER_SCHEMA1)
        } else if self.manifests.is_some() {
            Some(MediaType::OCI_INDEX)
        } else if self.config.is_some() && self.layers.is_some() {
            Some(MediaType::OCI_MANIFEST)
        } else {
            None
        };
        by_structure.map(|media_type| (media_type, false)).ok_or_else(|| {
            let text = self
                .media_type
                .as_deref()
                .or(served_as.map(MediaType::as_str))
                .unwrap_or("none");
            ManifestError::UnknownType(crate::model::printable(text, limits::MEDIA_TYPE_BYTES))
        })
    }

    fn into_manifest(self, media_type: MediaType, type_conflict: bool) -> Result<Manifest, ManifestError> {
        let config = self.config.map(WireDescriptor::into_descriptor).transpose()?;
        let layers = self.layers.or(self.blobs).unwrap_or_default();
        let layers = layers
            .all("layers")?
            .into_iter()
            .map(WireDescriptor::into_descriptor)
            .collect::<Result<Vec<_>, _>>()?;
        let manifests = if media_type.is_index() {
            self.manifests.unwrap_or_default()
        } else {
            Bounded::default()
        };
        let children = manifests
            .all("children")?
            .into_iter()
            .map(WireDescriptor::into_child)
            .collect::<Result<Vec<_>, _>>()?;
        // Referring to nothing usable is the same as referring to nothing.
        let subject = self.subject.and_then(|subject| subject.into_descriptor().ok());
        let own_type = self
            .artifact_type
            .as_deref()
            .and_then(|text| text.parse::<MediaType>().ok());
        let artifact_type = own_type.or_else(|| config.as_ref().map(|config| config.media_type.clone()));
        let BoundedAnnotations(annotations) = self.annotations.unwrap_or_default();
        let kind = ArtifactKind::of(
            &media_type,
            artifact_type.as_ref(),
            config.as_ref(),
            &layers,
            &children,
            &annotations,
        );
        let config = config.filter(|config| config.media_type != MediaType::OCI_EMPTY);
        Ok(Manifest {
            media_type,
            type_conflict,
            kind,
            artifact_type,
            config,
            layers,
            children,
            subject,
            annotations,
            platform: None,
        })
    }
}

impl WireDescriptor {
    fn into_descriptor(self) -> Result<Descriptor, ManifestError> {
        let media_type = self.media_type.as_deref().and_then(|text| text.parse().ok());
        Ok(Descriptor {
            media_type: media_type.unwrap_or(MediaType::OCTET_STREAM),
            digest: self.digest.parse().map_err(|_| ManifestError::Digest)?,
            size: u64::try_from(self.size).unwrap_or(0),
        })
    }

    fn into_child(mut self) -> Result<Child, ManifestError> {
        let marks = self.annotations.take().unwrap_or_default();
        let attestation = marks.reference_type.as_deref() == Some("attestation-manifest");
        let attests = if attestation {
            marks.reference_digest.and_then(|text| text.parse().ok())
        } else {
            None
        };
        let platform = self.platform.take().and_then(|platform| {
            Platform::new(
                platform.os.as_deref().unwrap_or_default(),
                platform.architecture.as_deref().unwrap_or_default(),
                platform.variant.as_deref(),
                platform.os_version.as_deref(),
            )
        });
        let descriptor = self.into_descriptor()?;
        // The children of a build cache that was exported as an index are blobs (BuildKit, cache export to a registry).
        let blob = descriptor.media_type.as_str().contains(".layer.")
            || descriptor.media_type.as_str().contains("rootfs.diff")
            || descriptor
                .media_type
                .as_str()
                .starts_with("application/vnd.buildkit.cacheconfig.");
        let role = if attestation {
            ChildRole::Attestation
        } else if blob {
            ChildRole::CacheLayer
        } else {
            ChildRole::Manifest
        };
        let platform = if role == ChildRole::Manifest {
            platform
        } else {
            None
        };
        Ok(Child {
            descriptor,
            platform,
            role,
            attests,
        })
    }
}
