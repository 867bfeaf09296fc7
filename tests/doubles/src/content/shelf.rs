//! One repository, being filled.

use portolan_shared::model::{Digest, MediaType, RepositoryName, TagName};
use serde_json::{Value, json};

use super::image::{Image, created, descriptor, draw};
use super::store::Content;

/// Whether and how the children of an index are attested by BuildKit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attested {
    /// Not at all.
    No,
    /// As up to BuildKit 0.14: a manifest with a dummy image config whose platform is unknown.
    WithImageConfig,
    /// As from then on with OCI media types: an artifact with an empty config and a subject, visible as a referrer too.
    AsArtifact,
}

/// One repository of some content, to be filled or changed.
#[derive(Debug)]
pub struct Shelf<'a> {
    pub(super) content: &'a mut Content,
    pub(super) name: RepositoryName,
}

impl Shelf<'_> {
    /// Stores a blob.
    pub fn blob(&mut self, bytes: impl Into<bytes::Bytes>) -> Digest {
        self.content.put_blob(&self.name, bytes.into())
    }

    /// Stores a manifest, serialised.
    pub fn manifest(&mut self, media_type: &MediaType, manifest: &Value) -> Digest {
        self.raw_manifest(media_type, manifest.to_string())
    }

    /// Stores a manifest as it is, sound or not.
    pub fn raw_manifest(&mut self, media_type: &MediaType, bytes: impl Into<bytes::Bytes>) -> Digest {
        self.content.put_manifest(&self.name, media_type, bytes.into())
    }

    /// Points a tag to a digest, new or moved.
    ///
    /// # Panics
    /// When `tag` is not a tag.
    pub fn tag(&mut self, tag: &str, digest: &Digest) -> &mut Self {
        let name: TagName = tag.parse().expect("the test's tag is well formed");
        let before = self.content.at(&self.name).tags.insert(name, digest.clone());
        if before.is_some_and(|before| before != *digest) {
            self.moved(tag);
        }
        self
    }

    /// Deletes a tag; what it pointed to stays, as in every registry before its garbage collection.
    pub fn untag(&mut self, tag: &str) -> &mut Self {
        let here = self.content.at(&self.name);
        here.tags.remove(tag);
        here.pushed.remove(tag);
        self
    }

    /// Makes a manifest vanish from the repository, its tags and parents staying: a registry that lost content.
    pub fn lose(&mut self, digest: &Digest) -> &mut Self {
        self.content.at(&self.name).manifests.remove(digest);
        self.content.at(&self.name).blobs.remove(digest);
        self
    }

    /// Copies what `tag` of repository `from` points to, with everything below it, under the same tag: a mirror.
    pub fn mirror(&mut self, from: &str, tag: &str) -> &mut Self {
        let source = self.content.repository(from).cloned().unwrap_or_default();
        if let Some(digest) = source.tags.get(tag) {
            let here = self.content.at(&self.name);
            // Whole sets: what is below one tag cannot be told from what is below another without reading manifests.
            here.manifests.extend(source.manifests.iter().cloned());
            here.blobs.extend(source.blobs.iter().cloned());
            self.tag(tag, digest);
        }
        self
    }

    /// An image.
    pub fn image(&mut self, image: &Image) -> Digest {
        let config = image.config();
        let manifest = image.manifest(&config);
        self.blob(config);
        self.manifest(&image.media_type(), &manifest)
    }

    /// An index over one image per platform (`os/architecture[/variant]`), made from `image`; attested or not.
    pub fn multi_arch(&mut self, image: &Image, platforms: &[&str], attested: Attested) -> Digest {
        let images: Vec<Image> = platforms
            .iter()
            .map(|platform| image.clone().platform(platform))
            .collect();
        let mut children = Vec::new();
        let mut attestations = Vec::new();
        for image in &images {
            let digest = self.image(image);
            let mut child = self.describe(&digest);
            child["platform"] = image.platform_json();
            children.push(child);
            if attested != Attested::No {
                attestations.push(self.attestation_child(image, &digest, attested));
            }
        }
        children.extend(attestations);
        let media_type = if image.docker {
            MediaType::DOCKER_LIST
        } else {
            MediaType::OCI_INDEX
        };
        self.index_of(&media_type, &children)
    }

    /// An index over manifests that are here already, in order: nested, if one of them is an index itself.
    pub fn index(&mut self, children: &[Digest]) -> Digest {
        let children: Vec<_> = children.iter().map(|digest| self.describe(digest)).collect();
        self.index_of(&MediaType::OCI_INDEX, &children)
    }

    /// An index over these descriptors, true or not.
    pub fn index_of(&mut self, media_type: &MediaType, children: &[Value]) -> Digest {
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": children});
        self.manifest(media_type, &index)
    }

    /// The descriptor of a manifest that is here; one with size 0 for any other digest.
    #[must_use]
    pub fn describe(&self, digest: &Digest) -> Value {
        match self.content.manifests().get(digest) {
            Some(stored) => {
                let mut descriptor =
                    json!({"mediaType": stored.media_type, "digest": digest, "size": stored.bytes.len()});
                if let Some(artifact_type) = stored
                    .artifact_type
                    .as_deref()
                    .filter(|_| stored.subject.is_some())
                {
                    descriptor["artifactType"] = json!(artifact_type);
                }
                descriptor
            }
            None => json!({"mediaType": MediaType::OCI_MANIFEST, "digest": digest, "size": 0}),
        }
    }

    fn attestation_child(&mut self, image: &Image, subject: &Digest, form: Attested) -> Value {
        let statement = |predicate: &str| {
            let mut layer = descriptor("application/vnd.in-toto+json", &format!("{predicate}/{subject}"));
            layer["annotations"] = json!({"in-toto.io/predicate-type": predicate});
            layer
        };
        let layers = [
            statement("https://spdx.dev/Document"),
            statement("https://slsa.dev/provenance/v0.2"),
        ];
        let mut manifest =
            json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "layers": layers});
        if form == Attested::AsArtifact {
            manifest["artifactType"] = json!("application/vnd.docker.attestation.manifest.v1+json");
            manifest["config"] = empty_descriptor();
            manifest["subject"] = self.describe(subject);
            self.blob("{}");
        } else {
            let config = json!({
                "os": "unknown",
                "architecture": "unknown",
                "created": created(draw(&image.seed)),
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [Digest::sha256_of(b"spdx"), Digest::sha256_of(b"slsa")]},
            });
            let config = config.to_string();
            let digest = Digest::sha256_of(config.as_bytes());
            manifest["config"] =
                json!({"mediaType": MediaType::OCI_CONFIG, "digest": digest, "size": config.len()});
            self.blob(config);
        }
        let digest = self.manifest(&MediaType::OCI_MANIFEST, &manifest);
        let mut child = self.describe(&digest);
        child["platform"] = json!({"os": "unknown", "architecture": "unknown"});
        child["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": subject,
        });
        child
    }
}

/// The empty descriptor of image-spec 1.1.
pub(super) fn empty_descriptor() -> Value {
    json!({"mediaType": MediaType::OCI_EMPTY, "digest": Digest::sha256_of(b"{}"), "size": 2, "data": "e30="})
}
