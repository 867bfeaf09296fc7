//! A control plane in memory, with the rules of the real one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use portolan_shared::model::manifest::{ArtifactKind, ChildRole, Manifest};
use portolan_shared::model::{
    ContentKind, CoverageEntry, Digest, FindingCode, Reason, RepositoryName, RepositoryOutcome, RunState,
    StateHash, TagObservation, limits,
};
use portolan_shared::process::Uptime;

pub(crate) use super::stored::Stored;
use crate::inventory::{Closing, ContentItem, ListedRepository, RepositoryTags, Upload, UploadError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) tags: BTreeMap<String, Digest>,
    /// Of all its tags, if that is known.
    pub(crate) hash: Option<StateHash>,
    pub(crate) outcome: RepositoryOutcome,
    pub(crate) finding: Option<FindingCode>,
    pub(crate) left_out: Vec<String>,
    /// The tags that the last commit was about, if not all.
    pub(crate) only: Vec<String>,
    /// Nothing about it is to be looked at again before it changes.
    settled: bool,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) manifests: HashMap<Digest, Stored>,
    pub(crate) facts: HashMap<Digest, Stored>,
    pub(crate) repositories: BTreeMap<String, Committed>,
    /// Committed by the present run.
    pub(crate) committed: BTreeSet<String>,
    pub(crate) coverage: BTreeMap<String, (RepositoryOutcome, Option<FindingCode>)>,
    pub(crate) closed: Option<Closing>,
    /// Every call, with how many items it had.
    pub(crate) calls: Vec<(&'static str, usize)>,
    /// Content that was sent although it was there.
    pub(crate) repeats: usize,
    /// Facts as they were sent.
    pub(crate) facts_json: Vec<String>,
    /// Manifests in the order in which they were stored.
    pub(crate) order: Vec<Digest>,
    /// How often something was met deeper than is read.
    pub(crate) too_deep: usize,
    /// When the look began that was last told of each repository.
    pub(crate) began: BTreeMap<String, Uptime>,
    /// What manifests have below them.
    children: HashMap<Digest, Vec<Digest>>,
}

/// What is to go wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Trouble {
    #[default]
    None,
    /// The call of this number, and all after it, are lost on the way.
    LostAt(usize),
    /// The answer to the call of this number is lost, and everything after it.
    AnswerLostAt(usize),
    /// The control plane refuses the call of this number.
    RefusedAt(usize),
}

#[derive(Default)]
pub(crate) struct ControlPlane {
    state: Mutex<State>,
    pub(crate) trouble: Mutex<Trouble>,
    /// While true, content is taken in but not acknowledged.
    pub(crate) stalled: AtomicBool,
}

impl ControlPlane {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A new run begins: nothing is committed by it yet.
    pub(crate) fn new_run(&self) {
        let mut state = self.state();
        state.committed.clear();
        state.coverage.clear();
        state.closed = None;
        state.calls.clear();
    }

    async fn call<T>(
        &self,
        name: &'static str,
        items: usize,
        effect: impl FnOnce(&mut State) -> T,
    ) -> Result<T, UploadError> {
        tokio::task::yield_now().await;
        let mut state = self.state();
        state.calls.push((name, items));
        let number = state.calls.len();
        let fenced = Err(UploadError::Fenced(Reason::StaleAttempt));
        match *self.trouble.lock().unwrap() {
            Trouble::LostAt(at) if number >= at => fenced,
            Trouble::AnswerLostAt(at) if number > at => fenced,
            Trouble::AnswerLostAt(at) if number == at => {
                effect(&mut state);
                fenced
            }
            Trouble::RefusedAt(at) if number == at => Err(UploadError::Refused {
                reason: Reason::ProtocolViolation,
                text: "as the test wants it".into(),
            }),
            _ => Ok(effect(&mut state)),
        }
    }
}

impl State {
    fn put(&mut self, item: &ContentItem) -> bool {
        let (kind, digest, stored) = match item {
            ContentItem::Manifest {
                digest,
                served_as,
                bytes,
                incomplete,
            } => {
                digest.verify(bytes).unwrap();
                let manifest = Manifest::parse(bytes, served_as.as_ref()).unwrap();
                if !incomplete {
                    self.assert_closed(digest, &manifest);
                }
                let stored = if *incomplete {
                    Stored::Incomplete
                } else {
                    Stored::Whole
                };
                self.order.push(digest.clone());
                let children = manifest.children.into_iter().map(|child| child.descriptor.digest);
                self.children.insert(digest.clone(), children.collect());
                (ContentKind::Manifest, digest, stored)
            }
            ContentItem::ImageFacts { digest, json, .. } => {
                assert!(json.len() <= limits::IMAGE_FACTS_BYTES);
                self.facts_json.push(String::from_utf8(json.to_vec()).unwrap());
                (ContentKind::ImageFacts, digest, Stored::Whole)
            }
            ContentItem::Unavailable {
                kind, digest, code, ..
            } => (*kind, digest, Stored::Unavailable(*code)),
        };
        self.too_deep += usize::from(stored == Stored::Unavailable(FindingCode::ManifestTooDeep));
        let all = match kind {
            ContentKind::Manifest => &mut self.manifests,
            ContentKind::ImageFacts => &mut self.facts,
        };
        let had = all.get(digest).copied();
        if had == Some(Stored::Whole) && !matches!(stored, Stored::Unavailable(_)) {
            self.repeats += 1;
        }
        let now = had.map_or(stored, |had| had.or(stored));
        all.insert(digest.clone(), now);
        had != Some(now) && !matches!(now, Stored::Unavailable(_))
    }

    /// Whether a manifest is incomplete only because something below it was met too deep.
    fn is_cut_for_depth(&self, digest: &Digest) -> bool {
        match self.manifests.get(digest) {
            Some(Stored::Unavailable(code)) => *code == FindingCode::ManifestTooDeep,
            Some(Stored::Incomplete) => self.children[digest]
                .iter()
                .all(|child| self.manifests[child].is_for_good() || self.is_cut_for_depth(child)),
            Some(Stored::Whole) | None => false,
        }
    }

    /// Whoever holds a manifest holds everything below it, or knows why not.
    fn assert_closed(&self, digest: &Digest, manifest: &Manifest) {
        for child in manifest
            .children
            .iter()
            .filter(|child| child.role != ChildRole::CacheLayer)
        {
            let stored = self.manifests.get(&child.descriptor.digest);
            assert!(
                stored.is_some_and(|stored| stored.is_for_good())
                    || self.is_cut_for_depth(&child.descriptor.digest),
                "{digest} came before its child {}: {stored:?}",
                child.descriptor.digest
            );
        }
        if let Some(config) = &manifest.config
            && config.media_type.is_image_config()
            && manifest.kind != ArtifactKind::Attestation
        {
            let stored = self.facts.get(&config.digest);
            assert!(
                stored.is_some_and(|stored| stored.is_for_good()),
                "{digest} came before its config {}: {stored:?}",
                config.digest
            );
        }
    }
}

impl State {
    fn commit(&mut self, repository: &RepositoryTags) {
        let name = repository.repository.to_string();
        self.committed.insert(name.clone());
        self.began.insert(name.clone(), repository.began);
        let had = self.repositories.get(&name);
        let is_part = !repository.only.is_empty();
        if had.is_none() && is_part && repository.tags.is_empty() {
            return;
        }
        let before = had.map(|had| had.tags.clone()).unwrap_or_default();
        let mut tags = if is_part || repository.outcome == RepositoryOutcome::Truncated {
            before.clone()
        } else {
            BTreeMap::new()
        };
        for tag in &repository.only {
            tags.remove(tag.as_str());
        }
        for tag in &repository.left_out {
            assert!(!is_part || repository.only.contains(tag));
            tags.remove(tag.as_str());
        }
        for TagObservation { tag, digest, .. } in &repository.tags {
            assert!(!is_part || repository.only.contains(tag));
            assert!(
                self.manifests.contains_key(digest),
                "{name}:{tag} has no manifest"
            );
            tags.insert(tag.to_string(), digest.clone());
        }
        let hash = match (is_part, had) {
            (false, _) => Some(repository.state_hash),
            (true, Some(had)) if tags == before => had.hash,
            // What the rest hashes to is not known.
            (true, _) => None,
        };
        let is_settled = |digest| self.manifests.get(digest).is_some_and(|had| had.is_settled());
        let committed = Committed {
            settled: repository.outcome == RepositoryOutcome::Listed && tags.values().all(is_settled),
            tags,
            hash,
            outcome: repository.outcome,
            finding: repository.finding.as_ref().map(|finding| finding.code),
            left_out: repository.left_out.iter().map(ToString::to_string).collect(),
            only: repository.only.iter().map(ToString::to_string).collect(),
        };
        self.repositories.insert(name, committed);
    }
}

#[async_trait]
impl Upload for ControlPlane {
    async fn pending_repositories(&self, repositories: &[RepositoryName]) -> Result<Vec<bool>, UploadError> {
        assert!(repositories.len() <= limits::REPOSITORIES_PER_OFFER);
        self.call("pending", repositories.len(), |state| {
            let pending = |name: &RepositoryName| !state.committed.contains(name.as_str());
            repositories.iter().map(pending).collect()
        })
        .await
    }

    async fn offer_repositories(&self, offered: &[ListedRepository]) -> Result<Vec<bool>, UploadError> {
        assert!(offered.len() <= limits::REPOSITORIES_PER_OFFER);
        self.call("offer repositories", offered.len(), |state| {
            let changed = offered.iter().map(|offered| {
                let name = offered.repository.to_string();
                state.began.insert(name.clone(), offered.began);
                let same = state
                    .repositories
                    .get(&name)
                    .is_some_and(|had| had.settled && had.hash == Some(offered.state_hash));
                if same {
                    state.committed.insert(name);
                }
                !same
            });
            changed.collect()
        })
        .await
    }

    async fn offer_digests(&self, kind: ContentKind, digests: &[Digest]) -> Result<Vec<bool>, UploadError> {
        assert!(!digests.is_empty() && digests.len() <= limits::DIGESTS_PER_OFFER);
        let name = match kind {
            ContentKind::Manifest => "offer manifests",
            ContentKind::ImageFacts => "offer facts",
        };
        self.call(name, digests.len(), |state| {
            let all = match kind {
                ContentKind::Manifest => &state.manifests,
                ContentKind::ImageFacts => &state.facts,
            };
            let wanted = |digest: &Digest| all.get(digest) != Some(&Stored::Whole);
            digests.iter().map(wanted).collect()
        })
        .await
    }

    async fn put_content(&self, items: &[ContentItem]) -> Result<u32, UploadError> {
        let bytes: usize = items
            .iter()
            .map(|item| match item {
                ContentItem::Manifest { bytes, .. } => bytes.len(),
                ContentItem::ImageFacts { json, .. } => json.len(),
                ContentItem::Unavailable { .. } => 0,
            })
            .sum();
        assert!(bytes <= limits::BATCH_BYTES);
        while self.stalled.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        self.call("put", items.len(), |state| {
            let new = items.iter().filter(|item| state.put(item)).count();
            u32::try_from(new).unwrap()
        })
        .await
    }

    async fn commit_repository(&self, repository: &Arc<RepositoryTags>) -> Result<(), UploadError> {
        assert!(repository.tags.is_sorted_by(|a, b| a.tag < b.tag));
        assert!(repository.left_out.is_sorted_by(|a, b| a < b));
        assert!(repository.only.is_sorted_by(|a, b| a < b));
        assert!(repository.only.len() <= limits::RUN_SCOPE_REFERENCES);
        self.call("commit", repository.tags.len(), |state| {
            state.commit(repository);
        })
        .await
    }

    async fn report_coverage(&self, entries: &[CoverageEntry]) -> Result<(), UploadError> {
        assert!(!entries.is_empty() && entries.len() <= limits::COVERAGE_ENTRIES_PER_PAGE);
        self.call("coverage", entries.len(), |state| {
            for entry in entries {
                let code = entry.finding.as_ref().map(|finding| finding.code);
                state
                    .coverage
                    .insert(entry.repository.to_string(), (entry.outcome, code));
            }
        })
        .await
    }

    async fn close_run(&self, closing: &Closing) -> Result<RunState, UploadError> {
        self.call("close", 0, |state| {
            state.closed = Some(closing.clone());
            let complete = closing.discovery_complete
                && state
                    .coverage
                    .values()
                    .all(|(outcome, _)| *outcome == RepositoryOutcome::Filtered)
                && state
                    .committed
                    .iter()
                    .filter_map(|name| state.repositories.get(name))
                    .all(|had| had.outcome == RepositoryOutcome::Listed);
            if closing.failure.is_some() {
                RunState::Failed
            } else if complete {
                RunState::Complete
            } else {
                RunState::Partial
            }
        })
        .await
    }

    /// One for every call.
    fn bytes_sent(&self) -> u64 {
        self.state().calls.len() as u64
    }
}
