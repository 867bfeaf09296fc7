//! A registry in memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use portolan_registry::{ListedTag, TagPage, Wanted};
use portolan_shared::model::{
    Digest, Finding, FindingCode, ListingStep, RegistryFacts, RepositoryName, TagName, limits,
};

use super::image::Blob;
use super::lists::{Listing, Search, Tags};
use crate::inventory::{
    Discovering, Failure, Named, Origin, Pages, ReferrerList, ResolvedTag, ServedManifest, Source,
    SourceError,
};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Request {
    Enter,
    Open,
    Catalog(usize),
    Tags(String, usize),
    Resolve(String, String),
    Manifest(String, Digest),
    Config(String, Digest),
    Referrers(Digest),
}

#[derive(Default)]
pub(super) struct MemoryRegistry {
    pub(super) repositories: Mutex<BTreeMap<String, BTreeMap<String, Digest>>>,
    pub(super) content: Mutex<HashMap<Digest, Blob>>,
    /// Not served in this repository.
    pub(super) absent: Mutex<HashSet<(String, Digest)>>,
    pub(super) referrers: Mutex<HashMap<Digest, Vec<Named>>>,
    pub(super) has_referrers: bool,
    /// Names of a page, 0 for all in one.
    pub(super) page: usize,
    /// Tags of an answer that are given at once, 0 for all.
    pub(super) piece: usize,
    /// What it means to be in the catalog, if not that it exists.
    pub(super) listed_as: Option<Origin>,
    /// Lists of tags say what these point to.
    pub(super) tells_digests: bool,
    /// When tags were pushed, by repository and tag.
    pub(super) pushed: Mutex<HashMap<(String, String), Timestamp>>,
    /// Names that are listed and malformed, per listing of tags.
    pub(super) malformed: u64,
    /// Tags that go, by repository, once their manifest has been asked for.
    pub(super) vanishing: Mutex<HashSet<(String, String)>>,
    pub(super) faults: Mutex<HashMap<Request, SourceError>>,
    /// Requests that get no answer as long as they are in here.
    pub(super) stalled: Mutex<HashSet<Request>>,
    /// Requests that wait for their answer, and most that did at once.
    pub(super) waiting: Mutex<(usize, usize)>,
    pub(super) log: Mutex<Vec<Request>>,
}

pub(super) fn fault(failure: Failure, code: FindingCode) -> SourceError {
    SourceError {
        failure,
        finding: Finding::new(code, "as the test wants it"),
    }
}

impl MemoryRegistry {
    pub(super) fn add(&self, blob: &Blob) {
        self.content
            .lock()
            .unwrap()
            .insert(blob.digest.clone(), blob.clone());
    }

    pub(super) fn tag(&self, repository: &str, tag: &str, blob: &Blob) {
        self.add(blob);
        self.tag_digest(repository, tag, &blob.digest);
    }

    pub(super) fn tag_digest(&self, repository: &str, tag: &str, digest: &Digest) {
        let mut repositories = self.repositories.lock().unwrap();
        let tags = repositories.entry(repository.to_owned()).or_default();
        tags.insert(tag.to_owned(), digest.clone());
    }

    /// Adds an image with its config.
    pub(super) fn image(&self, repository: &str, tag: &str, seed: &str) -> (Blob, Blob) {
        let (manifest, config) = super::image::image(seed);
        self.add(&config);
        self.tag(repository, tag, &manifest);
        (manifest, config)
    }

    pub(super) fn refer(&self, subject: &Blob, referrer: &Blob) {
        let named = Named {
            digest: referrer.digest.clone(),
            size: referrer.bytes.len() as u64,
            media_type: Some(referrer.media_type.clone()),
        };
        let mut referrers = self.referrers.lock().unwrap();
        referrers.entry(subject.digest.clone()).or_default().push(named);
    }

    pub(super) fn delete(&self, repository: &str, tag: &str) {
        let mut repositories = self.repositories.lock().unwrap();
        repositories.get_mut(repository).unwrap().remove(tag);
    }

    pub(super) fn fail(&self, request: Request, failure: Failure, code: FindingCode) {
        self.faults.lock().unwrap().insert(request, fault(failure, code));
    }

    pub(super) fn heal(&self) {
        self.faults.lock().unwrap().clear();
    }

    /// What has been asked since the last time.
    pub(super) fn take_log(&self) -> Vec<Request> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    pub(super) async fn asked(&self, request: Request) -> Result<(), SourceError> {
        let turns = {
            let mut log = self.log.lock().unwrap();
            log.push(request.clone());
            // Answers come in another order than the questions.
            log.len() % 3
        };
        {
            let mut waiting = self.waiting.lock().unwrap();
            waiting.0 += 1;
            waiting.1 = waiting.1.max(waiting.0);
        }
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        while self.stalled.lock().unwrap().contains(&request) {
            tokio::task::yield_now().await;
        }
        self.waiting.lock().unwrap().0 -= 1;
        match self.faults.lock().unwrap().get(&request) {
            Some(fault) => Err(fault.clone()),
            None => Ok(()),
        }
    }

    fn served(&self, repository: &str, digest: &Digest) -> Result<Blob, SourceError> {
        let missing = || fault(Failure::Missing, FindingCode::ManifestMissing);
        if self
            .absent
            .lock()
            .unwrap()
            .contains(&(repository.to_owned(), digest.clone()))
        {
            return Err(missing());
        }
        self.content
            .lock()
            .unwrap()
            .get(digest)
            .cloned()
            .ok_or_else(missing)
    }
}

#[async_trait]
impl Source for MemoryRegistry {
    async fn enter(&self) -> Result<(), SourceError> {
        self.asked(Request::Enter).await
    }

    async fn open(&self) -> Result<(), SourceError> {
        self.asked(Request::Open).await
    }

    fn repositories<'s>(&'s self, wanted: &'s Wanted) -> Box<dyn Discovering + 's> {
        let given = if wanted.names.is_empty() {
            wanted.patterns.explicit()
        } else {
            Some(wanted.names.clone())
        };
        let all = self.repositories.lock().unwrap();
        let names = all.keys().map(|name| name.parse().unwrap()).collect();
        let catalog = given
            .is_none()
            .then(|| Listing::new(self, Request::Catalog, Ok(names)));
        Box::new(Search::new(self, catalog, given))
    }

    fn tags<'s>(&'s self, repository: &'s RepositoryName) -> Box<dyn Pages<TagPage> + 's> {
        let repositories = self.repositories.lock().unwrap();
        let pushed = self.pushed.lock().unwrap();
        let listed = |(tag, digest): (&String, &Digest)| ListedTag {
            tag: tag.parse().unwrap(),
            digest: self.tells_digests.then(|| digest.clone()),
            media_type: None,
            pushed_at: pushed.get(&(repository.to_string(), tag.clone())).copied(),
        };
        let tags = match repositories.get(repository.as_str()) {
            Some(tags) => Ok(tags.iter().map(listed).collect()),
            None => Err(fault(Failure::Missing, FindingCode::RepositoryMissing)),
        };
        let name = repository.to_string();
        let request = move |page| Request::Tags(name.clone(), page);
        Box::new(Tags::new(Listing::new(self, request, tags)))
    }

    async fn resolve(&self, repository: &RepositoryName, tag: &TagName) -> Result<ResolvedTag, SourceError> {
        self.asked(Request::Resolve(repository.to_string(), tag.to_string()))
            .await?;
        let name = (repository.to_string(), tag.to_string());
        if self.vanishing.lock().unwrap().remove(&name) {
            let mut repositories = self.repositories.lock().unwrap();
            repositories.get_mut(&name.0).unwrap().remove(&name.1);
            return Err(fault(Failure::Missing, FindingCode::ManifestMissing));
        }
        let digest = {
            let repositories = self.repositories.lock().unwrap();
            let tags = repositories.get(repository.as_str());
            tags.and_then(|tags| tags.get(tag.as_str()).cloned())
        };
        let digest = digest.ok_or_else(|| fault(Failure::Missing, FindingCode::ManifestMissing))?;
        let content = self.content.lock().unwrap();
        Ok(match content.get(&digest) {
            Some(blob) => ResolvedTag {
                media_type: Some(blob.media_type.clone()),
                size: blob.bytes.len() as u64,
                digest,
            },
            None => ResolvedTag {
                digest,
                media_type: None,
                size: 0,
            },
        })
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<ServedManifest, SourceError> {
        self.asked(Request::Manifest(repository.to_string(), digest.clone()))
            .await?;
        let blob = self.served(repository.as_str(), digest)?;
        if blob.bytes.len() > limits::MANIFEST_BYTES {
            return Err(fault(Failure::TooLarge, FindingCode::ManifestTooLarge));
        }
        Ok(ServedManifest {
            media_type: Some(blob.media_type),
            bytes: blob.bytes,
        })
    }

    async fn config(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bound: usize,
    ) -> Result<Bytes, SourceError> {
        self.asked(Request::Config(repository.to_string(), digest.clone()))
            .await?;
        let blob = self.served(repository.as_str(), digest)?;
        if blob.bytes.len() > bound {
            return Err(fault(Failure::TooLarge, FindingCode::TooLarge));
        }
        Ok(blob.bytes)
    }

    async fn referrers(
        &self,
        _: &RepositoryName,
        subject: &Digest,
    ) -> Result<Option<ReferrerList>, SourceError> {
        self.asked(Request::Referrers(subject.clone())).await?;
        let referrers = self
            .referrers
            .lock()
            .unwrap()
            .get(subject)
            .cloned()
            .unwrap_or_default();
        Ok(self
            .has_referrers
            .then_some(ReferrerList { referrers, cut: None }))
    }

    fn listings(&self) -> Vec<ListingStep> {
        Vec::new()
    }

    fn facts(&self) -> RegistryFacts {
        RegistryFacts::default()
    }

    fn requests(&self) -> u64 {
        self.log.lock().unwrap().len() as u64
    }
}
