//! Whether a manifest can be read, and an image's config, wherever that is stored.

use http::HeaderValue;
use http::header::LOCATION;
use portolan_shared::model::manifest::{ChildRole, ImageFacts, Manifest};
use portolan_shared::model::{
    Digest, Finding, FindingCode, ReferenceTarget, RepositoryName, TagName, limits,
};

use super::examination::Examination;
use super::notes::Notes;
use crate::api::{Fetched, Head, fault_of};
use crate::auth::Scope;
use crate::client::{RegistryClient, Request};
use crate::error::{Fault, Subject};
use crate::http::Origin;

/// A config blob, and whether it is an image's.
pub(super) struct Config {
    repository: RepositoryName,
    digest: Digest,
    size: u64,
    of_image: bool,
}

impl Examination {
    /// Resolves a tag by HEAD and reads its manifest by digest, down to one platform's.
    pub(super) async fn manifest(&mut self, notes: &mut Notes) {
        let (Some(client), Some((repository, tags))) = (self.client.clone(), self.tags.take()) else {
            return notes.skip("there is no tag to look at");
        };
        for listed in tags {
            match self.read_tag(&client, &repository, &listed.tag, notes).await {
                Ok(manifest) => {
                    self.config = manifest
                        .config
                        .filter(|_| manifest.children.is_empty())
                        .map(|config| Config {
                            repository,
                            of_image: is_image_config(config.media_type.as_str()),
                            digest: config.digest,
                            size: config.size,
                        });
                    return;
                }
                Err(finding) => notes.find(finding),
            }
        }
        notes.fail();
    }

    async fn read_tag(
        &self,
        client: &RegistryClient,
        repository: &RepositoryName,
        tag: &TagName,
        notes: &mut Notes,
    ) -> Result<Manifest, Finding> {
        let target = ReferenceTarget::Tag(tag.clone());
        let resolved = match client.head_manifest(repository, &target, None).await {
            Ok(Head::Found(resolved)) => resolved,
            Ok(Head::Missing | Head::NotModified) => {
                return Err(self.why_missing(client, repository, &target).await);
            }
            Err(error) => return Err(self.explained(&error).await),
        };
        let media_type = resolved
            .media_type
            .as_ref()
            .map_or("no media type", |kind| kind.as_str());
        let size = resolved
            .size
            .map_or_else(String::new, |size| format!(", {size} bytes"));
        notes.see(format!("{repository}:{tag} is {}", resolved.digest));
        notes.see(format!("{media_type}{size}"));
        let mut digest = resolved.digest;
        for depth in 0..=limits::INDEX_DEPTH {
            let manifest = self.read_manifest(client, repository, &digest, depth).await?;
            let child = manifest
                .children
                .iter()
                .find(|child| child.role == ChildRole::Manifest);
            let Some(child) = child else {
                notes.see(format!("read and verified: {}", manifest.kind));
                return Ok(manifest);
            };
            let platforms: Vec<String> = manifest
                .platforms()
                .iter()
                .take(8)
                .map(ToString::to_string)
                .collect();
            notes.see(format!("an index of {}", platforms.join(", ")));
            digest = child.descriptor.digest.clone();
        }
        let seen = format!("{repository}:{tag}: indexes within indexes");
        Err(Finding::new(FindingCode::ManifestTooDeep, &seen))
    }

    async fn read_manifest(
        &self,
        client: &RegistryClient,
        repository: &RepositoryName,
        digest: &Digest,
        depth: usize,
    ) -> Result<Manifest, Finding> {
        let Fetched {
            media_type, bytes, ..
        } = match client.get_manifest(repository, digest).await {
            Ok(fetched) => fetched,
            Err(error) if depth > 0 && error.is_missing() => {
                let seen = format!("{repository}@{digest} is named by an index and not there");
                return Err(Finding::new(FindingCode::ManifestChildMissing, &seen));
            }
            Err(error) => return Err(self.explained(&error).await),
        };
        Manifest::parse(&bytes, media_type.as_ref()).map_err(|error| {
            let seen = format!("{repository}@{digest}: {error}");
            Finding::new(FindingCode::ManifestMalformed, &seen)
        })
    }

    /// The answer to a HEAD has no body, and the reason is in the body.
    async fn why_missing(
        &self,
        client: &RegistryClient,
        repository: &RepositoryName,
        target: &ReferenceTarget,
    ) -> Finding {
        match client.get_manifest_of(repository, target).await {
            Err(error) => self.explained(&error).await,
            Ok(_) => {
                let seen = format!("{repository}: a manifest answers to GET and not to HEAD");
                Finding::new(FindingCode::ManifestMissing, &seen)
            }
        }
    }

    /// Reads the config, and says where it is stored.
    pub(super) async fn config(&mut self, notes: &mut Notes) {
        let (Some(client), Some(config)) = (self.client.clone(), self.config.take()) else {
            return notes.skip("there is no config to look at");
        };
        let Config {
            repository,
            digest,
            size,
            ..
        } = &config;
        if *size > limits::CONFIG_BYTES as u64 {
            let seen = format!("{repository}: a config of {size} bytes");
            return notes.find(Finding::new(FindingCode::TooLarge, &seen));
        }
        let storage = match stored_at(&client, repository, digest).await {
            Ok(storage) => storage,
            Err(fault) => {
                let error = client.error(Subject::Blob(repository.clone(), digest.clone()), fault);
                notes.find(self.explained(&error).await);
                return notes.fail();
            }
        };
        match &storage {
            Some(storage) => notes.see(format!(
                "stored at {}:{}, which it redirects to",
                storage.host, storage.port
            )),
            None => notes.see("served by the registry itself"),
        }
        match client.get_blob(repository, digest, limits::CONFIG_BYTES).await {
            Ok(bytes) => self.read_config(&config, &bytes, notes),
            Err(error) => {
                notes.find(self.explained(&error).await);
                notes.fail();
            }
        }
        self.ending_certificates(notes);
    }

    fn read_config(&self, config: &Config, bytes: &[u8], notes: &mut Notes) {
        notes.see(format!("{} bytes, verified", bytes.len()));
        if !config.of_image {
            return notes.see("not an image's: nothing is read from it");
        }
        match ImageFacts::from_config(bytes) {
            Ok(facts) => {
                if let Some(platform) = facts.platform {
                    notes.see(format!("for {platform}"));
                }
            }
            Err(error) => {
                let seen = format!("{}@{}: {error}", config.repository, config.digest);
                notes.find(Finding::new(FindingCode::ConfigUnreadable, &seen));
                notes.fail();
            }
        }
    }
}

/// Where the registry redirects to for a blob; `None` if it serves it itself.
async fn stored_at(
    client: &RegistryClient,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<Origin>, Fault> {
    const ANY: HeaderValue = HeaderValue::from_static("*/*");
    let path = format!("{repository}/blobs/{digest}");
    let scope = Scope::Pull(repository.clone());
    let request = Request {
        follow: false,
        ..Request::get(&path, ANY, &scope, limits::CONFIG_BYTES)
    };
    let reply = client.send(request).await?;
    if reply.status.is_success() {
        return Ok(None);
    }
    if !reply.status.is_redirection() {
        return Err(fault_of(&reply));
    }
    let to = reply.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let to = to.and_then(|to| reply.url.join(to).ok());
    // What is wrong with a redirect shows when it is followed.
    Ok(to
        .as_ref()
        .and_then(Origin::of)
        .filter(|to| !to.is_of(&reply.url)))
}

fn is_image_config(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json"
    )
}
