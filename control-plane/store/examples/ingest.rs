//! How fast tag sets are taken in, beside a bare loop of inserts into the same tables, and how fast pages are over what was taken in.
//!
//! `cargo run --release -p portolan-store --example ingest [TAGS]`: about a million tags if none are given.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has nothing to clean up"
)]

use std::time::Duration;

use portolan_shared::model::{Digest, MediaType, RepositoryOutcome, StateHash};
use portolan_shared::process::{Clock as _, Rng as _, SeededRng, SystemClock};
use portolan_store::sqlite::SqliteStore;
use portolan_store::{
    Fence, Images as _, Inventory as _, OfferedRepository, PageRequest, Registries as _, RepositoryCommit,
    RepositoryFilter, Runs as _, Store as _, TagObservation,
};
use portolan_store_conformance::{Site, at, note};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

#[tokio::main]
async fn main() {
    let tags: usize = std::env::args()
        .nth(1)
        .map_or(1_000_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let rng = SeededRng::new(1);

    let path = folder.path().join("bare.db");
    let bare = SqliteStore::open(&path).await.unwrap();
    bare.close().await;
    for size in [100, 100_000] {
        let sets = sets(&rng, "bare", (tags / 4).max(size), size);
        let took = bare_loop(&path, &sets).await;
        rate(&format!("bare loop, {size} tags each"), count(&sets), took);
    }

    let store = SqliteStore::open(&folder.path().join("portolan.db"))
        .await
        .unwrap();
    let site = Site::new(&store).await;
    let fence = site.start(&store, 10).await;
    let many = sets(&rng, "many", tags, 100);
    rate(
        "first commit, 100 tags each",
        count(&many),
        commit(&store, &fence, &many).await,
    );
    let large = sets(&rng, "large", (tags / 4).max(100_000), 100_000);
    rate(
        "first commit, 100,000 tags each",
        count(&large),
        commit(&store, &fence, &large).await,
    );
    let moved: Vec<_> = large.iter().map(|set| moved(&rng, set)).collect();
    rate(
        "one in twenty moved, 100,000 tags each",
        count(&moved),
        commit(&store, &fence, &moved).await,
    );

    rate(
        "read whole, 200 repositories at once",
        count(&many),
        read_whole(&store, &site, &many).await,
    );
    offers(&store, &site, &fence, &many).await;
    pages(&store, &site, &many, &large[0]).await;
    remove(&store, &site).await;
    store.close().await;
}

/// Tag sets of `size` tags each, with random digests, `total` tags in all.
fn sets(rng: &SeededRng, prefix: &str, total: usize, size: usize) -> Vec<RepositoryCommit> {
    (0..total / size)
        .map(|repository| {
            let tags = (0..size)
                .map(|tag| TagObservation {
                    tag: format!("v1.{tag:06}").parse().unwrap(),
                    digest: random_digest(rng),
                    media_type: Some(MediaType::OCI_MANIFEST),
                    size: 1_234,
                    pushed_at: Some(at(0)),
                })
                .collect();
            RepositoryCommit {
                only: None,
                repository: format!("{prefix}/group/project-{repository:05}").parse().unwrap(),
                tags,
                left_out: Vec::new(),
                state_hash: random_hash(rng),
                outcome: RepositoryOutcome::Listed,
                finding: None,
                age: Duration::ZERO,
            }
        })
        .collect()
}

fn random_digest(rng: &SeededRng) -> Digest {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes);
    Digest::Sha256(bytes)
}

fn random_hash(rng: &SeededRng) -> StateHash {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes);
    StateHash(bytes)
}

fn moved(rng: &SeededRng, set: &RepositoryCommit) -> RepositoryCommit {
    let mut set = set.clone();
    for seen in set.tags.iter_mut().step_by(20) {
        seen.digest = random_digest(rng);
    }
    set.state_hash = random_hash(rng);
    set
}

fn count(sets: &[RepositoryCommit]) -> usize {
    sets.iter().map(|set| set.tags.len()).sum()
}

async fn commit(store: &SqliteStore, fence: &Fence, sets: &[RepositoryCommit]) -> Duration {
    let start = SystemClock.uptime();
    for set in sets {
        store.commit_repository(fence, set, at(20)).await.unwrap();
    }
    SystemClock.uptime().since(start)
}

/// One transaction a set, one statement a tag, into the tags alone: no ledger, no comparison, no fence.
async fn bare_loop(path: &std::path::Path, sets: &[RepositoryCommit]) -> Duration {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("DELETE FROM tag")
        .execute(&mut connection)
        .await
        .unwrap();
    let start = SystemClock.uptime();
    for (number, set) in sets.iter().enumerate() {
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
        for seen in &set.tags {
            sqlx::query("INSERT INTO tag VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)")
                .bind([7_u8; 16].as_slice())
                .bind(i64::try_from(number).unwrap())
                .bind(seen.tag.as_str())
                .bind(seen.digest.to_bytes())
                .bind("oci")
                .bind(1_234_i64)
                .bind(0_i64)
                .bind(0_i64)
                .execute(&mut *tx)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }
    SystemClock.uptime().since(start)
}

/// Offers a thousand repositories at a time, none of them held, so that the comparison is all that is measured.
/// As a preview of filters reads them.
async fn read_whole(store: &SqliteStore, site: &Site, sets: &[RepositoryCommit]) -> Duration {
    let start = SystemClock.uptime();
    for group in sets.chunks(200) {
        let names: Vec<_> = group.iter().map(|set| set.repository.clone()).collect();
        let read = store.tag_sets(site.tenant, site.registry, &names).await.unwrap();
        assert!(
            read.iter()
                .zip(group)
                .all(|(read, set)| read.len() == set.tags.len())
        );
    }
    SystemClock.uptime().since(start)
}

async fn offers(store: &SqliteStore, site: &Site, fence: &Fence, sets: &[RepositoryCommit]) {
    let names: Vec<_> = sets
        .iter()
        .take(1_000)
        .map(|set| set.repository.clone())
        .collect();
    let empty: Vec<_> = names
        .iter()
        .map(|repository| RepositoryCommit {
            only: None,
            repository: format!("empty/{repository}").parse().unwrap(),
            tags: Vec::new(),
            left_out: Vec::new(),
            state_hash: StateHash([5; 32]),
            outcome: RepositoryOutcome::Listed,
            finding: None,
            age: Duration::ZERO,
        })
        .collect();
    commit(store, fence, &empty).await;
    let offered: Vec<_> = empty
        .iter()
        .map(|set| OfferedRepository {
            repository: set.repository.clone(),
            state_hash: set.state_hash,
            tags: 0,
            age: Duration::ZERO,
        })
        .collect();
    store
        .close_run(fence, &portolan_store::RunClosing::default(), at(29))
        .await
        .unwrap();
    let fence = site.start(store, 30).await;
    let start = SystemClock.uptime();
    let changed = store.offer_repositories(&fence, &offered, at(31)).await.unwrap();
    let took = SystemClock.uptime().since(start);
    assert!(changed.iter().all(|changed| !changed));
    println!("offer of {} unchanged repositories: {took:.2?}", offered.len());
}

async fn pages(store: &SqliteStore, site: &Site, many: &[RepositoryCommit], large: &RepositoryCommit) {
    let page = PageRequest {
        after: None,
        limit: 100,
    };
    let all = RepositoryFilter::default();
    let mut times: [Vec<Duration>; 4] = Default::default();
    let mut place = 0;
    for _ in 0..200 {
        place = (place + 7_919) % many.len();
        let set = &many[place];
        let seen = &set.tags[place % set.tags.len()];
        let start = SystemClock.uptime();
        store
            .tags(site.tenant, site.registry, &large.repository, &page)
            .await
            .unwrap();
        times[0].push(SystemClock.uptime().since(start));
        let start = SystemClock.uptime();
        store
            .history(
                site.tenant,
                site.registry,
                &large.repository,
                Some(&large.tags[place].tag),
                &page,
            )
            .await
            .unwrap();
        times[1].push(SystemClock.uptime().since(start));
        let start = SystemClock.uptime();
        let places = store.placements(site.tenant, &seen.digest, &page).await.unwrap();
        times[2].push(SystemClock.uptime().since(start));
        assert_eq!(places.page.items.len(), 1);
        let start = SystemClock.uptime();
        store.repositories(site.tenant, &all, &page).await.unwrap();
        times[3].push(SystemClock.uptime().since(start));
    }
    for (what, times) in ["tags", "history of a tag", "placements", "repositories"]
        .iter()
        .zip(&mut times)
    {
        times.sort();
        println!(
            "page of {what}: p50 {:.2?}, p99 {:.2?}",
            times[times.len() / 2],
            times[times.len() * 99 / 100]
        );
    }
}

/// For how long others who write have to wait while a registry is removed: for the removal, and then for one step of clearing away at a time.
async fn remove(store: &SqliteStore, site: &Site) {
    let (entry, begun) = (note(), SystemClock.uptime());
    let removed = store.remove_registry(site.tenant, site.registry, &entry, &|_| None);
    removed.await.unwrap().unwrap();
    let removal = SystemClock.uptime().since(begun);
    let (mut rows, mut longest) = (0, Duration::ZERO);
    let clearing = SystemClock.uptime();
    loop {
        let step = SystemClock.uptime();
        match store.clear_removed(2_000).await.unwrap() {
            0 => break,
            cleared => rows += cleared,
        }
        longest = longest.max(SystemClock.uptime().since(step));
    }
    println!(
        "registry removed in {removal:.2?}; {rows} rows cleared away in {:.2?}, longest step {longest:.2?}",
        SystemClock.uptime().since(clearing)
    );
}

fn rate(what: &str, tags: usize, took: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = tags as f64 / took.as_secs_f64();
    println!("{what}: {tags} tags in {took:.2?}, {rate:.0}/s");
}
