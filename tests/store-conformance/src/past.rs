//! What was, what is different since, and what is forgotten: held against a model that remembers everything.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use portolan_shared::model::{Digest, RepositoryOutcome};
use portolan_shared::process::{Rng as _, SeededRng};
use portolan_store::{LedgerChange, PageRequest, Past, PastTag, Retention, Store, TagDifference};

use crate::site::{Site, at, commit_of, digest, name, note};

const SEQUENCES: u64 = 8;
const STEPS: i64 = 25;
pub(crate) const DAY: i64 = 86_400;
const REPOSITORIES: [&str; 3] = ["a", "b/c", "b"];

type Tags = BTreeMap<String, Digest>;

pub(crate) async fn tags_at(
    store: &dyn Store,
    site: &Site,
    repository: &str,
    time: Timestamp,
    limit: u16,
) -> Past<Vec<PastTag>> {
    let mut found = Vec::new();
    let mut page = PageRequest { after: None, limit };
    loop {
        let answer = store
            .tags_at(site.tenant, site.registry, &name(repository), time, &page)
            .await;
        let answer = match answer.unwrap() {
            Past::Known(answer) => answer,
            Past::Forgotten(earliest) => return Past::Forgotten(earliest),
        };
        found.extend(answer.items);
        page.after = answer.next;
        if page.after.is_none() {
            return Past::Known(found);
        }
    }
}

pub(crate) async fn differences(
    store: &dyn Store,
    site: &Site,
    since: Timestamp,
    limit: u16,
) -> Past<Vec<TagDifference>> {
    let mut found = Vec::new();
    let mut page = PageRequest { after: None, limit };
    loop {
        let answer = store.differences(site.tenant, site.registry, since, &page).await;
        let answer = match answer.unwrap() {
            Past::Known(answer) => answer,
            Past::Forgotten(earliest) => return Past::Forgotten(earliest),
        };
        found.extend(answer.items);
        page.after = answer.next;
        if page.after.is_none() {
            return Past::Known(found);
        }
    }
}

/// One tag through its life, and the moments at which it is asked for.
pub async fn tags_are_shown_as_they_were(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one"), ("2", "two")])], 10)
        .await;
    site.sync(store, &[("a", &[("1", "other")])], 20).await;
    site.sync(store, &[], 30).await;
    let seen = async |seconds| match tags_at(store, &site, "a", at(seconds), 1).await {
        Past::Known(tags) => tags
            .into_iter()
            .map(|tag| (tag.tag.to_string(), tag.digest, tag.since))
            .collect::<Vec<_>>(),
        Past::Forgotten(earliest) => panic!("forgotten until {earliest}"),
    };
    assert_eq!(seen(9).await, []);
    let both = [
        ("1".to_owned(), digest("one"), at(10)),
        ("2".to_owned(), digest("two"), at(10)),
    ];
    assert_eq!(seen(10).await, both);
    assert_eq!(seen(19).await, both);
    assert_eq!(seen(20).await, [("1".to_owned(), digest("other"), at(20))]);
    assert_eq!(seen(30).await, []);
    let unknown = tags_at(store, &site, "never", at(10), 1).await;
    assert_eq!(unknown, Past::Known(Vec::new()));
    let neighbour = Site::new(store).await;
    assert_eq!(
        tags_at(store, &neighbour, "a", at(10), 1).await,
        Past::Known(Vec::new())
    );
    let Past::Known(with_content) = tags_at(store, &site, "a", at(10), 9).await else {
        panic!("nothing was forgotten");
    };
    assert!(
        with_content.iter().all(|tag| tag.kind.is_some() && tag.size > 0),
        "{with_content:?}"
    );
}

/// A tag that moved and moved back, or came and went, is not different; of others the whole way counts.
pub async fn differences_are_net(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(
        store,
        &[(
            "a",
            &[("back", "1"), ("gone", "1"), ("moved", "1"), ("same", "1")],
        )],
        10,
    )
    .await;
    let second = [
        ("back", "2"),
        ("brief", "1"),
        ("moved", "2"),
        ("new", "1"),
        ("same", "1"),
    ];
    site.sync(store, &[("a", &second), ("z", &[("1", "1")])], 20)
        .await;
    let third = [("back", "1"), ("moved", "3"), ("new", "2"), ("same", "1")];
    site.sync(store, &[("a", &third), ("z", &[("1", "1")])], 30).await;
    let expected = [
        ("a", "gone", LedgerChange::Vanished(digest("1")), at(20)),
        (
            "a",
            "moved",
            LedgerChange::Moved {
                from: digest("1"),
                to: digest("3"),
            },
            at(30),
        ),
        ("a", "new", LedgerChange::Appeared(digest("2")), at(30)),
        ("z", "1", LedgerChange::Appeared(digest("1")), at(20)),
    ]
    .map(|(repository, tag, change, noticed_at)| TagDifference {
        repository: name(repository),
        tag: tag.parse().unwrap(),
        change,
        noticed_at,
    });
    for limit in [1, 2, 1_000] {
        assert_eq!(
            differences(store, &site, at(10), limit).await,
            Past::Known(expected.to_vec())
        );
    }
    assert_eq!(
        differences(store, &site, at(30), 9).await,
        Past::Known(Vec::new())
    );
    let other = site.beside(store, "other").await;
    assert_eq!(
        differences(store, &other, at(0), 9).await,
        Past::Known(Vec::new())
    );
}

/// Everything that was, by time.
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

    fn differences(&self, since: i64) -> Vec<(String, String, Option<Digest>, Option<Digest>)> {
        let mut found = Vec::new();
        for (i, repository) in REPOSITORIES.iter().enumerate() {
            let (before, now) = (self.at(i, since), self.at(i, i64::MAX));
            let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
            for tag in names {
                let (from, to) = (before.get(tag).cloned(), now.get(tag).cloned());
                if from != to {
                    found.push(((*repository).to_owned(), tag.clone(), from, to));
                }
            }
        }
        found.sort_by(|left, right| (&left.0, &left.1).cmp(&(&right.0, &right.1)));
        found
    }
}

/// Whatever was committed and however much of it was forgotten: what is answered is right, and what cannot be answered any more is said to be.
pub async fn random_pasts_agree_with_a_model(store: &dyn Store) {
    for seed in 0..SEQUENCES {
        let rng = SeededRng::new(seed);
        let below = |bound: u64| {
            let mut bytes = [0; 8];
            rng.fill(&mut bytes);
            u64::from_le_bytes(bytes) % bound
        };
        let small = |bound: u64| i64::try_from(below(bound)).unwrap();
        let site = Site::new(store).await;
        let mut memory = Memory { states: Vec::new() };
        // What is older than this may be forgotten.
        let mut kept_from = i64::MIN;
        for step in 1..=STEPS {
            let now = step * DAY;
            let fence = site.start(store, now).await;
            for (i, repository) in REPOSITORIES.iter().enumerate() {
                if below(2) == 0 {
                    continue;
                }
                let tags: BTreeMap<String, String> = (0..below(5))
                    .map(|_| (format!("t{}", below(6)), format!("c{}", below(3))))
                    .collect();
                let pairs: Vec<_> = tags
                    .iter()
                    .map(|(tag, content)| (tag.as_str(), content.as_str()))
                    .collect();
                let commit = commit_of(repository, &pairs, RepositoryOutcome::Listed);
                store.commit_repository(&fence, &commit, at(now)).await.unwrap();
                let tags = tags
                    .iter()
                    .map(|(tag, content)| (tag.clone(), digest(content)))
                    .collect();
                memory.states.push((now, i, tags));
            }
            store
                .cancel_run(site.tenant, fence.attempt.run, at(now), &note())
                .await
                .unwrap();
            if below(3) == 0 {
                let days = 2 + small(8);
                let retention = Retention {
                    history_days: Some(u32::try_from(days).unwrap()),
                    runs_days: None,
                };
                store
                    .set_retention(site.tenant, retention, &note())
                    .await
                    .unwrap();
                kept_from = kept_from.max(now - days * DAY);
                // A little, or all of it.
                let rows = u32::try_from(1 + below(4)).unwrap();
                let mut rounds = below(3) * 100;
                while store.forget_past(at(now), rows).await.unwrap() > 0 && rounds > 0 {
                    rounds -= 1;
                }
            }
            let asked = small(u64::try_from(step).unwrap() * 24) * DAY / 24;
            ask(store, &site, &memory, asked, kept_from, seed).await;
        }
        for asked in (0..STEPS).map(|step| step * DAY) {
            ask(store, &site, &memory, asked, kept_from, seed).await;
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
        }
    }
    match differences(store, site, at(asked), 3).await {
        Past::Known(found) => {
            let found: Vec<_> = found
                .into_iter()
                .map(|found| {
                    let (from, to) = match found.change {
                        LedgerChange::Appeared(to) => (None, Some(to)),
                        LedgerChange::Moved { from, to } => (Some(from), Some(to)),
                        LedgerChange::Vanished(from) | LedgerChange::LeftOut(from) => (Some(from), None),
                    };
                    (found.repository.to_string(), found.tag.to_string(), from, to)
                })
                .collect();
            assert_eq!(found, memory.differences(asked), "seed {seed} since {asked}");
        }
        Past::Forgotten(earliest) => assert!(at(asked) < earliest && asked < kept_from, "seed {seed}"),
    }
}
