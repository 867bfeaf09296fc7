//! An inventory to ask questions of: registry `gl` with repository `acme/shop`, tags `1.0` (an image) and `2.0` (an index), and a
//! signature of the image.

use std::time::Duration;

use portolan_shared::model::manifest::{ImageFacts, Manifest};
use portolan_shared::model::{
    Digest, DiscoveryMethod, DiscoveryStep, MediaType, RegistryId, RepositoryName, RepositoryOutcome,
    SensorId, StateHasher, TagObservation,
};
use portolan_store::{Content, Fence, ManifestContent, RepositoryCommit, RunClosing};
use serde_json::json;

use crate::world::World;

pub(crate) struct Shop {
    pub(crate) registry: RegistryId,
    pub(crate) sensor: SensorId,
    pub(crate) epoch: u64,
    pub(crate) run: String,
    pub(crate) image: Digest,
    pub(crate) index: Digest,
    pub(crate) signature: Digest,
    pub(crate) image_bytes: Vec<u8>,
}

impl Shop {
    /// Sensor, registry, one complete run.
    pub(crate) async fn open(world: &World) -> Self {
        let sensor = world.sensor("berlin-1").await;
        let epoch = world.session(sensor).await;
        let registry = world
            .registry("gl", "https://registry.example.com:5050", "berlin-1")
            .await;
        let fence = world.leased_run("gl", sensor, epoch).await;
        let content = contents();
        world
            .app
            .store
            .put_content(&fence, &content.items, world.app.clock.now())
            .await
            .unwrap();
        let tags = [("1.0", &content.image), ("2.0", &content.index)];
        commit(world, &fence, "acme/shop", &tags).await;
        close(world, &fence, 1, 2).await;
        Self {
            registry,
            sensor,
            epoch,
            run: fence.attempt.run.to_string(),
            image: content.image,
            index: content.index,
            signature: content.signature,
            image_bytes: content.image_bytes,
        }
    }
}

/// A commit of these tags, as listed.
pub(crate) fn commit_of(repository: &str, tags: &[(&str, &Digest)]) -> RepositoryCommit {
    let mut hasher = StateHasher::new();
    let tags: Vec<_> = tags
        .iter()
        .map(|(tag, digest)| TagObservation {
            tag: tag.parse().unwrap(),
            digest: (*digest).clone(),
            media_type: Some(MediaType::OCI_MANIFEST),
            size: 500,
            pushed_at: None,
        })
        .collect();
    for tag in &tags {
        hasher.add(&tag.tag, &tag.digest);
    }
    RepositoryCommit {
        only: None,
        repository: repository.parse::<RepositoryName>().unwrap(),
        tags,
        left_out: Vec::new(),
        state_hash: hasher.finish(),
        outcome: RepositoryOutcome::Listed,
        finding: None,
        age: Duration::ZERO,
    }
}

pub(crate) async fn commit(world: &World, fence: &Fence, repository: &str, tags: &[(&str, &Digest)]) {
    world
        .app
        .store
        .commit_repository(fence, &commit_of(repository, tags), world.app.clock.now())
        .await
        .unwrap();
}

/// What a sensor says at the end of a run in which nothing failed.
pub(crate) fn closing(found: u64, tags: u64) -> RunClosing {
    RunClosing {
        discovery: vec![DiscoveryStep {
            method: DiscoveryMethod::Catalog,
            found,
            complete: true,
            finding: None,
        }],
        discovery_complete: true,
        found,
        tags,
        ..RunClosing::default()
    }
}

pub(crate) async fn close(world: &World, fence: &Fence, found: u64, tags: u64) {
    world
        .app
        .store
        .close_run(fence, &closing(found, tags), world.app.clock.now())
        .await
        .unwrap();
}

struct Contents {
    items: Vec<Content>,
    image: Digest,
    index: Digest,
    signature: Digest,
    image_bytes: Vec<u8>,
}

fn contents() -> Contents {
    let mut items = Vec::new();
    let (image, image_bytes) = image_of(&mut items, "amd64");
    let (arm, _) = image_of(&mut items, "arm64");
    let platform = |digest: &Digest, architecture: &str| {
        json!({
            "mediaType": MediaType::OCI_MANIFEST, "digest": digest, "size": 500,
            "platform": {"os": "linux", "architecture": architecture},
        })
    };
    let index = json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX,
        "manifests": [platform(&image, "amd64"), platform(&arm, "arm64")],
    });
    let (index, _) = manifest(&mut items, &index, MediaType::OCI_INDEX);
    let signature = json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": "application/vnd.cncf.notary.signature",
        "config": {"mediaType": MediaType::OCI_EMPTY, "digest": Digest::sha256_of(b"{}"), "size": 2},
        "layers": [],
        "subject": {"mediaType": MediaType::OCI_MANIFEST, "digest": image, "size": 500},
    });
    let (signature, _) = manifest(&mut items, &signature, MediaType::OCI_MANIFEST);
    Contents {
        items,
        image,
        index,
        signature,
        image_bytes,
    }
}

fn image_of(items: &mut Vec<Content>, architecture: &str) -> (Digest, Vec<u8>) {
    let config = json!({
        "created": "2026-05-01T10:00:00Z", "os": "linux", "architecture": architecture,
        "config": {"User": "app", "Entrypoint": ["/shop"], "Env": ["TOKEN=hunter2"], "Labels": {"team": "shop"}},
        "rootfs": {"type": "layers", "diff_ids": [Digest::sha256_of(b"layer")]},
    })
    .to_string()
    .into_bytes();
    let digest = Digest::sha256_of(&config);
    items.push(Content::ImageFacts {
        digest: digest.clone(),
        size: config.len() as u64,
        json: ImageFacts::from_config(&config).unwrap().to_json(),
    });
    let image = json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
        "config": {"mediaType": MediaType::OCI_CONFIG, "digest": digest, "size": config.len()},
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": Digest::sha256_of(b"packed layer"), "size": 1_000_000,
        }],
    });
    manifest(items, &image, MediaType::OCI_MANIFEST)
}

fn manifest(items: &mut Vec<Content>, json: &serde_json::Value, media_type: MediaType) -> (Digest, Vec<u8>) {
    let bytes = json.to_string().into_bytes();
    let digest = Digest::sha256_of(&bytes);
    let read = Manifest::parse(&bytes, Some(&media_type)).unwrap();
    items.push(Content::Manifest(Box::new(ManifestContent {
        digest: digest.clone(),
        media_type,
        kind: read.kind,
        artifact_type: read.artifact_type.clone(),
        bytes: bytes.clone(),
        config: read.config.as_ref().map(|config| config.digest.clone()),
        content_size: read.content_size(),
        children: read
            .children
            .iter()
            .map(|child| (child.descriptor.digest.clone(), child.role))
            .collect(),
        subject: read.subject.map(|subject| subject.digest),
        incomplete: false,
    })));
    (digest, bytes)
}
