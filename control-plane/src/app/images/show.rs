//! One image or artifact, with everything that is held of it.

use portolan_shared::model::manifest::{ImageFacts, Manifest};
use portolan_shared::model::{Digest, ImageReference, MediaType, Platform, ReferenceTarget};
use portolan_store::{ManifestSummary, Referrers, Role, TagRecord};

use super::RepositoryFound;
use crate::app::{App, AppError, Caller};

/// What an index says of one of its platforms, with what is held of the image behind it.
#[derive(Debug, Clone)]
pub struct PlatformShown {
    /// What it runs on.
    pub platform: Platform,
    /// Digest of its manifest.
    pub digest: Digest,
    /// Its manifest, read, if that is held.
    pub manifest: Option<Manifest>,
    /// Facts of its config, if they are held.
    pub facts: Option<ImageFacts>,
}

/// An image or artifact.
#[derive(Debug, Clone)]
pub struct ImageShown {
    /// Where it was asked for.
    pub place: RepositoryFound,
    /// The tag that was asked for, if it was one.
    pub tag: Option<TagRecord>,
    /// The digest that this is about: what the tag points to, or what was asked for, or the chosen platform's.
    pub digest: Digest,
    /// What is held of the manifest; none if the tag is known but its content was never had.
    pub manifest: Option<ManifestSummary>,
    /// The manifest, read; none if its bytes are not held or cannot be read.
    pub parsed: Option<Manifest>,
    /// The platforms of an index, in its order, at most 100.
    pub platforms: Vec<PlatformShown>,
    /// Whether the index has more platforms than are shown.
    pub platforms_cut: bool,
    /// Facts of the image's config, if it has one and they are held.
    pub facts: Option<ImageFacts>,
    /// What refers to it, oldest first, and whether there is more.
    pub referrers: Referrers,
}

/// A manifest as the registry served it.
#[derive(Debug, Clone)]
pub struct ManifestBytes {
    /// Its digest: the bytes hash to it.
    pub digest: Digest,
    /// Its media type.
    pub media_type: Option<MediaType>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl App {
    /// The image or artifact that a reference means; of an index, the image for one platform if that is given.
    ///
    /// A digest names content, not a place: `PATH@DIGEST` shows what the tenant holds under that digest, also if no tag of the repository
    /// points to it any more.
    pub async fn image(
        &self,
        caller: &Caller,
        reference: &str,
        platform: Option<&str>,
    ) -> Result<ImageShown, AppError> {
        caller.require(Role::Viewer)?;
        let (place, tag, mut digest) = self.locate(caller, reference).await?;
        let (mut manifest, mut parsed) = self.held(caller, &digest).await?;
        if let Some(platform) = platform {
            digest = child_for(parsed.as_ref(), platform)?;
            (manifest, parsed) = self.held(caller, &digest).await?;
        }
        if tag.is_none() && manifest.is_none() {
            return Err(AppError::not_found("image", reference));
        }
        let (platforms, platforms_cut) = self.platforms_of(caller, parsed.as_ref()).await?;
        let facts = self.facts_of(caller, parsed.as_ref()).await?;
        let referrers = self.store.referrers(caller.tenant, &digest).await?;
        Ok(ImageShown {
            place,
            tag,
            digest,
            manifest,
            parsed,
            platforms,
            platforms_cut,
            facts,
            referrers,
        })
    }

    /// The exact bytes of the manifest that a reference means.
    ///
    /// # Errors
    /// [`AppError::ContentUnavailable`] if the digest is known but its bytes are not held.
    pub async fn manifest_bytes(
        &self,
        caller: &Caller,
        reference: &str,
        platform: Option<&str>,
    ) -> Result<ManifestBytes, AppError> {
        caller.require(Role::Viewer)?;
        let (_, tag, mut digest) = self.locate(caller, reference).await?;
        if let Some(platform) = platform {
            digest = child_for(self.held(caller, &digest).await?.1.as_ref(), platform)?;
        }
        let unavailable = |why: &str| AppError::ContentUnavailable {
            digest: digest.to_string(),
            why: why.to_owned(),
        };
        match self.store.manifest(caller.tenant, &digest).await? {
            Some(ManifestSummary {
                bytes: Some(bytes),
                media_type,
                ..
            }) => Ok(ManifestBytes {
                digest,
                media_type,
                bytes,
            }),
            Some(held) => Err(unavailable(
                held.unavailable.map_or("not fetched yet", |code| code.as_str()),
            )),
            None if tag.is_some() || platform.is_some() => Err(unavailable("not fetched yet")),
            None => Err(AppError::not_found("image", reference)),
        }
    }

    async fn locate(
        &self,
        caller: &Caller,
        reference: &str,
    ) -> Result<(RepositoryFound, Option<TagRecord>, Digest), AppError> {
        let read: ImageReference = reference
            .parse()
            .map_err(|error| AppError::invalid("reference", error))?;
        let place = self.resolve(caller, None, &read.path).await?;
        match read.target {
            ReferenceTarget::Digest(digest) => Ok((place, None, digest)),
            ReferenceTarget::Tag(tag) => {
                let repository = &place.repository;
                let record = self
                    .store
                    .tag(caller.tenant, repository.registry, &repository.name, &tag)
                    .await?
                    .ok_or_else(|| AppError::not_found("tag", format!("{}:{tag}", read.path)))?;
                let digest = record.digest.clone();
                Ok((place, Some(record), digest))
            }
        }
    }

    /// What is held of a manifest, and the manifest read.
    pub(super) async fn held(
        &self,
        caller: &Caller,
        digest: &Digest,
    ) -> Result<(Option<ManifestSummary>, Option<Manifest>), AppError> {
        let summary = self.store.manifest(caller.tenant, digest).await?;
        // What cannot be read was recorded as malformed when it came; its bytes are still there to be had raw.
        let parsed = summary
            .as_ref()
            .and_then(|held| Manifest::parse(held.bytes.as_deref()?, held.media_type.as_ref()).ok());
        Ok((summary, parsed))
    }

    pub(super) async fn facts_of(
        &self,
        caller: &Caller,
        manifest: Option<&Manifest>,
    ) -> Result<Option<ImageFacts>, AppError> {
        let Some(config) = manifest.and_then(|manifest| manifest.config.as_ref()) else {
            return Ok(None);
        };
        if !config.media_type.is_image_config() {
            return Ok(None);
        }
        let Some(json) = self.store.image_facts(caller.tenant, &config.digest).await? else {
            return Ok(None);
        };
        serde_json::from_slice(&json)
            .map(Some)
            .map_err(|error| AppError::Internal(Box::new(error)))
    }
}

fn child_for(index: Option<&Manifest>, platform: &str) -> Result<Digest, AppError> {
    let wanted = super::platforms::read_platform(platform)?;
    index
        .and_then(|index| {
            index.children.iter().find(|child| {
                child
                    .platform
                    .as_ref()
                    .is_some_and(|has| super::platforms::answers(has, &wanted))
            })
        })
        .map(|child| child.descriptor.digest.clone())
        .ok_or_else(|| AppError::not_found("platform", platform))
}
