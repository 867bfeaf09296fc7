//! The registry client as a [`Source`].

use std::str::FromStr;

use async_trait::async_trait;
use bytes::Bytes;
use portolan_registry::{Fault, Head, ReferrersSource, RegistryClient, RegistryError, Walk};
use portolan_shared::model::{Digest, Finding, FindingCode, ReferenceTarget, RepositoryName, TagName};

use super::source::{
    Failure, NamePage, Named, Pages, ReferrerList, ResolvedTag, ServedManifest, Source, SourceError,
};

/// A registry behind the registry client.
#[derive(Debug, Clone)]
pub struct RegistrySource(RegistryClient);

impl RegistrySource {
    /// Reads with this client.
    #[must_use]
    pub fn new(client: RegistryClient) -> Self {
        Self(client)
    }
}

impl From<RegistryError> for SourceError {
    fn from(error: RegistryError) -> Self {
        let failure = match error.fault() {
            _ if error.concerns_whole_registry() => Failure::Everywhere,
            _ if error.is_unknown_repository() => Failure::UnknownRepository,
            _ if error.is_missing() => Failure::Missing,
            _ if error.is_denied() => Failure::Denied,
            Fault::TooLarge { .. } => Failure::TooLarge,
            _ if error.is_transient() => Failure::Passing,
            _ => Failure::Lasting,
        };
        Self {
            failure,
            finding: error.finding(),
        }
    }
}

/// A listing of the client.
struct Listing<N> {
    walk: Walk<N>,
    malformed: u64,
}

impl<N: FromStr> Listing<N> {
    fn new(walk: Walk<N>) -> Self {
        Self { walk, malformed: 0 }
    }
}

#[async_trait]
impl<N: FromStr + Send + Sync> Pages<N> for Listing<N> {
    async fn next(&mut self) -> Result<Option<NamePage<N>>, SourceError> {
        let page = self.walk.next_page().await?;
        let malformed = self.walk.malformed() - self.malformed;
        self.malformed += malformed;
        match (page, self.walk.shortfall()) {
            (Some(page), _) => Ok(Some(NamePage {
                names: page.items,
                malformed,
            })),
            // Pages of nothing but malformed names are not given by the client.
            (None, _) if malformed > 0 => Ok(Some(NamePage {
                names: Vec::new(),
                malformed,
            })),
            (None, Some(finding)) => Err(SourceError {
                failure: Failure::Lasting,
                finding,
            }),
            (None, None) => Ok(None),
        }
    }
}

#[async_trait]
impl Source for RegistrySource {
    async fn ping(&self) -> Result<(), SourceError> {
        self.0.ping().await?;
        Ok(())
    }

    fn repositories(&self) -> Box<dyn Pages<RepositoryName> + '_> {
        Box::new(Listing::new(self.0.catalog()))
    }

    fn tags<'s>(&'s self, repository: &'s RepositoryName) -> Box<dyn Pages<TagName> + 's> {
        Box::new(Listing::new(self.0.tags(repository)))
    }

    async fn resolve(&self, repository: &RepositoryName, tag: &TagName) -> Result<ResolvedTag, SourceError> {
        let target = ReferenceTarget::Tag(tag.clone());
        match self.0.head_manifest(repository, &target, None).await? {
            Head::Found(resolved) => Ok(ResolvedTag {
                digest: resolved.digest,
                media_type: resolved.media_type,
                size: resolved.size.unwrap_or(0),
            }),
            Head::Missing | Head::NotModified => {
                let seen = format!("{repository}:{tag} is gone");
                Err(SourceError {
                    failure: Failure::Missing,
                    finding: Finding::new(FindingCode::ManifestMissing, &seen),
                })
            }
        }
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<ServedManifest, SourceError> {
        let fetched = self.0.get_manifest(repository, digest).await?;
        Ok(ServedManifest {
            media_type: fetched.media_type,
            bytes: fetched.bytes,
        })
    }

    async fn config(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bound: usize,
    ) -> Result<Bytes, SourceError> {
        Ok(self.0.get_blob(repository, digest, bound).await?)
    }

    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Option<ReferrerList>, SourceError> {
        // The fallback tag is among the tags and read with them.
        let found = self.0.referrers(repository, subject, Some(false)).await?;
        if found.source != ReferrersSource::Api {
            return Ok(None);
        }
        let cut = (!found.complete).then(|| {
            let seen = format!("{repository}: not all referrers of {subject} were listed");
            Finding::new(FindingCode::ListingIncomplete, &seen)
        });
        let referrers = found
            .referrers
            .into_iter()
            .map(|referrer| Named {
                digest: referrer.digest,
                size: referrer.size,
                media_type: referrer.media_type,
            })
            .collect();
        Ok(Some(ReferrerList { referrers, cut }))
    }

    fn requests(&self) -> u64 {
        self.0.counts().requests
    }
}
