//! Manifests of every kind, made by hand.

use bytes::Bytes;
use portolan_shared::model::{Digest, MediaType};
use serde_json::{Value, json};

/// A manifest or blob.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    pub(super) digest: Digest,
    pub(super) media_type: MediaType,
    pub(super) bytes: Bytes,
}

impl Blob {
    pub(super) fn new(media_type: &str, bytes: Vec<u8>) -> Self {
        Self {
            digest: Digest::sha256_of(&bytes),
            media_type: media_type.parse().unwrap(),
            bytes: bytes.into(),
        }
    }

    fn json(media_type: &str, content: &Value) -> Self {
        Self::new(media_type, serde_json::to_vec(content).unwrap())
    }

    pub(super) fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

pub(super) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A config blob of its own for each `seed`.
pub(super) fn config(seed: &str) -> Blob {
    Blob::json(
        OCI_CONFIG,
        &json!({"os": "linux", "architecture": "amd64", "author": seed}),
    )
}

/// A manifest over a config, with one layer that is nowhere; `seed` tells it from others.
pub(super) fn manifest(config: &Blob, layer_type: &str, seed: &str) -> Blob {
    let layer = Digest::sha256_of(seed.as_bytes());
    Blob::json(
        OCI_MANIFEST,
        &json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config.descriptor(),
            "layers": [{"mediaType": layer_type, "digest": layer, "size": 1000}],
            "annotations": {"seed": seed},
        }),
    )
}

/// An image and its config.
pub(super) fn image(seed: &str) -> (Blob, Blob) {
    let config = config(seed);
    (
        manifest(&config, "application/vnd.oci.image.layer.v1.tar+gzip", seed),
        config,
    )
}

/// An index of anything.
pub(super) fn index(children: &[&Blob], seed: &str) -> Blob {
    index_of(
        &children
            .iter()
            .map(|child| child.descriptor())
            .collect::<Vec<_>>(),
        seed,
    )
}

/// An index of these descriptors.
pub(super) fn index_of(descriptors: &[Value], seed: &str) -> Blob {
    Blob::json(
        OCI_INDEX,
        &json!({
            "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors, "annotations": {"seed": seed},
        }),
    )
}

/// The descriptor of a BuildKit attestation within an index.
pub(super) fn attestation_entry(attestation: &Blob, about: &Blob) -> Value {
    let mut entry = attestation.descriptor();
    entry["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    entry["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": about.digest,
    });
    entry
}

/// Something that refers to a manifest.
pub(super) fn referrer(subject: &Blob, seed: &str) -> Blob {
    Blob::json(
        OCI_MANIFEST,
        &json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": "application/spdx+json",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::sha256_of(b"{}"), "size": 2},
            "layers": [],
            "subject": subject.descriptor(),
            "annotations": {"seed": seed},
        }),
    )
}

/// A schema 1 manifest.
pub(super) fn schema1() -> Blob {
    Blob::json(
        "application/vnd.docker.distribution.manifest.v1+json",
        &json!({
            "schemaVersion": 1, "name": "a", "tag": "b", "architecture": "amd64",
            "fsLayers": [{"blobSum": Digest::sha256_of(b"layer")}],
            "history": [{"v1Compatibility": "{\"os\":\"linux\"}"}],
        }),
    )
}
