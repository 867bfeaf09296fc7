//! Somebody who follows the feed from a baseline, while commits go on.

use std::collections::BTreeMap;

use portolan_shared::model::{Digest, RegistryId, RepositoryOutcome};
use portolan_shared::process::{Rng as _, SeededRng};
use portolan_store::{Changed, FeedPosition, LedgerChange, PageRequest, RepositoryFilter, Store};

use crate::site::{Site, at, commit_of, note, noted, whole};

const SEQUENCES: u64 = 12;
const STEPS: i64 = 60;

/// Tags by registry, repository and name.
type Tags = BTreeMap<(RegistryId, String, String), Digest>;

enum Phase {
    Baseline(Option<(i64, portolan_shared::model::TagName)>),
    Changes(FeedPosition),
}

/// What somebody knows who takes every event for the state of its tag.
struct Follower {
    from: FeedPosition,
    phase: Phase,
    tags: Tags,
}

impl Follower {
    async fn begin(store: &dyn Store, site: &Site) -> Self {
        Self {
            from: store.feed_end(site.tenant).await.unwrap(),
            phase: Phase::Baseline(None),
            tags: Tags::new(),
        }
    }

    /// Reads one page; gives whether there was nothing more.
    async fn read(&mut self, store: &dyn Store, site: &Site, limit: u32) -> bool {
        match &mut self.phase {
            Phase::Baseline(after) => {
                let place = after.as_ref().map(|(repository, tag)| (*repository, tag));
                let tags = store.present_tags(site.tenant, None, place, limit).await.unwrap();
                let whole = tags.len() < usize::try_from(limit).unwrap();
                for tag in tags {
                    let key = (tag.registry, tag.repository.to_string(), tag.tag.to_string());
                    self.tags.insert(key, tag.digest);
                    *after = Some((tag.repository_no, tag.tag));
                }
                if whole {
                    self.phase = Phase::Changes(self.from.clone());
                }
                false
            }
            Phase::Changes(next) => {
                let page = store
                    .changes(site.tenant, None, next, limit)
                    .await
                    .unwrap()
                    .unwrap();
                for change in page.items {
                    match change.what {
                        Changed::RegistryRemoved => self.tags.retain(|key, _| key.0 != change.registry),
                        Changed::Tag(tag) => {
                            let key = (change.registry, tag.repository.to_string(), tag.tag.to_string());
                            match tag.change {
                                LedgerChange::Appeared(to) | LedgerChange::Moved { to, .. } => {
                                    self.tags.insert(key, to)
                                }
                                LedgerChange::Vanished(_) | LedgerChange::LeftOut(_) => {
                                    self.tags.remove(&key)
                                }
                            };
                        }
                    }
                }
                *next = page.next;
                page.at_end
            }
        }
    }
}

/// What the inventory holds.
async fn inventory(store: &dyn Store, site: &Site) -> Tags {
    let filter = RepositoryFilter::default();
    let repositories = store
        .repositories(site.tenant, &filter, &PageRequest::first())
        .await
        .unwrap();
    let mut tags = Tags::new();
    for repository in repositories.items {
        let found = store
            .tags(
                site.tenant,
                repository.registry,
                &repository.name,
                &PageRequest::first(),
            )
            .await;
        for tag in found.unwrap().items {
            let key = (
                repository.registry,
                repository.name.to_string(),
                tag.tag.to_string(),
            );
            tags.insert(key, tag.digest);
        }
    }
    tags
}

/// Whatever is committed, left out, removed while the baseline is read: in the end the follower knows what there is.
pub async fn whoever_follows_arrives_at_what_there_is(store: &dyn Store) {
    for seed in 0..SEQUENCES {
        let rng = SeededRng::new(seed);
        let below = |bound: u64| {
            let mut bytes = [0; 8];
            rng.fill(&mut bytes);
            u64::from_le_bytes(bytes) % bound
        };
        let site = Site::new(store).await;
        let mut registries = vec![site.clone(), site.beside(store, "b").await];
        let mut followers = Vec::new();
        for step in 0..STEPS {
            let now = 10 * (step + 1);
            if step % 10 == 0 {
                followers.push(Follower::begin(store, &site).await);
            }
            let at_registry = usize::try_from(below(registries.len() as u64)).unwrap();
            if below(12) == 0 {
                let gone = registries.remove(at_registry);
                store
                    .remove_registry(gone.tenant, gone.registry, &note(), &noted)
                    .await
                    .unwrap()
                    .unwrap();
                registries.push(site.beside(store, &format!("r{step}")).await);
            } else {
                let chosen = &registries[at_registry];
                let fence = chosen.start(store, now).await;
                for _ in 0..below(3) {
                    let tags: BTreeMap<String, String> = (0..below(6))
                        .map(|_| (format!("t{}", below(8)), format!("c{}", below(4))))
                        .collect();
                    let pairs: Vec<_> = tags
                        .iter()
                        .map(|(tag, content)| (tag.as_str(), content.as_str()))
                        .collect();
                    let mut commit = commit_of(&format!("r{}", below(4)), &pairs, RepositoryOutcome::Listed);
                    if below(4) == 0 {
                        commit.left_out = (0..8).map(|i| format!("t{i}").parse().unwrap()).collect();
                        commit.left_out.retain(|tag| !tags.contains_key(tag.as_str()));
                    }
                    store
                        .commit_repository(&fence, &commit, at(now + 1))
                        .await
                        .unwrap();
                }
                if below(2) == 0 {
                    store.close_run(&fence, &whole(0), at(now + 2)).await.unwrap();
                } else {
                    store
                        .cancel_run(site.tenant, fence.attempt.run, at(now + 2), &note())
                        .await
                        .unwrap();
                }
            }
            for follower in &mut followers {
                if below(3) == 0 {
                    let limit = u32::try_from(1 + below(5)).unwrap();
                    follower.read(store, &site, limit).await;
                }
            }
        }
        let expected = inventory(store, &site).await;
        for follower in &mut followers {
            while !follower.read(store, &site, 3).await {}
            assert_eq!(follower.tags, expected, "seed {seed}");
        }
    }
}
