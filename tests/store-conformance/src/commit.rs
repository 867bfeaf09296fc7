//! Tag sets and the ledger.

use std::time::Duration;

use portolan_shared::model::{Finding, FindingCode, RepositoryOutcome, RunId, StateHash, limits};
use portolan_store::{
    LedgerChange, LedgerRow, PageRequest, RepositoryCommit, RepositoryCommitted, RunChanges, Store,
    StoreError, TagObservation,
};

use crate::site::{Site, at, commit_of, digest, name, note, observation, state_hash};

const LISTED: RepositoryOutcome = RepositoryOutcome::Listed;

fn counts(appeared: u32, moved: u32, vanished: u32) -> RepositoryCommitted {
    RepositoryCommitted {
        appeared,
        moved,
        vanished,
        left_out: 0,
    }
}

async fn history(store: &dyn Store, site: &Site, tag: Option<&str>) -> Vec<LedgerRow> {
    let tag = tag.map(|tag| tag.parse().unwrap());
    let mut rows = Vec::new();
    let mut page = PageRequest {
        after: None,
        limit: 2,
    };
    loop {
        let found = store
            .history(site.tenant, site.registry, &name("a"), tag.as_ref(), &page)
            .await
            .unwrap();
        rows.extend(found.items);
        let Some(next) = found.next else { return rows };
        page.after = Some(next);
    }
}

type Line = (String, LedgerChange, i64, Option<i64>, RunId);

fn lines(rows: &[LedgerRow]) -> Vec<Line> {
    rows.iter()
        .map(|row| {
            (
                row.tag.as_str().to_owned(),
                row.change.clone(),
                row.noticed_at.as_second(),
                row.not_before.map(jiff::Timestamp::as_second),
                row.learnt.run,
            )
        })
        .collect()
}

/// The ledger says what, when at the latest, when at the earliest, and by which run.
pub async fn tags_appear_move_and_vanish_with_their_times(store: &dyn Store) {
    let site = Site::new(store).await;
    let first = site.start(store, 10).await;
    let commit = commit_of("a", &[("1", "one"), ("2", "two"), ("3", "three")], LISTED);
    assert_eq!(
        store.commit_repository(&first, &commit, at(10)).await.unwrap(),
        counts(3, 0, 0)
    );
    store
        .cancel_run(site.tenant, first.attempt.run, at(11), &note())
        .await
        .unwrap();
    let second = site.start(store, 20).await;
    let commit = commit_of("a", &[("1", "one"), ("2", "other"), ("4", "four")], LISTED);
    assert_eq!(
        store.commit_repository(&second, &commit, at(20)).await.unwrap(),
        counts(1, 1, 1)
    );
    let moved = LedgerChange::Moved {
        from: digest("two"),
        to: digest("other"),
    };
    let (early, late) = (at(10).as_second(), at(20).as_second());
    let line = |tag: &str, change, noticed, not_before, fence: &portolan_store::Fence| {
        (tag.to_owned(), change, noticed, not_before, fence.attempt.run)
    };
    let expected = [
        line(
            "4",
            LedgerChange::Appeared(digest("four")),
            late,
            Some(early),
            &second,
        ),
        line(
            "3",
            LedgerChange::Vanished(digest("three")),
            late,
            Some(early),
            &second,
        ),
        line("2", moved, late, Some(early), &second),
        line("3", LedgerChange::Appeared(digest("three")), early, None, &first),
        line("2", LedgerChange::Appeared(digest("two")), early, None, &first),
        line("1", LedgerChange::Appeared(digest("one")), early, None, &first),
    ];
    assert_eq!(lines(&history(store, &site, None).await), expected);
    assert_eq!(
        lines(&history(store, &site, Some("3")).await),
        [expected[1].clone(), expected[3].clone()]
    );
    let tag = |text: &str| {
        let tag = text.parse().unwrap();
        async move {
            store
                .tag(site.tenant, site.registry, &name("a"), &tag)
                .await
                .unwrap()
        }
    };
    let (one, two) = (tag("1").await.unwrap(), tag("2").await.unwrap());
    assert_eq!((one.first_seen_at, one.since), (at(10), at(10)));
    assert_eq!(
        (two.first_seen_at, two.since, two.digest),
        (at(10), at(20), digest("other"))
    );
    assert!(tag("3").await.is_none());
    let run = store.run(site.tenant, second.attempt.run).await.unwrap().unwrap();
    let changes = RunChanges {
        appeared: 1,
        moved: 1,
        vanished: 1,
        left_out: 0,
    };
    assert_eq!(run.changes, changes);
    let record = store
        .repository(site.tenant, site.registry, &name("a"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (record.tags, record.first_seen_at, record.last_success_at),
        (3, at(10), Some(at(20)))
    );
}

/// What lies beyond the bound was not seen, which is not the same as gone.
pub async fn a_truncated_listing_removes_nothing(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    store
        .commit_repository(
            &fence,
            &commit_of("a", &[("1", "one"), ("2", "two")], LISTED),
            at(10),
        )
        .await
        .unwrap();
    let mut truncated = commit_of(
        "a",
        &[("0", "zero"), ("1", "other")],
        RepositoryOutcome::Truncated,
    );
    truncated.finding = Some(Finding::new(FindingCode::RepositoryTruncated, "more than 2"));
    let done = store.commit_repository(&fence, &truncated, at(20)).await.unwrap();
    assert_eq!(done, counts(1, 1, 0));
    let record = store
        .repository(site.tenant, site.registry, &name("a"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((record.tags, record.outcome), (3, RepositoryOutcome::Truncated));
    assert_eq!(
        (record.last_attempt_at, record.last_success_at),
        (at(20), Some(at(10)))
    );
    let coverage = store
        .run_coverage(site.tenant, fence.attempt.run, None, &PageRequest::first())
        .await
        .unwrap();
    assert_eq!(coverage.items.len(), 1);
    assert_eq!(coverage.items[0].finding, truncated.finding);
    let whole = commit_of("a", &[("1", "other")], LISTED);
    assert_eq!(
        store.commit_repository(&fence, &whole, at(30)).await.unwrap(),
        counts(0, 0, 2)
    );
    let rows = history(store, &site, Some("2")).await;
    assert_eq!(
        rows[0].not_before,
        Some(at(10)),
        "it was last seen by the whole listing"
    );
}

/// Its tags were listed to the end; its content was not read to the end.
pub async fn an_incomplete_commit_removes_but_is_no_success(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    store
        .commit_repository(
            &fence,
            &commit_of("a", &[("1", "one"), ("2", "two")], LISTED),
            at(10),
        )
        .await
        .unwrap();
    let incomplete = commit_of("a", &[("1", "one")], RepositoryOutcome::Incomplete);
    assert_eq!(
        store
            .commit_repository(&fence, &incomplete, at(20))
            .await
            .unwrap(),
        counts(0, 0, 1)
    );
    let record = store
        .repository(site.tenant, site.registry, &name("a"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (record.outcome, record.last_success_at),
        (RepositoryOutcome::Incomplete, Some(at(10)))
    );
}

/// The acknowledgement was lost.
pub async fn repeating_a_commit_changes_nothing(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let commit = commit_of("a", &[("1", "one")], LISTED);
    store.commit_repository(&fence, &commit, at(10)).await.unwrap();
    assert_eq!(
        store.commit_repository(&fence, &commit, at(20)).await.unwrap(),
        counts(0, 0, 0)
    );
    let record = store
        .repository(site.tenant, site.registry, &name("a"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.last_attempt_at, at(10));
    assert_eq!(history(store, &site, None).await.len(), 1);
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!((run.changes.appeared, run.coverage.listed), (1, 1));
}

/// At the bound it works, above it nothing happens.
pub async fn unsorted_or_too_many_tags_are_refused(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let tags: Vec<TagObservation> = (0..=limits::TAGS_PER_REPOSITORY)
        .map(|i| observation(&format!("t{i:06}"), "one"))
        .collect();
    let commit = |tags: &[TagObservation]| RepositoryCommit {
        only: None,
        repository: name("a"),
        tags: tags.to_vec(),
        left_out: Vec::new(),
        state_hash: state_hash(tags),
        outcome: LISTED,
        finding: None,
        age: Duration::ZERO,
    };
    for bad in [
        tags.clone(),
        vec![observation("2", "one"), observation("1", "one")],
        vec![observation("1", "one"), observation("1", "two")],
    ] {
        let refused = store.commit_repository(&fence, &commit(&bad), at(10)).await;
        assert!(matches!(refused, Err(StoreError::Refused { .. })));
    }
    assert!(
        store
            .repository(site.tenant, site.registry, &name("a"))
            .await
            .unwrap()
            .is_none()
    );
    let most = commit(&tags[1..]);
    let done = store.commit_repository(&fence, &most, at(10)).await.unwrap();
    assert_eq!(done, counts(100_000, 0, 0));
    assert_eq!(store.totals(site.tenant).await.unwrap().tags, 100_000);
    let none = commit(&[]);
    assert_eq!(
        store.commit_repository(&fence, &none, at(20)).await.unwrap(),
        counts(0, 0, 100_000)
    );
}

/// Only what comes of a listing can be committed.
pub async fn what_cannot_be_committed_is_refused(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    for outcome in RepositoryOutcome::ALL {
        let commit = commit_of("a", &[], *outcome);
        let done = store.commit_repository(&fence, &commit, at(10)).await;
        let good = matches!(
            outcome,
            RepositoryOutcome::Listed | RepositoryOutcome::Incomplete | RepositoryOutcome::Truncated
        );
        assert_eq!(done.is_ok(), good, "{outcome}");
    }
}

/// Carried and listed, never computed. All that is known of a tag comes back.
pub async fn tags_of_any_digest_algorithm_are_kept(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let mut tags = vec![
        observation("1", "one"),
        observation("2", "two"),
        observation("3", "three"),
    ];
    tags[0].digest = "blake3:0a1b".parse().unwrap();
    tags[1].digest = format!("sha512:{}", "ab".repeat(64)).parse().unwrap();
    tags[1].media_type = Some("application/vnd.example+json".parse().unwrap());
    tags[2].media_type = None;
    tags[2].pushed_at = Some(at(-5));
    let commit = |tags: &[TagObservation], state_hash| RepositoryCommit {
        only: None,
        repository: name("a"),
        tags: tags.to_vec(),
        left_out: Vec::new(),
        state_hash,
        outcome: LISTED,
        finding: None,
        age: Duration::ZERO,
    };
    store
        .commit_repository(&fence, &commit(&tags, state_hash(&tags)), at(10))
        .await
        .unwrap();
    let compare = |tags: Vec<TagObservation>| async move {
        let found = store
            .tags(site.tenant, site.registry, &name("a"), &PageRequest::first())
            .await
            .unwrap();
        let found: Vec<_> = found
            .items
            .into_iter()
            .map(|record| TagObservation {
                tag: record.tag,
                digest: record.digest,
                media_type: record.media_type,
                size: record.size,
                pushed_at: record.pushed_at,
            })
            .collect();
        assert_eq!(found, tags);
    };
    compare(tags.clone()).await;
    tags[0].pushed_at = Some(at(-1));
    tags[0].size = 77;
    let done = store
        .commit_repository(&fence, &commit(&tags, StateHash([8; 32])), at(20))
        .await
        .unwrap();
    assert_eq!(done, counts(0, 0, 0), "knowing more of a tag is no change of it");
    compare(tags).await;
}
