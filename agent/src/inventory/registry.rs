//! A registry, read by the ways of its product, as a [`Source`].

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use portolan_registry::{
    Fault, Head, Ladder, ReferrersSource, Registry, RegistryClient, RegistryError, TagList, TagPage, Wanted,
};
use portolan_shared::model::{
    CredentialFacts, Detection, Digest, DiscoveryMethod, DiscoveryStep, Finding, FindingCode, ListingStep,
    ReferenceTarget, RegistryFacts, RepositoryName, TagName,
};
use tokio::sync::OnceCell;

use super::source::{
    Discovering, Failure, FoundPage, Named, Origin, Pages, ReferrerList, ResolvedTag, ServedManifest, Source,
    SourceError,
};

/// Failures of one kind that the product is asked to explain in a run. Further ones are told as they are: mostly they have the same reason,
/// and explaining may cost requests.
const EXPLAINED: u32 = 4;

/// A registry behind its client. Which product answers is found out when it is first needed.
pub struct RegistrySource {
    client: RegistryClient,
    registry: OnceCell<Registry>,
    /// Which product a stranger would take it for.
    recognised: OnceLock<Detection>,
    credential: OnceCell<Option<CredentialFacts>>,
    /// How many failures were explained, by what they are otherwise called.
    explained: Mutex<BTreeMap<FindingCode, u32>>,
}

impl RegistrySource {
    /// Reads with this client.
    #[must_use]
    pub fn new(client: RegistryClient) -> Self {
        Self {
            client,
            registry: OnceCell::new(),
            recognised: OnceLock::new(),
            credential: OnceCell::new(),
            explained: Mutex::default(),
        }
    }

    async fn registry(&self) -> Result<&Registry, SourceError> {
        let opened = self.registry.get_or_try_init(|| async {
            let mut registry = Registry::recognise(self.client.clone()).await?;
            // Worth knowing also when the login is refused. The first recognition is the one that is told.
            let _ = self.recognised.set(registry.detection().clone());
            registry.log_in().await?;
            Ok::<_, RegistryError>(registry)
        });
        Ok(opened.await?)
    }

    /// What a failure means, in the product's words.
    async fn explain(&self, error: RegistryError) -> SourceError {
        let plain = SourceError::from(&error);
        let worth_it = match plain.failure {
            Failure::Missing | Failure::UnknownRepository | Failure::Denied => true,
            Failure::Everywhere => matches!(error.fault(), Fault::LoginRefused { .. }),
            Failure::TooLarge | Failure::Passing | Failure::Lasting => false,
        };
        let Some(registry) = self.registry.get().filter(|_| worth_it) else {
            return plain;
        };
        {
            let mut explained = self.explained.lock().unwrap_or_else(PoisonError::into_inner);
            let times = explained.entry(plain.finding.code).or_default();
            if *times >= EXPLAINED {
                return plain;
            }
            *times += 1;
        }
        SourceError {
            finding: registry.explain(&error).await,
            ..plain
        }
    }
}

impl From<&RegistryError> for SourceError {
    fn from(error: &RegistryError) -> Self {
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

impl From<RegistryError> for SourceError {
    fn from(error: RegistryError) -> Self {
        Self::from(&error)
    }
}

/// A search for repositories that begins with its first page.
struct Search<'s> {
    source: &'s RegistrySource,
    wanted: &'s Wanted,
    ladder: Option<Ladder>,
}

#[async_trait]
impl Pages<FoundPage> for Search<'_> {
    async fn next(&mut self) -> Result<Option<FoundPage>, SourceError> {
        let ladder = match &mut self.ladder {
            Some(ladder) => ladder,
            none => none.insert(self.source.registry().await?.repositories(self.wanted)),
        };
        match ladder.next_page().await {
            Ok(Some(names)) => {
                let origin = match ladder.steps().last().map(|step| step.method) {
                    Some(DiscoveryMethod::Explicit) | None => Origin::Named,
                    // It names projects: whether there are images at their roots is another matter.
                    Some(DiscoveryMethod::GitLabAssociations) => Origin::Presumed,
                    Some(_) => Origin::Listed,
                };
                Ok(Some(FoundPage { names, origin }))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(self.source.explain(error).await),
        }
    }
}

impl Discovering for Search<'_> {
    fn steps(&self) -> Vec<DiscoveryStep> {
        self.ladder
            .as_ref()
            .map_or_else(Vec::new, |ladder| ladder.steps().to_vec())
    }

    fn is_complete(&self) -> bool {
        self.ladder.as_ref().is_some_and(Ladder::is_complete)
    }
}

/// A listing of tags that begins with its first page.
struct Listing<'s> {
    source: &'s RegistrySource,
    repository: &'s RepositoryName,
    tags: Option<TagList>,
}

#[async_trait]
impl Pages<TagPage> for Listing<'_> {
    async fn next(&mut self) -> Result<Option<TagPage>, SourceError> {
        let tags = match &mut self.tags {
            Some(tags) => tags,
            none => none.insert(self.source.registry().await?.tags(self.repository)),
        };
        match tags.next_page().await {
            Ok(Some(page)) => Ok(Some(page)),
            Ok(None) => match tags.shortfall() {
                Some(finding) => Err(SourceError {
                    failure: Failure::Lasting,
                    finding,
                }),
                None => Ok(None),
            },
            Err(error) => Err(self.source.explain(error).await),
        }
    }

    fn held(&self) -> usize {
        self.tags.as_ref().map_or(0, TagList::held)
    }
}

#[async_trait]
impl Source for RegistrySource {
    async fn enter(&self) -> Result<(), SourceError> {
        let registry = self.registry().await?;
        tracing::debug!(flavour = %registry.detection().flavour, "the registry was recognised");
        Ok(())
    }

    async fn open(&self) -> Result<(), SourceError> {
        self.enter().await?;
        let registry = self.registry().await?;
        let asked = self.credential.get_or_try_init(|| registry.credential());
        if let Err(error) = asked.await {
            // Nice to know, and nothing that reading depends on.
            tracing::debug!(finding = %error.finding(), "the registry does not say what the credential is");
        }
        Ok(())
    }

    fn repositories<'s>(&'s self, wanted: &'s Wanted) -> Box<dyn Discovering + 's> {
        Box::new(Search {
            source: self,
            wanted,
            ladder: None,
        })
    }

    fn tags<'s>(&'s self, repository: &'s RepositoryName) -> Box<dyn Pages<TagPage> + 's> {
        Box::new(Listing {
            source: self,
            repository,
            tags: None,
        })
    }

    async fn resolve(&self, repository: &RepositoryName, tag: &TagName) -> Result<ResolvedTag, SourceError> {
        let target = ReferenceTarget::Tag(tag.clone());
        match self.client.head_manifest(repository, &target, None).await? {
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
        let fetched = self.client.get_manifest(repository, digest).await?;
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
        Ok(self.client.get_blob(repository, digest, bound).await?)
    }

    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Option<ReferrerList>, SourceError> {
        // The fallback tag is among the tags and read with them.
        let found = self.client.referrers(repository, subject, Some(false)).await?;
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
        self.client.counts().requests
    }

    fn listings(&self) -> Vec<ListingStep> {
        self.registry.get().map_or_else(Vec::new, Registry::listings)
    }

    fn facts(&self) -> RegistryFacts {
        RegistryFacts {
            detection: self
                .registry
                .get()
                .map(Registry::detection)
                .or(self.recognised.get())
                .cloned(),
            credential: self.credential.get().cloned().flatten(),
            certificates: self.client.certificates(),
            realm_hosts: self.client.realm_hosts(),
            storage_hosts: self.client.storage_hosts(),
        }
    }
}
