//! The content itself.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use portolan_shared::model::{Digest, MediaType, RepositoryName, TagName};
use serde_json::{Map, Value, json};

use super::facts::ManifestFacts;
use super::pushed::Pushed;
use super::shelf::Shelf;

/// A manifest with what the referrers API needs to know of it.
#[derive(Debug, Clone)]
pub struct StoredManifest {
    /// What it is served as.
    pub media_type: MediaType,
    /// Its bytes.
    pub bytes: Bytes,
    /// What it refers to.
    pub subject: Option<Digest>,
    /// Its artifact type, else its config's media type.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: Map<String, Value>,
    /// What a registry with a database knows of it without reading it again.
    pub(crate) facts: ManifestFacts,
}

/// One repository.
#[derive(Debug, Clone, Default)]
pub struct Repository {
    pub(super) tags: BTreeMap<TagName, Digest>,
    pub(super) manifests: BTreeSet<Digest>,
    pub(super) blobs: BTreeSet<Digest>,
    pub(super) pushed: BTreeMap<TagName, Pushed>,
}

impl Repository {
    /// When a tag was pushed: what was set, else when everything was.
    #[must_use]
    pub fn pushed(&self, tag: &str) -> Pushed {
        self.pushed.get(tag).copied().unwrap_or_default()
    }

    /// Its tags, in order.
    #[must_use]
    pub fn tags(&self) -> &BTreeMap<TagName, Digest> {
        &self.tags
    }

    /// Every manifest in it, tagged or not.
    #[must_use]
    pub fn manifests(&self) -> &BTreeSet<Digest> {
        &self.manifests
    }

    /// Every blob that it holds, which leaves out layers.
    #[must_use]
    pub fn blobs(&self) -> &BTreeSet<Digest> {
        &self.blobs
    }
}

/// What a registry holds.
#[derive(Debug, Clone, Default)]
pub struct Content {
    repositories: BTreeMap<RepositoryName, Repository>,
    manifests: BTreeMap<Digest, StoredManifest>,
    blobs: BTreeMap<Digest, Bytes>,
}

impl Content {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A repository to fill or change; made if it does not exist.
    ///
    /// # Panics
    /// When `name` is not a repository name.
    pub fn shelf(&mut self, name: &str) -> Shelf<'_> {
        let name: RepositoryName = name.parse().expect("the test's repository name is well formed");
        self.repositories.entry(name.clone()).or_default();
        Shelf { content: self, name }
    }

    /// The repositories, in order.
    #[must_use]
    pub fn repositories(&self) -> &BTreeMap<RepositoryName, Repository> {
        &self.repositories
    }

    /// A repository.
    #[must_use]
    pub fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories.get(name)
    }

    /// What a tag points to.
    #[must_use]
    pub fn resolve(&self, repository: &str, tag: &str) -> Option<&Digest> {
        self.repository(repository)?.tags.get(tag)
    }

    /// Every manifest, whichever repositories it is in.
    #[must_use]
    pub fn manifests(&self) -> &BTreeMap<Digest, StoredManifest> {
        &self.manifests
    }

    /// Every blob, whichever repositories it is in.
    #[must_use]
    pub fn blobs(&self) -> &BTreeMap<Digest, Bytes> {
        &self.blobs
    }

    /// How many tags there are in all.
    #[must_use]
    pub fn tag_count(&self) -> usize {
        self.repositories
            .values()
            .map(|repository| repository.tags.len())
            .sum()
    }

    /// Every (repository, tag) and its digest: what an inventory must come to.
    #[must_use]
    pub fn expected(&self) -> BTreeMap<(String, String), Digest> {
        let tags = |(name, repository): (&RepositoryName, &Repository)| {
            let name = name.to_string();
            let row = |(tag, digest): (&TagName, &Digest)| ((name.clone(), tag.to_string()), digest.clone());
            repository.tags.iter().map(row).collect::<Vec<_>>()
        };
        self.repositories.iter().flat_map(tags).collect()
    }

    /// The fake secrets hidden in the config blobs: texts that may appear nowhere outside the registry and the agent's memory.
    #[must_use]
    pub fn canaries(&self) -> BTreeSet<String> {
        let word = |text: &str| {
            text.split(|c: char| !c.is_ascii_alphanumeric())
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let in_blob = |blob: &Bytes| {
            let text = String::from_utf8_lossy(blob).into_owned();
            text.split(super::CANARY)
                .skip(1)
                .map(|rest| format!("{}{}", super::CANARY, word(rest)))
                .collect::<Vec<_>>()
        };
        self.blobs.values().flat_map(in_blob).collect()
    }

    /// Removes a repository with all its tags.
    pub fn remove_repository(&mut self, name: &str) {
        self.repositories.remove(name);
    }

    /// Whether `repository` holds the manifest `digest`.
    #[must_use]
    pub fn manifest_in(&self, repository: &str, digest: &Digest) -> Option<&StoredManifest> {
        self.repository(repository)?.manifests.get(digest)?;
        self.manifests.get(digest)
    }

    /// A blob of `repository`.
    #[must_use]
    pub fn blob_in(&self, repository: &str, digest: &Digest) -> Option<&Bytes> {
        self.repository(repository)?.blobs.get(digest)?;
        self.blobs.get(digest)
    }

    /// Descriptors of the manifests in `repository` that refer to `subject`, as the referrers API lists them.
    #[must_use]
    pub fn referrers(&self, repository: &str, subject: &Digest) -> Vec<Value> {
        let Some(repository) = self.repository(repository) else {
            return Vec::new();
        };
        let all = repository
            .manifests
            .iter()
            .filter_map(|digest| Some((digest, self.manifests.get(digest)?)));
        all.filter(|(_, manifest)| manifest.subject.as_ref() == Some(subject))
            .map(|(digest, manifest)| {
                let mut descriptor = json!({
                    "mediaType": manifest.media_type,
                    "digest": digest,
                    "size": manifest.bytes.len(),
                });
                if let Some(artifact_type) = &manifest.artifact_type {
                    descriptor["artifactType"] = json!(artifact_type);
                }
                if !manifest.annotations.is_empty() {
                    descriptor["annotations"] = Value::Object(manifest.annotations.clone());
                }
                descriptor
            })
            .collect()
    }

    pub(super) fn put_blob(&mut self, repository: &RepositoryName, bytes: Bytes) -> Digest {
        let digest = Digest::sha256_of(&bytes);
        self.blobs.entry(digest.clone()).or_insert(bytes);
        self.at(repository).blobs.insert(digest.clone());
        digest
    }

    pub(super) fn put_manifest(
        &mut self,
        repository: &RepositoryName,
        media_type: &MediaType,
        bytes: Bytes,
    ) -> Digest {
        let digest = Digest::sha256_of(&bytes);
        self.at(repository).manifests.insert(digest.clone());
        self.manifests
            .entry(digest.clone())
            .or_insert_with(|| StoredManifest::read(media_type.clone(), bytes));
        digest
    }

    pub(super) fn at(&mut self, repository: &RepositoryName) -> &mut Repository {
        self.repositories.entry(repository.clone()).or_default()
    }
}

impl StoredManifest {
    fn read(media_type: MediaType, bytes: Bytes) -> Self {
        // Hostile manifests may be no JSON at all; then they refer to nothing.
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            subject: value["subject"]["digest"]
                .as_str()
                .and_then(|digest| digest.parse().ok()),
            artifact_type: text(&value["artifactType"]).or_else(|| text(&value["config"]["mediaType"])),
            annotations: value["annotations"].as_object().cloned().unwrap_or_default(),
            facts: ManifestFacts::read(&value, bytes.len()),
            media_type,
            bytes,
        }
    }
}
