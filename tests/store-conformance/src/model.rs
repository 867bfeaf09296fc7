//! Random commits, held against a model in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use portolan_shared::model::{Digest, RepositoryOutcome};
use portolan_shared::process::{Rng as _, SeededRng};
use portolan_store::{LedgerChange, PageRequest, RepositoryCommit, RepositoryCommitted, Store};

use crate::site::{Site, at, commit_of, digest, name, note};

const SEQUENCES: u64 = 12;
const COMMITS: i64 = 12;

/// A tag set and its ledger, as simply as can be said.
#[derive(Default)]
struct Model {
    /// Each tag's digest and since when it points there.
    tags: BTreeMap<String, (Digest, i64)>,
    /// Oldest first.
    ledger: Vec<Line>,
    seen_at: Option<i64>,
}

struct Line {
    tag: String,
    change: LedgerChange,
    noticed: i64,
    /// When the look began that told of it.
    looked: i64,
    not_before: Option<i64>,
}

impl Model {
    /// `only` are the tags that were asked for, if not all.
    fn commit(
        &mut self,
        only: Option<&BTreeSet<String>>,
        new: &BTreeMap<String, Digest>,
        whole: bool,
        (looked, now): (i64, i64),
    ) -> RepositoryCommitted {
        let mut counts = RepositoryCommitted::default();
        let mut changes = BTreeMap::new();
        for (tag, to) in new {
            match self.tags.get(tag) {
                None => {
                    counts.appeared += 1;
                    changes.insert(tag.clone(), LedgerChange::Appeared(to.clone()));
                }
                Some((from, _)) if from != to => {
                    counts.moved += 1;
                    let change = LedgerChange::Moved {
                        from: from.clone(),
                        to: to.clone(),
                    };
                    changes.insert(tag.clone(), change);
                }
                Some(_) => continue,
            }
            self.tags.insert(tag.clone(), (to.clone(), now));
        }
        if whole {
            let gone: Vec<_> = self
                .tags
                .keys()
                .filter(|tag| only.is_none_or(|only| only.contains(*tag)) && !new.contains_key(*tag))
                .cloned()
                .collect();
            for tag in gone {
                if let Some((digest, _)) = self.tags.remove(&tag) {
                    counts.vanished += 1;
                    changes.insert(tag, LedgerChange::Vanished(digest));
                }
            }
        }
        for (tag, change) in changes {
            // What changed it before may be younger than the last look at all of them.
            let before = self.ledger.iter().rev().find(|line| line.tag == tag);
            // Of what lies behind it, because the clock was set back, nothing follows.
            let known = |at: &i64| *at <= now;
            let seen = self.seen_at.filter(known);
            self.ledger.push(Line {
                tag,
                change,
                noticed: now,
                looked,
                not_before: seen.max(before.map(|line| line.looked).filter(known)),
            });
        }
        // Where a first listing was cut off, nothing is known of what it did not reach.
        if only.is_none() && whole {
            self.seen_at = Some(looked);
        }
        counts
    }
}

/// Of the same commits both must have made the same tags, the same ledger and the same counts.
pub async fn random_commits_agree_with_a_model(store: &dyn Store) {
    let site = Site::new(store).await;
    for seed in 0..SEQUENCES {
        let rng = SeededRng::new(seed);
        let below = |bound: u64| {
            let mut bytes = [0; 8];
            rng.fill(&mut bytes);
            u64::from_le_bytes(bytes) % bound
        };
        let small = |bound: u64| i64::try_from(below(bound)).unwrap();
        let repository = format!("r{seed}");
        let mut now = i64::try_from(seed).unwrap() * 1_000;
        let mut model = Model::default();
        for step in 0..COMMITS {
            // Sometimes somebody sets the clock back.
            now += if below(4) == 0 { -small(40) } else { 10 };
            // It was looked at between the beginning of the run and now, whatever the sensor says.
            let (began, age) = (now - small(5), small(8));
            let only: Option<BTreeSet<String>> =
                (below(3) == 0).then(|| (0..=below(5)).map(|_| format!("t{}", below(10))).collect());
            let fence = match only {
                Some(_) => site.start_event_run(store, &["r:t"], began).await,
                None => site.start(store, began).await,
            };
            let tags: BTreeMap<String, String> = (0..below(12))
                .map(|_| (format!("t{}", below(10)), format!("c{}", below(4))))
                .filter(|(tag, _)| only.as_ref().is_none_or(|only| only.contains(tag)))
                .collect();
            let outcome = match below(4) {
                0 => RepositoryOutcome::Truncated,
                1 => RepositoryOutcome::Incomplete,
                _ => RepositoryOutcome::Listed,
            };
            let pairs: Vec<_> = tags
                .iter()
                .map(|(tag, content)| (tag.as_str(), content.as_str()))
                .collect();
            let asked_for = only.as_ref();
            let commit = RepositoryCommit {
                only: asked_for.map(|only| only.iter().map(|tag| tag.parse().unwrap()).collect()),
                age: Duration::from_secs(u64::try_from(age).unwrap()),
                ..commit_of(&repository, &pairs, outcome)
            };
            let counts = store.commit_repository(&fence, &commit, at(now)).await.unwrap();
            let new = tags
                .iter()
                .map(|(tag, content)| (tag.clone(), digest(content)))
                .collect();
            // What was asked for one by one is whole: what has no answer is not among it.
            let whole = outcome != RepositoryOutcome::Truncated || asked_for.is_some();
            let expected = model.commit(asked_for, &new, whole, ((now - age).max(began), now));
            assert_eq!(counts, expected, "seed {seed}, step {step}");
            store
                .cancel_run(site.tenant, fence.attempt.run, at(now), &note())
                .await
                .unwrap();
        }
        compare(store, &site, &repository, model, seed).await;
    }
}

async fn compare(store: &dyn Store, site: &Site, repository: &str, model: Model, seed: u64) {
    let repository = name(repository);
    let found = store
        .tags(site.tenant, site.registry, &repository, &PageRequest::first())
        .await
        .unwrap();
    let found: Vec<_> = found
        .items
        .into_iter()
        .map(|record| (record.tag.as_str().to_owned(), (record.digest, record.since)))
        .collect();
    let expected: Vec<_> = model
        .tags
        .into_iter()
        .map(|(tag, (digest, since))| (tag, (digest, at(since))))
        .collect();
    assert_eq!(found, expected, "seed {seed}");
    let record = store
        .repository(site.tenant, site.registry, &repository)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.tags, expected.len() as u64);
    let found = store
        .history(
            site.tenant,
            site.registry,
            &repository,
            None,
            &PageRequest::first(),
        )
        .await
        .unwrap();
    let found: Vec<_> = found
        .items
        .into_iter()
        .rev()
        .map(|row| {
            (
                row.tag.as_str().to_owned(),
                row.change,
                row.noticed_at,
                row.not_before,
            )
        })
        .collect();
    let expected: Vec<_> = model
        .ledger
        .into_iter()
        .map(|line| (line.tag, line.change, at(line.noticed), line.not_before.map(at)))
        .collect();
    assert_eq!(found, expected, "seed {seed}");
}
