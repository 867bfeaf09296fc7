//! The change feed on SQLite: across restarts, and over what a release before this one has written.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use portolan_shared::model::{Digest, RepositoryOutcome};
use portolan_store::sqlite::SqliteStore;
use portolan_store::{
    Changed, Feed as _, FeedPosition, Images as _, Inventory as _, LedgerChange, PageRequest, Runs as _,
    Store as _,
};
use portolan_store_conformance::{Site, at, commit_of, note};
use proptest::prelude::*;
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

/// What may happen.
#[derive(Debug, Clone)]
enum Step {
    /// Some tags of a repository are now these.
    Commit(u8, BTreeMap<u8, u8>),
    /// The reader asks for at most so many changes.
    Read(u32),
    /// The process ends and begins anew.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_u8, proptest::collection::btree_map(0..6_u8, 0..3_u8, 0..5)).prop_map(|(repository, tags)| Step::Commit(repository, tags)),
        4 => (1..4_u32).prop_map(Step::Read),
        1 => Just(Step::Restart),
    ]
}

/// A line as it must be told: repository, tag, what happened.
type Line = (String, String, LedgerChange);

struct Model {
    tags: BTreeMap<(u8, u8), Digest>,
    ledger: Vec<Line>,
}

impl Model {
    fn commit(&mut self, repository: u8, tags: &BTreeMap<u8, u8>) {
        for tag in 0..6 {
            let now = tags
                .get(&tag)
                .map(|content| portolan_store_conformance::digest(&content.to_string()));
            let before = self.tags.get(&(repository, tag)).cloned();
            let change = match (before, now.clone()) {
                (None, Some(to)) => LedgerChange::Appeared(to),
                (Some(from), Some(to)) if from != to => LedgerChange::Moved { from, to },
                (Some(from), None) => LedgerChange::Vanished(from),
                (Some(_), Some(_)) | (None, None) => continue,
            };
            self.ledger
                .push((format!("r{repository}"), format!("t{tag}"), change));
            match now {
                Some(digest) => self.tags.insert((repository, tag), digest),
                None => self.tags.remove(&(repository, tag)),
            };
        }
    }
}

struct Scene {
    folder: TempDir,
    store: SqliteStore,
    site: Site,
    model: Model,
    told: Vec<Line>,
    next: FeedPosition,
    now: i64,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("portolan.db"))
            .await
            .unwrap();
        let site = Site::new(&store).await;
        Self {
            folder,
            store,
            site,
            model: Model {
                tags: BTreeMap::new(),
                ledger: Vec::new(),
            },
            told: Vec::new(),
            next: FeedPosition::default(),
            now: 10,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("portolan.db")
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Commit(repository, tags) => {
                self.now += 1;
                let fence = self.site.start(&self.store, self.now).await;
                let pairs: Vec<_> = tags
                    .iter()
                    .map(|(tag, content)| (format!("t{tag}"), content.to_string()))
                    .collect();
                let pairs: Vec<_> = pairs
                    .iter()
                    .map(|(tag, content)| (tag.as_str(), content.as_str()))
                    .collect();
                let commit = commit_of(&format!("r{repository}"), &pairs, RepositoryOutcome::Listed);
                self.store
                    .commit_repository(&fence, &commit, at(self.now))
                    .await
                    .unwrap();
                let (run, entry) = (fence.attempt.run, note());
                let cancelled = self.store.cancel_run(self.site.tenant, run, at(self.now), &entry);
                cancelled.await.unwrap();
                self.model.commit(repository, &tags);
            }
            Step::Read(limit) => {
                self.read(limit).await;
            }
            Step::Restart => {
                self.store.close().await;
                self.store = SqliteStore::open(&self.path()).await.unwrap();
                // The reader keeps its place as people do: as text.
                self.next = self.next.to_string().parse().unwrap();
            }
        }
    }

    async fn read(&mut self, limit: u32) -> bool {
        let page = self
            .store
            .changes(self.site.tenant, None, &self.next, limit)
            .await
            .unwrap()
            .unwrap();
        for change in page.items {
            let Changed::Tag(tag) = change.what else {
                panic!("no registry was removed");
            };
            self.told
                .push((tag.repository.to_string(), tag.tag.to_string(), tag.change));
        }
        self.next = page.next;
        page.at_end
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_committed_is_told_once_and_in_order(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut scene = Scene::new().await;
            for step in steps {
                scene.step(step).await;
                assert!(scene.model.ledger.starts_with(&scene.told), "{:?}", scene.told);
            }
            while !scene.read(2).await {}
            assert_eq!(scene.told, scene.model.ledger);
            scene.store.close().await;
        });
    }
}

#[tokio::test]
async fn entries_of_a_release_that_does_not_number_them_are_numbered_behind_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portolan.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let site = Site::new(&store).await;
    let neighbour = Site::new(&store).await;
    for (site, seconds) in [(&site, 10), (&neighbour, 11), (&site, 20), (&site, 30)] {
        let fence = site.start(&store, seconds).await;
        let commit = commit_of("a", &[("1", &seconds.to_string())], RepositoryOutcome::Listed);
        store
            .commit_repository(&fence, &commit, at(seconds))
            .await
            .unwrap();
        store
            .cancel_run(site.tenant, fence.attempt.run, at(seconds), &note())
            .await
            .unwrap();
    }
    store.close().await;
    let url = format!("sqlite://{}", path.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    for statement in [
        "UPDATE ledger_entry SET feed_no = NULL, learnt = NULL, sensor_id = NULL WHERE feed_no > 1",
        "UPDATE tenant SET feed_no = 1",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let told = store
        .changes(site.tenant, None, &FeedPosition::default(), 10)
        .await
        .unwrap()
        .unwrap();
    let told: Vec<_> = told
        .items
        .iter()
        .map(|change| (change.position.entry, change.noticed_at))
        .collect();
    assert_eq!(told, [(1, at(10)), (2, at(20)), (3, at(30))]);
    assert_eq!(
        store.feed_end(neighbour.tenant).await.unwrap(),
        FeedPosition::behind(1)
    );
    let (name, page) = ("a".parse().unwrap(), PageRequest::first());
    let history = store
        .history(site.tenant, site.registry, &name, None, &page)
        .await;
    let newest = history.unwrap().items.remove(0);
    assert_eq!((newest.learnt.trigger, newest.learnt.sensor), (None, None));
    store.close().await;
}

/// Entries of another registry, as many as one call looks at and half as many again.
const OTHERS: i64 = 150_000;

#[tokio::test]
async fn of_other_registries_one_call_passes_over_so_many_and_says_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portolan.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let site = Site::new(&store).await;
    let other = site.beside(&store, "other").await;
    for (site, seconds) in [(&other, 10), (&site, 20)] {
        let fence = site.start(&store, seconds).await;
        let commit = commit_of("a", &[("1", "one")], RepositoryOutcome::Listed);
        store
            .commit_repository(&fence, &commit, at(seconds))
            .await
            .unwrap();
    }
    store.close().await;
    let url = format!("sqlite://{}", path.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    for statement in [
        "UPDATE ledger_entry SET feed_no = feed_no + ?1 WHERE feed_no = 2",
        "UPDATE tenant SET feed_no = feed_no + ?1 WHERE feed_no = 2",
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
         INSERT INTO ledger_entry (tenant_id, repository_no, entry_no, run_id, noticed_at, feed_no)
         SELECT tenant_id, repository_no, entry_no + n, run_id, noticed_at, feed_no + n FROM ledger_entry CROSS JOIN n WHERE feed_no = 1",
        "INSERT INTO ledger (tenant_id, repository_no, entry_no, tag, digest_before, digest_after)
         SELECT ledger.tenant_id, ledger.repository_no, ledger_entry.entry_no, tag, digest_after, digest_after
         FROM ledger JOIN ledger_entry USING (tenant_id, repository_no) WHERE ledger.entry_no = 1 AND ledger_entry.entry_no > 1",
    ] {
        sqlx::query(statement).bind(OTHERS).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let (mut next, mut pages, mut told) = (FeedPosition::default(), 0, 0);
    loop {
        let page = store
            .changes(site.tenant, Some(site.registry), &next, 10)
            .await
            .unwrap()
            .unwrap();
        assert!(page.next > next, "it goes on");
        (next, pages, told) = (page.next, pages + 1, told + page.items.len());
        if page.at_end {
            break;
        }
    }
    assert_eq!((pages, told), (2, 1));
    store.close().await;
}
