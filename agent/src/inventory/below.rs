//! What a manifest makes the walk look at next. Pure.

use std::collections::HashSet;

use portolan_shared::model::manifest::{ChildRole, Descriptor, Manifest};
use portolan_shared::model::{Digest, MediaType};

use super::source::Named;

/// Another manifest that is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Below {
    pub(super) named: Named,
    pub(super) role: ChildRole,
}

impl Below {
    pub(super) fn manifest(named: Named) -> Self {
        Self {
            named,
            role: ChildRole::Manifest,
        }
    }
}

/// The children of an index that are manifests, each once. Layers of a build cache are blobs, and left where they are.
pub(super) fn children(manifest: &mut Manifest) -> Vec<Below> {
    let mut seen = HashSet::new();
    std::mem::take(&mut manifest.children)
        .into_iter()
        .filter(|child| child.role != ChildRole::CacheLayer)
        .filter(|child| seen.insert(child.descriptor.digest.clone()))
        .map(|child| Below {
            named: Named {
                digest: child.descriptor.digest,
                size: child.descriptor.size,
                media_type: Some(child.descriptor.media_type),
            },
            role: child.role,
        })
        .collect()
}

/// The config that image facts are to be read from. That of an attestation is a dummy, that of anything but an image may be anything.
pub(super) fn image_config(manifest: &Manifest, role: ChildRole) -> Option<&Descriptor> {
    manifest
        .config
        .as_ref()
        .filter(|config| role == ChildRole::Manifest && config.media_type.is_image_config())
}

/// Whether content of this digest could be verified if it were fetched.
pub(super) fn is_verifiable(digest: &Digest) -> bool {
    match digest {
        Digest::Sha256(_) | Digest::Sha512(_) => true,
        Digest::Other(_) => false,
    }
}

/// The same media type, without memory of its own if it is one of the common ones: there is one for every tag.
pub(super) fn interned(media_type: MediaType) -> MediaType {
    MediaType::MANIFESTS
        .into_iter()
        .find(|known| *known == media_type)
        .unwrap_or(media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Manifest {
        Manifest::parse(json.as_bytes(), None).unwrap()
    }

    #[test]
    fn children_are_manifests_each_once() {
        let child = |media_type: &str, n: u8, more: &str| {
            format!(r#"{{"mediaType":"{media_type}","digest":"sha256:{n:064x}","size":7{more}}}"#)
        };
        let image = "application/vnd.oci.image.manifest.v1+json";
        let attestation = r#","annotations":{"vnd.docker.reference.type":"attestation-manifest"}"#;
        let children = children(&mut parse(&format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{},{},{},{}]}}"#,
            child(image, 1, ""),
            child(image, 1, ""),
            child(image, 2, attestation),
            child("application/vnd.oci.image.layer.v1.tar+gzip", 3, ""),
        )));
        let seen: Vec<(ChildRole, u64)> = children
            .iter()
            .map(|below| (below.role, below.named.size))
            .collect();
        assert_eq!(seen, [(ChildRole::Manifest, 7), (ChildRole::Attestation, 7)]);
    }

    #[test]
    fn only_images_have_a_config_worth_reading() {
        let manifest = |config: &str| {
            parse(&format!(
                r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[],
                    "config":{{"mediaType":"{config}","digest":"sha256:{:064x}","size":2}}}}"#,
                1
            ))
        };
        let image = manifest("application/vnd.oci.image.config.v1+json");
        assert!(image_config(&image, ChildRole::Manifest).is_some());
        assert!(image_config(&image, ChildRole::Attestation).is_none());
        for other in [
            "application/vnd.cncf.helm.config.v1+json",
            "application/vnd.oci.empty.v1+json",
        ] {
            assert!(
                image_config(&manifest(other), ChildRole::Manifest).is_none(),
                "{other}"
            );
        }
    }

    #[test]
    fn interning_changes_nothing() {
        for text in ["application/vnd.oci.image.index.v1+json", "application/x"] {
            let media_type: MediaType = text.parse().unwrap();
            assert_eq!(interned(media_type.clone()), media_type);
        }
    }
}
