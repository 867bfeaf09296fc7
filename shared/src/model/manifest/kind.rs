//! What kind of thing a manifest is, by its media types and never by a guess from its name.

use super::parse::{Annotations, Child, ChildRole, Descriptor};
use crate::model::words::words;
use crate::model::{Digest, MediaType, TagName};

words! {
    /// The kinds of things that registries hold.
    ArtifactKind {
        /// A container image.
        Image = "image",
        /// An index of images or other manifests.
        Index = "index",
        /// A container image in Docker's schema 1.
        DockerSchema1 = "docker_schema1",
        /// A Docker plugin.
        DockerPlugin = "docker_plugin",
        /// A Helm chart.
        HelmChart = "helm_chart",
        /// A signature by cosign, of either form.
        CosignSignature = "cosign_signature",
        /// A signature by Notation.
        NotationSignature = "notation_signature",
        /// A software bill of materials.
        Sbom = "sbom",
        /// An in-toto attestation: provenance and the like, by BuildKit, cosign or sigstore.
        Attestation = "attestation",
        /// A BuildKit build cache.
        BuildCache = "build_cache",
        /// A WebAssembly module.
        Wasm = "wasm",
        /// Anything else; its artifact type tells more.
        Artifact = "artifact",
    }
}

impl ArtifactKind {
    /// Decides. Sources: media types registered by the projects themselves; see the image specification for the artifact type.
    #[must_use]
    pub(super) fn of(
        media_type: &MediaType,
        artifact_type: Option<&MediaType>,
        config: Option<&Descriptor>,
        layers: &[Descriptor],
        children: &[Child],
        annotations: &Annotations,
    ) -> Self {
        if *media_type == MediaType::DOCKER_SCHEMA1 || *media_type == MediaType::DOCKER_SCHEMA1_SIGNED {
            return Self::DockerSchema1;
        }
        if media_type.is_index() {
            let cache =
                !children.is_empty() && children.iter().all(|child| child.role == ChildRole::CacheLayer);
            return if cache { Self::BuildCache } else { Self::Index };
        }
        let artifact_type = artifact_type.map_or("", MediaType::as_str);
        let predicate = annotations
            .get("dev.sigstore.bundle.predicateType")
            .map_or("", String::as_str);
        if let Some(kind) = by_artifact_type(artifact_type, predicate) {
            return kind;
        }
        if let Some(kind) = layers
            .iter()
            .find_map(|layer| by_layer_type(layer.media_type.as_str()))
        {
            return kind;
        }
        match config {
            Some(config)
                if config.media_type.is_image_config() && config.media_type.as_str() == artifact_type =>
            {
                Self::Image
            }
            Some(_) | None => Self::Artifact,
        }
    }
}

fn by_artifact_type(artifact_type: &str, predicate: &str) -> Option<ArtifactKind> {
    let kind = match artifact_type {
        "application/vnd.docker.plugin.v1+json" => ArtifactKind::DockerPlugin,
        "application/vnd.cncf.helm.config.v1+json" => ArtifactKind::HelmChart,
        "application/vnd.dev.cosign.artifact.sig.v1+json" => ArtifactKind::CosignSignature,
        "application/vnd.cncf.notary.signature" => ArtifactKind::NotationSignature,
        "application/vnd.dev.cosign.artifact.sbom.v1+json"
        | "application/spdx+json"
        | "application/vnd.cyclonedx"
        | "application/vnd.cyclonedx+json"
        | "application/vnd.cyclonedx+xml"
        | "application/vnd.syft+json"
        | "text/spdx"
        | "text/spdx+json"
        | "text/spdx+xml" => ArtifactKind::Sbom,
        "application/vnd.docker.attestation.manifest.v1+json" | "application/vnd.in-toto+json" => {
            ArtifactKind::Attestation
        }
        "application/vnd.buildkit.cacheconfig.v0" => ArtifactKind::BuildCache,
        "application/vnd.wasm.config.v1+json"
        | "application/vnd.wasm.config.v0+json"
        | "application/vnd.module.wasm.config.v1+json" => ArtifactKind::Wasm,
        other if other.starts_with("application/vnd.dev.sigstore.bundle") => {
            if predicate.contains("spdx.dev") || predicate.contains("cyclonedx.org") {
                ArtifactKind::Sbom
            } else if predicate.is_empty() || predicate.contains("cosign/sign") {
                ArtifactKind::CosignSignature
            } else {
                ArtifactKind::Attestation
            }
        }
        _ => return None,
    };
    Some(kind)
}

/// Types that give an artifact away by what it contains; older tools left the config an ordinary image config.
fn by_layer_type(layer: &str) -> Option<ArtifactKind> {
    let kind = match layer {
        "application/vnd.dev.cosign.simplesigning.v1+json" => ArtifactKind::CosignSignature,
        "application/vnd.dsse.envelope.v1+json" | "application/vnd.in-toto+json" => ArtifactKind::Attestation,
        "text/spdx"
        | "text/spdx+json"
        | "text/spdx+xml"
        | "application/spdx+json"
        | "application/vnd.cyclonedx"
        | "application/vnd.cyclonedx+json"
        | "application/vnd.cyclonedx+xml"
        | "application/vnd.syft+json" => ArtifactKind::Sbom,
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip" => ArtifactKind::HelmChart,
        "application/vnd.wasm.content.layer.v1+wasm" => ArtifactKind::Wasm,
        _ => return None,
    };
    Some(kind)
}

/// The digest that a tag such as `sha256-HEX`, `sha256-HEX.sig`, `.att` or `.sbom` speaks of: the referrers tag schema of
/// distribution-spec 1.1, and cosign's older scheme. `None` for an ordinary tag.
#[must_use]
pub fn subject_of_tag(tag: &TagName) -> Option<Digest> {
    let (algorithm, rest) = tag.as_str().split_once('-')?;
    let encoded = rest
        .strip_suffix(".sig")
        .or_else(|| rest.strip_suffix(".att"))
        .or_else(|| rest.strip_suffix(".sbom"));
    match format!("{algorithm}:{}", encoded.unwrap_or(rest)).parse() {
        Ok(digest @ Digest::Sha256(_)) => Some(digest),
        Ok(Digest::Sha512(_) | Digest::Other(_)) | Err(_) => None,
    }
}
