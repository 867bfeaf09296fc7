//! What an image looks like.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portolan_shared::model::manifest::{ChildRole, Descriptor, Manifest};
use portolan_store::Referrer;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Facts;
use crate::app::{ImageShown, PlatformShown};

/// Content that a manifest points at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Descriptor)]
pub struct Blob {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
}

impl From<Descriptor> for Blob {
    fn from(descriptor: Descriptor) -> Self {
        Self {
            media_type: descriptor.media_type.to_string(),
            digest: descriptor.digest.to_string(),
            size: descriptor.size,
        }
    }
}

/// One platform of an index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Platform)]
pub struct PlatformView {
    /// `OS/ARCHITECTURE[/VARIANT]`.
    pub platform: String,
    /// Digest of its manifest.
    pub digest: String,
    /// Bytes of its layers and config; null if its manifest is not held.
    pub content_size: Option<u64>,
    /// Number of its layers; null if its manifest is not held.
    pub layers: Option<usize>,
    /// When it was made, if it says so credibly.
    pub created: Option<Timestamp>,
}

impl From<PlatformShown> for PlatformView {
    fn from(shown: PlatformShown) -> Self {
        Self {
            platform: shown.platform.to_string(),
            digest: shown.digest.to_string(),
            content_size: shown.manifest.as_ref().map(Manifest::content_size),
            layers: shown.manifest.as_ref().map(|manifest| manifest.layers.len()),
            created: shown.facts.and_then(|facts| facts.created),
        }
    }
}

/// Something that refers to a manifest: a signature, an attestation, a bill of materials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Referrer)]
pub struct ReferrerView {
    /// Its digest.
    pub digest: String,
    /// What it is.
    pub kind: String,
    /// Its artifact type.
    pub artifact_type: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// When it was first stored.
    pub first_seen_at: Timestamp,
}

impl From<Referrer> for ReferrerView {
    fn from(referrer: Referrer) -> Self {
        Self {
            digest: referrer.digest.to_string(),
            kind: referrer.kind.to_string(),
            artifact_type: referrer.artifact_type.map(|text| text.to_string()),
            size: referrer.size,
            first_seen_at: referrer.first_seen_at,
        }
    }
}

/// An image or artifact, with everything that is held of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Image {
    /// The registry's name.
    pub registry: String,
    /// The repository's name.
    pub repository: String,
    /// The tag, if it was asked for by one.
    pub tag: Option<String>,
    /// Since when the tag points here, as far as was seen.
    pub tag_since: Option<Timestamp>,
    /// When the registry says the tag was pushed.
    pub pushed_at: Option<Timestamp>,
    /// The digest that this is about; of the platform's image, if one was asked for.
    pub digest: String,
    /// Whether the manifest is held.
    pub held: bool,
    /// Why its content is not held: the code of a finding.
    pub unavailable: Option<String>,
    /// The manifest's media type, if known.
    pub media_type: Option<String>,
    /// What kind of thing it is.
    pub kind: Option<String>,
    /// Its artifact type.
    pub artifact_type: Option<String>,
    /// The manifest's size in bytes, 0 if not known.
    pub size: u64,
    /// Bytes of its layers and config; 0 for an index.
    pub content_size: u64,
    /// When it was first stored.
    pub first_seen_at: Option<Timestamp>,
    /// The platforms of an index, in its order.
    pub platforms: Vec<PlatformView>,
    /// Whether it has more platforms than are shown.
    pub platforms_cut: bool,
    /// Attestations inside an index (BuildKit); those that refer to it from outside are among `referrers`.
    pub attestations: usize,
    /// Its config.
    pub config: Option<Blob>,
    /// Its layers, bottom first.
    pub layers: Vec<Blob>,
    /// What it refers to.
    pub subject: Option<Blob>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Facts of its config.
    pub facts: Option<Facts>,
    /// What refers to it, oldest first.
    pub referrers: Vec<ReferrerView>,
    /// Whether more refers to it than is shown.
    pub referrers_cut: bool,
}

impl From<ImageShown> for Image {
    fn from(shown: ImageShown) -> Self {
        let held = shown.manifest.as_ref();
        let tag = shown.tag.as_ref();
        let parsed = shown.parsed;
        let text =
            |media_type: Option<&portolan_shared::model::MediaType>| media_type.map(ToString::to_string);
        Self {
            registry: shown.place.registry.registry.name.to_string(),
            repository: shown.place.repository.name.to_string(),
            tag: tag.map(|tag| tag.tag.to_string()),
            tag_since: tag.map(|tag| tag.since),
            pushed_at: tag.and_then(|tag| tag.pushed_at),
            digest: shown.digest.to_string(),
            held: held.is_some_and(|held| held.bytes.is_some()),
            unavailable: held
                .and_then(|held| held.unavailable)
                .map(|code| code.to_string()),
            media_type: text(held.and_then(|held| held.media_type.as_ref()))
                .or_else(|| text(tag.and_then(|tag| tag.media_type.as_ref()))),
            kind: held.and_then(|held| held.kind).map(|kind| kind.to_string()),
            artifact_type: text(held.and_then(|held| held.artifact_type.as_ref())),
            size: held
                .map(|held| held.size)
                .or(tag.map(|tag| tag.size))
                .unwrap_or_default(),
            content_size: parsed.as_ref().map_or(0, Manifest::content_size),
            first_seen_at: held.map(|held| held.first_seen_at),
            platforms: shown.platforms.into_iter().map(PlatformView::from).collect(),
            platforms_cut: shown.platforms_cut,
            attestations: parsed.as_ref().map_or(0, |manifest| {
                manifest
                    .children
                    .iter()
                    .filter(|child| child.role == ChildRole::Attestation)
                    .count()
            }),
            config: parsed
                .as_ref()
                .and_then(|manifest| manifest.config.clone())
                .map(Blob::from),
            layers: parsed
                .iter()
                .flat_map(|manifest| manifest.layers.iter().cloned().map(Blob::from))
                .collect(),
            subject: parsed
                .as_ref()
                .and_then(|manifest| manifest.subject.clone())
                .map(Blob::from),
            annotations: parsed.map(|manifest| manifest.annotations).unwrap_or_default(),
            facts: shown.facts.map(Facts::from),
            referrers: shown
                .referrers
                .items
                .into_iter()
                .map(ReferrerView::from)
                .collect(),
            referrers_cut: shown.referrers.cut,
        }
    }
}
