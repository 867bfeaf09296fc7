//! Tags that exist and that a registry's filter leaves out.

use portolan_shared::model::{RepositoryOutcome, TagName, limits};
use portolan_store::{LedgerChange, PageRequest, RepositoryCommit, RepositoryCommitted, Store, StoreError};

use crate::site::{Site, at, commit_of, digest, name, whole};

fn names(names: &[&str]) -> Vec<TagName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn commit(tags: &[(&str, &str)], left_out: &[&str], outcome: RepositoryOutcome) -> RepositoryCommit {
    RepositoryCommit {
        left_out: names(left_out),
        ..commit_of("a", tags, outcome)
    }
}

/// Newest first, and tags of one commit in reverse order.
async fn changes(store: &dyn Store, site: &Site) -> Vec<(String, LedgerChange)> {
    let page = store
        .history(
            site.tenant,
            site.registry,
            &name("a"),
            None,
            &PageRequest::first(),
        )
        .await
        .unwrap();
    let change = |row: portolan_store::LedgerRow| (row.tag.to_string(), row.change);
    page.items.into_iter().map(change).collect()
}

async fn tags(store: &dyn Store, site: &Site) -> Vec<String> {
    let page = store
        .tags(site.tenant, site.registry, &name("a"), &PageRequest::first())
        .await
        .unwrap();
    page.items.iter().map(|record| record.tag.to_string()).collect()
}

/// The ledger and the account of the run tell them apart from those that are gone.
pub async fn what_the_filter_leaves_out_has_not_vanished(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let all = commit(
        &[("1", "one"), ("2", "two"), ("3", "three")],
        &[],
        RepositoryOutcome::Listed,
    );
    store.commit_repository(&fence, &all, at(11)).await.unwrap();
    store.close_run(&fence, &whole(1), at(12)).await.unwrap();
    let fence = site.start(store, 20).await;
    let narrowed = commit(&[("1", "one")], &["2", "unknown"], RepositoryOutcome::Listed);
    let counts = store.commit_repository(&fence, &narrowed, at(21)).await.unwrap();
    let expected = RepositoryCommitted {
        vanished: 1,
        left_out: 1,
        ..RepositoryCommitted::default()
    };
    assert_eq!(counts, expected);
    let again = store.commit_repository(&fence, &narrowed, at(22)).await.unwrap();
    assert_eq!(again, RepositoryCommitted::default());
    assert_eq!(tags(store, &site).await, ["1"]);
    let history = changes(store, &site).await;
    let three = ("3".to_owned(), LedgerChange::Vanished(digest("three")));
    let two = ("2".to_owned(), LedgerChange::LeftOut(digest("two")));
    assert_eq!(history[..2], [three, two]);
    let running = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!(running.coverage.tags_filtered, 2);
    let closing = portolan_store::RunClosing {
        tags_filtered: 7,
        ..whole(1)
    };
    store.close_run(&fence, &closing, at(23)).await.unwrap();
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!((run.changes.vanished, run.changes.left_out), (1, 1));
    assert_eq!(run.coverage.tags_filtered, 7);
    let record = store
        .repository(site.tenant, site.registry, &name("a"))
        .await
        .unwrap();
    assert_eq!(record.unwrap().tags, 1);
    // Taken in again, it appears.
    let fence = site.start(store, 30).await;
    let widened = commit(&[("1", "one"), ("2", "two")], &[], RepositoryOutcome::Listed);
    store.commit_repository(&fence, &widened, at(31)).await.unwrap();
    let back = ("2".to_owned(), LedgerChange::Appeared(digest("two")));
    assert_eq!(changes(store, &site).await[0], back);
}

/// That a tag exists is known whatever else of the listing is missing.
pub async fn a_truncated_listing_leaves_out_what_it_names_and_nothing_vanishes(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let all = commit(
        &[("1", "one"), ("2", "two"), ("3", "three")],
        &[],
        RepositoryOutcome::Listed,
    );
    store.commit_repository(&fence, &all, at(11)).await.unwrap();
    let cut = commit(&[("1", "one")], &["2"], RepositoryOutcome::Truncated);
    let counts = store.commit_repository(&fence, &cut, at(12)).await.unwrap();
    assert_eq!((counts.left_out, counts.vanished), (1, 0));
    assert_eq!(tags(store, &site).await, ["1", "3"]);
}

/// Out of order, twice, or among the tags; at the bound it works, above it nothing happens.
pub async fn names_that_make_no_sense_are_refused(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    for left_out in [&["3", "2"][..], &["2", "2"], &["1"]] {
        let bad = commit(&[("1", "one")], left_out, RepositoryOutcome::Listed);
        let refused = store.commit_repository(&fence, &bad, at(11)).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::Refused { .. }),
            "{left_out:?}: {refused}"
        );
    }
    let mut many = commit(&[("1", "one")], &[], RepositoryOutcome::Listed);
    many.left_out = (0..=limits::TAGS_LEFT_OUT)
        .map(|number| format!("t{number:06}").parse().unwrap())
        .collect();
    let refused = store.commit_repository(&fence, &many, at(11)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused { .. }), "{refused}");
    many.left_out.pop();
    store.commit_repository(&fence, &many, at(11)).await.unwrap();
}
