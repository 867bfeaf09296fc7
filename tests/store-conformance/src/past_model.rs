//! What was, what is different since, and what is forgotten: held against a model that remembers everything.

use std::collections::{BTreeMap, BTreeSet};

use portolan_shared::model::{Digest, RepositoryOutcome};
use portolan_shared::process::{Rng as _, SeededRng};
use portolan_store::{LedgerChange, PageRequest, Past, RepositoryCommit, Retention, Store};

use crate::past::{DAY, differences, tags_at};
use crate::site::{Site, at, commit_of, digest, name, note, whole};

const SEQUENCES: u64 = 8;
const STEPS: i64 = 25;
const REPOSITORIES: [&str; 3] = ["a", "b/c", "b"];

type Tags = BTreeMap<String, Digest>;

/// From where to where a tag moved; none if it was not there.
type Way = (Option<Digest>, Option<Digest>);

fn way(change: LedgerChange) -> Way {
    match change {
        LedgerChange::Appeared(to) => (None, Some(to)),
        LedgerChange::Moved { from, to } => (Some(from), Some(to)),
        LedgerChange::Vanished(from) | LedgerChange::LeftOut(from) => (Some(from), None),
    }
}

/// What is different between two tag sets.
fn ways(before: &Tags, after: &Tags) -> Vec<(String, Way)> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let way = |tag: &String| (before.get(tag).cloned(), after.get(tag).cloned());
    let all = names.into_iter().map(|tag| (tag.clone(), way(tag)));
    all.filter(|(_, (from, to))| from != to).collect()
}

/// Everything that was, by time.
#[derive(Default)]
struct Memory {
    /// After each commit: when, which repository, its tags.
    states: Vec<(i64, usize, Tags)>,
}

impl Memory {
    fn at(&self, repository: usize, time: i64) -> Tags {
        let states = self.states.iter().rev();
        let mut of_repository = states.filter(|(_, of, _)| *of == repository);
        let state = of_repository.find(|(when, _, _)| *when <= time);
        state.map(|(_, _, tags)| tags.clone()).unwrap_or_default()
    }

    /// When a repository was first committed.
    fn first(&self, repository: usize) -> Option<i64> {
        let mut of_repository = self.states.iter().filter(|(_, of, _)| *of == repository);
        of_repository.next().map(|(when, _, _)| *when)
    }

    fn differences(&self, since: i64) -> Vec<(String, String, Way)> {
        let mut found = Vec::new();
        for (i, repository) in REPOSITORIES.iter().enumerate() {
            let ways = ways(&self.at(i, since), &self.at(i, i64::MAX));
            found.extend(
                ways.into_iter()
                    .map(|(tag, way)| ((*repository).to_owned(), tag, way)),
            );
        }
        found.sort_by(|left, right| (&left.0, &left.1).cmp(&(&right.0, &right.1)));
        found
    }

    /// What happened in a repository: when, which tag, from where to where.
    fn lines(&self, repository: usize) -> Vec<(i64, String, Way)> {
        let mut lines = Vec::new();
        let mut before = Tags::new();
        for (when, _, tags) in self.states.iter().filter(|(_, of, _)| *of == repository) {
            let ways = ways(&before, tags).into_iter();
            lines.extend(ways.map(|(tag, way)| (*when, tag, way)));
            before.clone_from(tags);
        }
        lines
    }
}

/// Draws what is committed.
struct Dice(SeededRng);

impl Dice {
    fn below(&self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound
    }

    fn small(&self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).unwrap()
    }

    /// A commit of a repository with these tags, and what there is after it; whole, cut short, or in part; with something left out or not.
    fn commit(&self, repository: &str, before: &Tags) -> (RepositoryCommit, Tags) {
        let drawn: BTreeMap<String, String> = (0..self.below(5))
            .map(|_| (format!("t{}", self.below(6)), format!("c{}", self.below(3))))
            .collect();
        let (cut, in_part) = (self.below(4) == 0, self.below(4) == 0);
        let mut after = if cut || in_part {
            before.clone()
        } else {
            Tags::new()
        };
        let only: BTreeSet<String> = drawn
            .keys()
            .cloned()
            .chain([format!("t{}", self.below(6))])
            .collect();
        let left_out = match self.below(3) {
            0 => only.iter().find(|tag| !drawn.contains_key(*tag)).cloned(),
            _ => None,
        };
        if in_part {
            after.retain(|tag, _| !only.contains(tag));
        }
        after.retain(|tag, _| Some(tag) != left_out.as_ref());
        after.extend(drawn.iter().map(|(tag, content)| (tag.clone(), digest(content))));
        let pairs: Vec<_> = drawn
            .iter()
            .map(|(tag, content)| (tag.as_str(), content.as_str()))
            .collect();
        let outcome = if cut {
            RepositoryOutcome::Truncated
        } else {
            RepositoryOutcome::Listed
        };
        let commit = RepositoryCommit {
            only: in_part.then(|| only.iter().map(|tag| tag.parse().unwrap()).collect()),
            left_out: left_out.iter().map(|tag| tag.parse().unwrap()).collect(),
            ..commit_of(repository, &pairs, outcome)
        };
        (commit, after)
    }
}

/// Whatever was committed and however much of it was forgotten: what is answered is right, and what cannot be answered any more is said to be.
pub async fn random_pasts_agree_with_a_model(store: &dyn Store) {
    for seed in 0..SEQUENCES {
        let dice = Dice(SeededRng::new(seed));
        let site = Site::new(store).await;
        let mut memory = Memory::default();
        // What is older than this may be forgotten.
        let mut kept_from = i64::MIN;
        for step in 1..=STEPS {
            let now = step * DAY;
            step_of(store, &site, &dice, &mut memory, now).await;
            if dice.below(3) == 0 {
                let days = 2 + dice.small(8);
                let retention = Retention {
                    history_days: Some(u32::try_from(days).unwrap()),
                    runs_days: None,
                };
                store
                    .set_retention(site.tenant, retention, None, &note())
                    .await
                    .unwrap();
                kept_from = kept_from.max(now - days * DAY);
                // A little, or all of it.
                let rows = u32::try_from(1 + dice.below(4)).unwrap();
                let mut rounds = dice.below(3) * 100;
                while store.forget_past(at(now), rows).await.unwrap() > 0 && rounds > 0 {
                    rounds -= 1;
                }
            }
            let asked = dice.small(u64::try_from(step).unwrap() * 24) * DAY / 24;
            ask(store, &site, &memory, asked, kept_from, seed).await;
            look_into_history(store, &site, &memory, kept_from, seed).await;
        }
        for asked in (0..STEPS).map(|step| step * DAY) {
            ask(store, &site, &memory, asked, kept_from, seed).await;
        }
    }
}

/// A run that commits some repositories. If it is complete, the others vanish; they may come back.
async fn step_of(store: &dyn Store, site: &Site, dice: &Dice, memory: &mut Memory, now: i64) {
    let fence = site.start(store, now).await;
    let mut committed = Vec::new();
    for (i, repository) in REPOSITORIES.iter().enumerate() {
        if dice.below(2) == 0 {
            continue;
        }
        let (commit, after) = dice.commit(repository, &memory.at(i, now));
        store.commit_repository(&fence, &commit, at(now)).await.unwrap();
        committed.push(i);
        // A look at some tags does not make a repository that has none of them.
        if memory.first(i).is_some() || commit.only.is_none() || !commit.tags.is_empty() {
            memory.states.push((now, i, after));
        }
    }
    if dice.below(4) > 0 {
        store
            .cancel_run(site.tenant, fence.attempt.run, at(now), &note())
            .await
            .unwrap();
        return;
    }
    let closing = whole(committed.len() as u64);
    store.close_run(&fence, &closing, at(now)).await.unwrap();
    for i in (0..REPOSITORIES.len()).filter(|i| !committed.contains(i)) {
        if memory.first(i).is_some() {
            memory.states.push((now, i, Tags::new()));
        }
    }
}

/// Nothing is in the history that did not happen, and everything that is to be kept is.
async fn look_into_history(store: &dyn Store, site: &Site, memory: &Memory, kept_from: i64, seed: u64) {
    for (i, repository) in REPOSITORIES.iter().enumerate() {
        let page = PageRequest {
            after: None,
            limit: 1_000,
        };
        let (tenant, registry, repository) = (site.tenant, site.registry, name(repository));
        let found = store.history(tenant, registry, &repository, None, &page).await;
        let mut found: Vec<_> = found
            .unwrap()
            .items
            .into_iter()
            .map(|line| {
                let when = line.noticed_at.as_second() - at(0).as_second();
                (when, line.tag.to_string(), way(line.change))
            })
            .collect();
        found.sort_by(|left, right| (left.0, &left.1).cmp(&(right.0, &right.1)));
        let happened = memory.lines(i);
        assert!(
            found.iter().all(|line| happened.contains(line)),
            "seed {seed}: {found:?}"
        );
        let kept = happened.iter().filter(|(when, _, _)| *when >= kept_from);
        for line in kept {
            assert!(found.contains(line), "seed {seed}: {line:?} was to be kept");
        }
    }
}

async fn ask(store: &dyn Store, site: &Site, memory: &Memory, asked: i64, kept_from: i64, seed: u64) {
    for (i, repository) in REPOSITORIES.iter().enumerate() {
        match tags_at(store, site, repository, at(asked), 2).await {
            Past::Known(tags) => {
                let tags: Tags = tags
                    .into_iter()
                    .map(|tag| (tag.tag.to_string(), tag.digest))
                    .collect();
                assert_eq!(tags, memory.at(i, asked), "seed {seed}, {repository} at {asked}");
            }
            Past::Forgotten(earliest) => {
                assert!(at(asked) < earliest, "seed {seed}");
                assert!(asked < kept_from, "seed {seed}: {asked} was to be kept");
            }
            Past::NotYet(first) => {
                assert!(at(asked) < first, "seed {seed}");
                assert_eq!(memory.first(i).map(at), Some(first), "seed {seed}");
            }
        }
    }
    match differences(store, site, at(asked), 3).await {
        Past::Known(found) => {
            let found: Vec<_> = found
                .into_iter()
                .map(|found| {
                    (
                        found.repository.to_string(),
                        found.tag.to_string(),
                        way(found.change),
                    )
                })
                .collect();
            assert_eq!(found, memory.differences(asked), "seed {seed} since {asked}");
        }
        Past::Forgotten(earliest) => assert!(at(asked) < earliest && asked < kept_from, "seed {seed}"),
        Past::NotYet(first) => {
            panic!("seed {seed}: of a registry something is always known, not from {first} on")
        }
    }
}
