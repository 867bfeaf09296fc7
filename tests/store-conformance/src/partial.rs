//! Commits of some tags of a repository: what events named was looked at, the rest was not.

use portolan_shared::model::{RepositoryOutcome, TagName, limits};
use portolan_store::{
    Fence, LedgerChange, LedgerRow, OfferedRepository, PageRequest, RepositoryCommit, RepositoryCommitted,
    RepositoryRecord, RunChanges, RunClosing, Store, StoreError,
};

use crate::site::{Site, at, commit_of, digest, image_of, name, present, put, whole};

fn names(names: &[&str]) -> Vec<TagName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// These tags of "a" were asked for; of them there are those.
fn part(only: &[&str], tags: &[(&str, &str)], left_out: &[&str]) -> RepositoryCommit {
    RepositoryCommit {
        only: Some(names(only)),
        left_out: names(left_out),
        ..commit_of("a", tags, RepositoryOutcome::Listed)
    }
}

fn counts(appeared: u32, moved: u32, vanished: u32, left_out: u32) -> RepositoryCommitted {
    RepositoryCommitted {
        appeared,
        moved,
        vanished,
        left_out,
    }
}

async fn repository(store: &dyn Store, site: &Site) -> Option<RepositoryRecord> {
    let found = store.repository(site.tenant, site.registry, &name("a")).await;
    found.unwrap()
}

async fn ledger(store: &dyn Store, site: &Site, rows: u16) -> Vec<LedgerRow> {
    let page = PageRequest {
        after: None,
        limit: rows,
    };
    let found = store
        .history(site.tenant, site.registry, &name("a"), None, &page)
        .await;
    found.unwrap().items
}

async fn commit(
    store: &dyn Store,
    fence: &Fence,
    commit: &RepositoryCommit,
    seconds: i64,
) -> RepositoryCommitted {
    store.commit_repository(fence, commit, at(seconds)).await.unwrap()
}

/// Whether a tag set of "a" counts as changed when a further run offers it.
async fn is_changed(store: &dyn Store, site: &Site, set: &RepositoryCommit, seconds: i64) -> bool {
    let fence = site.start(store, seconds).await;
    let offer = OfferedRepository {
        repository: name("a"),
        state_hash: set.state_hash,
        tags: u32::try_from(set.tags.len()).unwrap(),
        age: set.age,
    };
    let changed = store
        .offer_repositories(&fence, &[offer], at(seconds))
        .await
        .unwrap();
    // Nothing vanishes by it.
    let cut = RunClosing {
        discovery_complete: false,
        ..whole(1)
    };
    store.close_run(&fence, &cut, at(seconds)).await.unwrap();
    changed == [true]
}

/// Of a thousand tags, the others are as they were; when the repository was last listed stays as it was, too.
pub async fn in_part_tags_appear_move_and_vanish_and_the_rest_stays(store: &dyn Store) {
    let site = Site::new(store).await;
    let tags: Vec<String> = (0..1_000).map(|i| format!("t{i:03}")).collect();
    let tags: Vec<(&str, &str)> = tags.iter().map(|tag| (tag.as_str(), "one")).collect();
    site.sync(store, &[("a", &tags)], 10).await;
    let before = repository(store, &site).await.unwrap();
    assert!(
        !is_changed(
            store,
            &site,
            &commit_of("a", &tags, RepositoryOutcome::Listed),
            12
        )
        .await
    );

    let lines = ["a:new", "a:t001", "a:t002", "a:t003"];
    let fence = site.start_event_run(store, &lines, 20).await;
    let seen = part(
        &["new", "t001", "t002", "t003"],
        &[("new", "new"), ("t001", "moved"), ("t003", "one")],
        &[],
    );
    assert_eq!(commit(store, &fence, &seen, 21).await, counts(1, 1, 1, 0));
    assert_eq!(
        commit(store, &fence, &seen, 22).await,
        counts(0, 0, 0, 0),
        "again"
    );
    let closed = store.close_run(&fence, &whole(1), at(23)).await.unwrap();
    assert_eq!(closed.repositories_vanished, 0);

    let after = repository(store, &site).await.unwrap();
    assert_eq!(after.tags, 1_000);
    assert_eq!(after.last_success_at, Some(at(12)));
    assert_eq!(after.outcome, RepositoryOutcome::Unchanged);
    assert_eq!(
        (after.first_seen_at, after.last_attempt_at),
        (before.first_seen_at, at(21))
    );
    let mut expected: Vec<(&str, &str)> = tags.iter().copied().filter(|(tag, _)| *tag != "t002").collect();
    expected[1].1 = "moved";
    expected.insert(0, ("new", "new"));
    let page = PageRequest {
        after: None,
        limit: 1_000,
    };
    let stored = store
        .tags(site.tenant, site.registry, &name("a"), &page)
        .await
        .unwrap();
    let mut rows = stored.items;
    if let Some(next) = stored.next {
        let page = PageRequest {
            after: Some(next),
            limit: 1_000,
        };
        let more = store
            .tags(site.tenant, site.registry, &name("a"), &page)
            .await
            .unwrap();
        rows.extend(more.items);
    }
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row.tag.as_str(), row.digest.clone()))
        .collect();
    let wanted: Vec<_> = expected
        .iter()
        .map(|(tag, content)| (*tag, digest(content)))
        .collect();
    assert!(found.len() > 99 && found[..] == wanted[..found.len()]);
    assert!(rows[1].since < at(20) && rows[0].since == at(21) && rows[2].since == at(21));

    let rows = ledger(store, &site, 4).await;
    let news: Vec<_> = rows[..3]
        .iter()
        .map(|row| (row.tag.as_str(), row.change.clone()))
        .collect();
    let vanished = LedgerChange::Vanished(digest("one"));
    assert!(news.contains(&("t002", vanished)), "{news:?}");
    assert!(
        news.contains(&("new", LedgerChange::Appeared(digest("new")))),
        "{news:?}"
    );
    assert!(
        news.iter()
            .any(|(tag, change)| *tag == "t001" && matches!(change, LedgerChange::Moved { .. }))
    );
    for row in &rows[..3] {
        assert_eq!((row.noticed_at, row.learnt.run), (at(21), fence.attempt.run));
        assert_eq!(
            row.not_before,
            Some(at(12)),
            "the last time that all of it was listed"
        );
    }
    assert_eq!(rows[3].noticed_at, at(10));
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    let changes = RunChanges {
        appeared: 1,
        moved: 1,
        vanished: 1,
        left_out: 0,
    };
    assert_eq!(
        (run.changes, run.coverage.listed, run.coverage.tags),
        (changes, 1, 3)
    );

    assert!(
        is_changed(
            store,
            &site,
            &commit_of("a", &tags, RepositoryOutcome::Listed),
            30
        )
        .await
    );
    let now = commit_of("a", &expected, RepositoryOutcome::Listed);
    assert!(
        is_changed(store, &site, &now, 31).await,
        "what the whole hashes to is not known"
    );
}

/// What was looked at is as it was: the next run need not list it again.
pub async fn a_look_that_finds_nothing_new_forgets_nothing(store: &dyn Store) {
    let site = Site::new(store).await;
    let tags = [("1", "one"), ("2", "two")];
    site.sync(store, &[("a", &tags)], 10).await;
    let fence = site.start_event_run(store, &["a:1", "a:gone"], 20).await;
    let seen = part(&["1", "gone"], &[("1", "one")], &[]);
    assert_eq!(commit(store, &fence, &seen, 21).await, counts(0, 0, 0, 0));
    store.close_run(&fence, &whole(1), at(22)).await.unwrap();
    assert_eq!(ledger(store, &site, 9).await.len(), 2);
    assert!(
        !is_changed(
            store,
            &site,
            &commit_of("a", &tags, RepositoryOutcome::Listed),
            30
        )
        .await
    );
}

/// It still exists, and the ledger says so.
pub async fn in_part_what_the_filter_leaves_out_has_not_vanished(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one"), ("2", "two"), ("3", "three")])], 10)
        .await;
    let fence = site.start_event_run(store, &["a:1", "a:2", "a:4"], 20).await;
    let seen = part(&["1", "2", "4"], &[], &["2", "4"]);
    assert_eq!(commit(store, &fence, &seen, 21).await, counts(0, 0, 1, 1));
    assert_eq!(repository(store, &site).await.unwrap().tags, 1);
    let rows = ledger(store, &site, 2).await;
    let news: Vec<_> = rows.iter().map(|row| row.change.clone()).collect();
    assert!(news.contains(&LedgerChange::LeftOut(digest("two"))), "{news:?}");
    assert!(news.contains(&LedgerChange::Vanished(digest("one"))), "{news:?}");
}

/// It is made if there is something in it, and only then.
pub async fn in_part_an_unknown_repository_is_made_by_what_is_in_it(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start_event_run(store, &["a:1", "a:2"], 10).await;
    let nothing = part(&["1", "2"], &[], &[]);
    assert_eq!(commit(store, &fence, &nothing, 11).await, counts(0, 0, 0, 0));
    assert!(repository(store, &site).await.is_none());
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!(
        (run.coverage.listed, run.coverage.tags),
        (1, 0),
        "but it was looked at"
    );
    store.close_run(&fence, &whole(1), at(12)).await.unwrap();

    let fence = site.start_event_run(store, &["a:1", "a:2"], 20).await;
    let content = [put(image_of("one"))];
    store.put_content(&fence, &content, at(20)).await.unwrap();
    let one = part(&["1", "2"], &[("1", "one")], &[]);
    assert_eq!(commit(store, &fence, &one, 21).await, counts(1, 0, 0, 0));
    store.close_run(&fence, &whole(1), at(22)).await.unwrap();
    let made = repository(store, &site).await.unwrap();
    assert_eq!(
        (made.tags, made.first_seen_at, made.last_success_at),
        (1, at(21), None)
    );
    let all = commit_of("a", &[("1", "one")], RepositoryOutcome::Listed);
    assert!(is_changed(store, &site, &all, 30).await, "it was never listed");
}

/// With its ledger, and what had vanished with it stays away.
pub async fn in_part_a_repository_that_had_vanished_comes_back(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one"), ("2", "two")])], 10)
        .await;
    site.sync(store, &[], 20).await;
    assert!(present(store, &site).await.is_empty());
    let fence = site.start_event_run(store, &["a:1", "a:9"], 30).await;
    assert_eq!(
        commit(store, &fence, &part(&["9"], &[], &[]), 31).await,
        counts(0, 0, 0, 0)
    );
    assert_eq!(repository(store, &site).await.unwrap().vanished_at, Some(at(20)));
    assert_eq!(
        commit(store, &fence, &part(&["1"], &[("1", "new")], &[]), 32).await,
        counts(1, 0, 0, 0)
    );
    let back = repository(store, &site).await.unwrap();
    assert_eq!(
        (back.vanished_at, back.tags, back.first_seen_at),
        (None, 1, at(10))
    );
    let rows = ledger(store, &site, 9).await;
    assert_eq!(rows.len(), 5);
    assert_eq!(rows[0].change, LedgerChange::Appeared(digest("new")));
    assert_eq!(present(store, &site).await, ["a"]);
}

/// Up to the bound of what a run may be narrowed to, sorted, and about nothing else.
pub async fn in_part_what_makes_no_sense_is_refused(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start_event_run(store, &["a:1"], 10).await;
    let one = [("1", "one")];
    for bad in [
        part(&[], &[], &[]),
        part(&["2", "1"], &one, &[]),
        part(&["1", "1"], &one, &[]),
        part(&["2"], &one, &[]),
        part(&["1"], &one, &["2"]),
        part(&["1"], &one, &["1"]),
    ] {
        let refused = store.commit_repository(&fence, &bad, at(11)).await;
        assert!(
            matches!(refused, Err(StoreError::Refused { .. })),
            "{:?}",
            bad.only
        );
    }
    let many: Vec<String> = (0..=limits::RUN_SCOPE_REFERENCES)
        .map(|i| format!("t{i:03}"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = store
        .commit_repository(&fence, &part(&many, &[], &[]), at(11))
        .await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })));
    assert!(repository(store, &site).await.is_none());
    let all: Vec<(&str, &str)> = many[1..].iter().map(|tag| (*tag, "one")).collect();
    let most = part(&many[1..], &all, &[]);
    assert_eq!(commit(store, &fence, &most, 12).await, counts(100, 0, 0, 0));
}

/// That some tags were looked at says nothing of when the others were not there yet.
pub async fn in_part_a_repository_is_not_known_to_have_had_no_other_tags(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start_event_run(store, &["a:1", "a:2"], 10).await;
    commit(store, &fence, &part(&["1"], &[("1", "one")], &[]), 11).await;
    commit(store, &fence, &part(&["2"], &[("2", "two")], &[]), 12).await;
    store.close_run(&fence, &whole(1), at(13)).await.unwrap();
    let all: &[(&str, &str)] = &[("1", "one"), ("2", "two"), ("3", "older than that")];
    site.sync(store, &[("a", all)], 20).await;
    let dated = ledger(store, &site, 9).await;
    assert_eq!(dated.len(), 3);
    assert!(dated.iter().all(|line| line.not_before.is_none()), "{dated:?}");
    site.sync(store, &[("a", &all[..2])], 30).await;
    assert_eq!(ledger(store, &site, 1).await[0].not_before, Some(at(20)));
}
