//! What a sensor tells at the end of a long look is as old as the beginning of it.

use std::time::Duration;

use portolan_shared::model::RepositoryOutcome;
use portolan_store::{
    FeedPosition, LedgerChange, LedgerRow, OfferedRepository, PageRequest, RepositoryCommit, Store,
};

use crate::feed;
use crate::heard::tag;
use crate::site::{Site, at, commit_of, digest, image_of, name, put, whole};

const HOUR: i64 = 3_600;
const TWO: &[(&str, &str)] = &[("1", "one"), ("2", "two")];

fn aged(tags: &[(&str, &str)], seconds: u64) -> RepositoryCommit {
    RepositoryCommit {
        age: Duration::from_secs(seconds),
        ..commit_of("a", tags, RepositoryOutcome::Listed)
    }
}

/// The newest line of a tag.
async fn newest(store: &dyn Store, site: &Site, tag: &str) -> LedgerRow {
    let tag = tag.parse().unwrap();
    let (tenant, registry) = (site.tenant, site.registry);
    let page = PageRequest::first();
    let lines = store
        .history(tenant, registry, &name("a"), Some(&tag), &page)
        .await;
    lines.unwrap().items.remove(0)
}

/// A run from one second to another, that tells of "a" at its end; listed as long before as is said.
async fn read(store: &dyn Store, site: &Site, (from, until): (i64, i64), commit: &RepositoryCommit) {
    let fence = site.start(store, from).await;
    let content: Vec<_> = commit
        .tags
        .iter()
        .map(|_| put(image_of("one")))
        .chain([put(image_of("two"))])
        .collect();
    store.put_content(&fence, &content, at(until)).await.unwrap();
    store.commit_repository(&fence, commit, at(until)).await.unwrap();
    store.close_run(&fence, &whole(1), at(until)).await.unwrap();
}

/// Listed at one o'clock, committed at two: a tag that was deleted at half past one was not there any more at two.
pub async fn a_tag_was_last_seen_when_its_listing_began(store: &dyn Store) {
    let site = Site::new(store).await;
    read(store, &site, (10, 2 * HOUR), &aged(TWO, 3_600)).await;
    assert_eq!(
        newest(store, &site, "2").await.noticed_at,
        at(2 * HOUR),
        "when it was noticed is another thing"
    );
    read(store, &site, (3 * HOUR, 4 * HOUR), &aged(&TWO[..1], 60)).await;
    let gone = newest(store, &site, "2").await;
    assert_eq!(gone.change, LedgerChange::Vanished(digest("two")));
    assert_eq!((gone.not_before, gone.noticed_at), (Some(at(HOUR)), at(4 * HOUR)));
    let told = feed::all(store, site.tenant, None, &FeedPosition::default(), 9).await;
    let portolan_store::Changed::Tag(change) = &told.last().unwrap().what else {
        panic!("{told:?}");
    };
    assert_eq!(change.not_before, Some(at(HOUR)));
}

/// A look at one tag is as old as it is, too, and so is a repository that is told to be as it was.
pub async fn looks_and_what_is_unchanged_are_as_old_as_their_beginning(store: &dyn Store) {
    let site = Site::new(store).await;
    read(store, &site, (10, 20), &aged(&TWO[..1], 0)).await;
    let look = site.start_event_run(store, &["a:2"], 100).await;
    let seen = RepositoryCommit {
        only: Some(vec!["2".parse().unwrap()]),
        ..aged(&TWO[1..], 30)
    };
    store.commit_repository(&look, &seen, at(200)).await.unwrap();
    store.close_run(&look, &whole(1), at(201)).await.unwrap();
    let look = site.start_event_run(store, &["a:2"], 300).await;
    let gone = RepositoryCommit {
        only: Some(vec!["2".parse().unwrap()]),
        ..aged(&[], 0)
    };
    store.commit_repository(&look, &gone, at(301)).await.unwrap();
    store.close_run(&look, &whole(1), at(302)).await.unwrap();
    assert_eq!(newest(store, &site, "2").await.not_before, Some(at(170)));

    read(store, &site, (390, 395), &aged(&TWO[..1], 0)).await;
    let fence = site.start(store, 400).await;
    let same = OfferedRepository {
        repository: name("a"),
        state_hash: aged(&TWO[..1], 0).state_hash,
        tags: 1,
        age: Duration::from_secs(50),
    };
    assert_eq!(
        store.offer_repositories(&fence, &[same], at(500)).await.unwrap(),
        [false]
    );
    store.close_run(&fence, &whole(1), at(501)).await.unwrap();
    read(store, &site, (600, 601), &aged(&[], 0)).await;
    assert_eq!(newest(store, &site, "1").await.not_before, Some(at(450)));
}

/// Whatever a sensor says: before its run was leased it has seen nothing.
pub async fn nothing_was_seen_before_its_run_began(store: &dyn Store) {
    let site = Site::new(store).await;
    read(store, &site, (100, 200), &aged(&TWO[..1], 1_000_000)).await;
    read(store, &site, (300, 301), &aged(TWO, 0)).await;
    assert_eq!(newest(store, &site, "2").await.not_before, Some(at(100)));
    let fence = site.start(store, 400).await;
    let same = OfferedRepository {
        repository: name("a"),
        state_hash: aged(TWO, 0).state_hash,
        tags: 2,
        age: Duration::MAX,
    };
    assert_eq!(
        store.offer_repositories(&fence, &[same], at(500)).await.unwrap(),
        [false]
    );
    store.close_run(&fence, &whole(1), at(501)).await.unwrap();
    read(store, &site, (600, 601), &aged(&TWO[..1], 0)).await;
    assert_eq!(newest(store, &site, "2").await.not_before, Some(at(400)));
}

/// A run that did not find a repository has looked for it some time after it began: what is in it again may be as old as that.
pub async fn what_vanished_may_have_come_back_before_its_run_ended(store: &dyn Store) {
    let site = Site::new(store).await;
    read(store, &site, (10, 20), &aged(&TWO[..1], 0)).await;
    let fence = site.start(store, 100).await;
    store.close_run(&fence, &whole(0), at(200)).await.unwrap();
    let gone = newest(store, &site, "1").await;
    assert_eq!((gone.not_before, gone.noticed_at), (Some(at(20)), at(200)));
    read(store, &site, (300, 310), &aged(&TWO[..1], 0)).await;
    assert_eq!(newest(store, &site, "1").await.not_before, Some(at(100)));
}

/// Behind the beginning of a listing events may have named what it did not see any more: that is no silence.
pub async fn what_events_name_during_a_listing_is_announced(store: &dyn Store) {
    let site = crate::heard::site(store).await;
    read(store, &site, (10, 20), &aged(&TWO[..1], 0)).await;
    let fence = site.start(store, 1_000).await;
    crate::heard::note(store, &site, &[tag("a", "2")], at(2_000)).await;
    let run = crate::heard::take(store, &site, at(2_001)).await.unwrap();
    let look = site.lease(store, run.id, 2_001).await;
    let in_vain = RepositoryCommit {
        only: Some(vec!["2".parse().unwrap()]),
        ..aged(&[], 0)
    };
    store.commit_repository(&look, &in_vain, at(2_002)).await.unwrap();
    store.close_run(&look, &whole(1), at(2_003)).await.unwrap();
    store
        .commit_repository(&fence, &aged(&TWO[..1], 3_000), at(4_000))
        .await
        .unwrap();
    store.close_run(&fence, &whole(1), at(4_000)).await.unwrap();
    read(store, &site, (5_000, 5_001), &aged(TWO, 0)).await;
    store.judge_silence(at(9_000)).await.unwrap();
    assert_eq!(site.record(store).await.unannounced_at, None);
}

/// A clock that was set back between two looks makes no time between them.
pub async fn no_change_was_later_than_it_was_noticed(store: &dyn Store) {
    let site = Site::new(store).await;
    read(store, &site, (1_000, 1_000), &aged(TWO, 0)).await;
    read(store, &site, (500, 500), &aged(&TWO[..1], 0)).await;
    let gone = newest(store, &site, "2").await;
    assert_eq!((gone.not_before, gone.noticed_at), (None, at(500)));
    for change in feed::all(store, site.tenant, None, &FeedPosition::default(), 9).await {
        if let portolan_store::Changed::Tag(tag) = &change.what {
            assert!(
                tag.not_before.is_none_or(|before| before <= change.noticed_at),
                "{change:?}"
            );
        }
    }
}
