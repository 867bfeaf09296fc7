//! The change feed: the ledger, in the order of its commits.

use portolan_shared::model::{RegistryId, RepositoryOutcome, RunTrigger, TenantId};
use portolan_store::{Change, Changed, FEED_PAGE, FeedPosition, LedgerChange, PageRequest, Retention, Store};

use crate::site::{Site, at, commit_of, digest, entries, name, note, noted, tenant, whole};

/// Everything behind a position, in pages of so many, until the end.
pub(crate) async fn all(
    store: &dyn Store,
    tenant: TenantId,
    registry: Option<RegistryId>,
    after: &FeedPosition,
    limit: u32,
) -> Vec<Change> {
    let mut found = Vec::new();
    let mut next = after.clone();
    loop {
        let page = store
            .changes(tenant, registry, &next, limit)
            .await
            .unwrap()
            .unwrap();
        assert!(page.items.len() <= usize::try_from(limit).unwrap());
        assert!(
            page.next >= next
                && page
                    .items
                    .iter()
                    .all(|item| next < item.position && item.position <= page.next)
        );
        found.extend(page.items);
        next = page.next;
        if page.at_end {
            return found;
        }
    }
}

fn lines(changes: &[Change]) -> Vec<(String, LedgerChange)> {
    let line = |change: &Change| match &change.what {
        Changed::Tag(tag) => {
            let name = format!("{}/{}:{}", change.registry_name, tag.repository, tag.tag);
            Some((name, tag.change.clone()))
        }
        Changed::RegistryRemoved => None,
    };
    changes.iter().filter_map(line).collect()
}

/// By commit, and within one by tag; however it is cut into pages; each change with how it was learnt.
pub async fn changes_come_in_the_order_of_their_commits(store: &dyn Store) {
    let site = Site::new(store).await;
    let begin = store.feed_end(site.tenant).await.unwrap();
    site.sync(
        store,
        &[("b", &[("2", "two"), ("1", "one")]), ("a", &[("1", "one")])],
        10,
    )
    .await;
    let fence = site.start(store, 20).await;
    let commit = commit_of("b", &[("1", "other")], RepositoryOutcome::Listed);
    store.commit_repository(&fence, &commit, at(20)).await.unwrap();
    store.close_run(&fence, &whole(1), at(21)).await.unwrap();
    let moved = LedgerChange::Moved {
        from: digest("one"),
        to: digest("other"),
    };
    let expected = [
        ("gl/b:1", LedgerChange::Appeared(digest("one"))),
        ("gl/b:2", LedgerChange::Appeared(digest("two"))),
        ("gl/a:1", LedgerChange::Appeared(digest("one"))),
        ("gl/b:1", moved),
        ("gl/b:2", LedgerChange::Vanished(digest("two"))),
        ("gl/a:1", LedgerChange::Vanished(digest("one"))),
    ]
    .map(|(name, change)| (name.to_owned(), change));
    for limit in [1, 2, 3, 4, FEED_PAGE] {
        let found = all(store, site.tenant, None, &begin, limit).await;
        assert_eq!(lines(&found), expected, "in pages of {limit}");
        let positions: Vec<_> = found.iter().map(|change| change.position.clone()).collect();
        assert!(
            positions.is_sorted_by(|left, right| left < right),
            "{positions:?}"
        );
        for (i, position) in positions.iter().enumerate() {
            let rest = all(store, site.tenant, None, position, limit).await;
            assert_eq!(lines(&rest), expected[i + 1..], "behind {position}");
        }
    }
    let found = all(store, site.tenant, None, &FeedPosition::default(), FEED_PAGE).await;
    let Changed::Tag(vanished) = &found[4].what else {
        panic!("{:?}", found[4]);
    };
    assert_eq!((found[4].noticed_at, vanished.not_before), (at(20), Some(at(10))));
    assert_eq!(vanished.learnt.trigger, Some(RunTrigger::Manual));
    assert_eq!(vanished.learnt.run, fence.attempt.run);
    assert_eq!(vanished.learnt.sensor, Some(site.sensor));
    assert_eq!(vanished.learnt.sensor_name.as_deref(), Some("edge"));
    let end = store.feed_end(site.tenant).await.unwrap();
    let page = store.changes(site.tenant, None, &end, 1).await.unwrap().unwrap();
    assert!(page.items.is_empty() && page.at_end && page.next == end);
}

/// A commit that changes nothing has no place in the feed.
pub async fn what_changes_nothing_is_not_told(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")])], 10).await;
    let end = store.feed_end(site.tenant).await.unwrap();
    site.sync(store, &[("a", &[("1", "one")])], 20).await;
    assert_eq!(store.feed_end(site.tenant).await.unwrap(), end);
}

/// Those of other registries are passed over, and not looked at again.
pub async fn changes_of_one_registry_are_told_apart(store: &dyn Store) {
    let one = Site::new(store).await;
    let other = one.beside(store, "other").await;
    one.sync(store, &[("a", &[("1", "one")])], 10).await;
    other
        .sync(store, &[("a", &[("1", "two"), ("2", "two")])], 11)
        .await;
    one.sync(store, &[("a", &[("1", "three")])], 12).await;
    other.sync(store, &[("a", &[("2", "two")])], 13).await;
    for limit in [1, 2, FEED_PAGE] {
        let begin = FeedPosition::default();
        let of_one = all(store, one.tenant, Some(one.registry), &begin, limit).await;
        assert_eq!(of_one.len(), 2);
        assert!(of_one.iter().all(|change| change.registry == one.registry));
        let of_other = all(store, one.tenant, Some(other.registry), &begin, limit).await;
        assert_eq!(of_other.len(), 3);
    }
    let behind_both = store.feed_end(one.tenant).await.unwrap();
    let page = store
        .changes(one.tenant, Some(one.registry), &FeedPosition::behind(3), 10)
        .await;
    assert_eq!(page.unwrap().unwrap().next, behind_both);
}

/// A registry that is removed takes its ledger along; that it was removed is said in its place, once.
pub async fn a_registry_that_goes_is_told_of(store: &dyn Store) {
    let gone = Site::new(store).await;
    let stays = gone.beside(store, "stays").await;
    gone.sync(store, &[("a", &[("1", "one"), ("2", "two")])], 10)
        .await;
    stays.sync(store, &[("a", &[("1", "one")])], 11).await;
    let half_way = FeedPosition {
        entry: 1,
        tag: Some("1".parse().unwrap()),
    };
    let removed = store
        .remove_registry(gone.tenant, gone.registry, &note(), &noted)
        .await;
    assert!(removed.unwrap().is_some());
    stays.sync(store, &[("a", &[("1", "two")])], 13).await;
    for (after, limit) in [
        (FeedPosition::default(), 1),
        (half_way, 1),
        (FeedPosition::default(), 9),
    ] {
        let found = all(store, gone.tenant, None, &after, limit).await;
        let told: Vec<_> = found
            .iter()
            .map(|change| (change.registry, &change.what))
            .collect();
        assert_eq!(told.len(), 3);
        assert_eq!(told[1], (gone.registry, &Changed::RegistryRemoved));
        assert_eq!((told[0].0, told[2].0), (stays.registry, stays.registry));
        assert_eq!(found[1].registry_name.as_str(), "gl");
        let rest = all(store, gone.tenant, None, &found[1].position, limit).await;
        assert_eq!(rest.len(), 1, "it is not told again");
    }
    let of_gone = all(
        store,
        gone.tenant,
        Some(gone.registry),
        &FeedPosition::default(),
        1,
    )
    .await;
    assert_eq!(of_gone.len(), 1);
    let of_stays = all(
        store,
        gone.tenant,
        Some(stays.registry),
        &FeedPosition::default(),
        1,
    )
    .await;
    assert_eq!(of_stays.len(), 2);
    let unknown = store
        .remove_registry(gone.tenant, gone.registry, &note(), &noted)
        .await;
    assert!(unknown.unwrap().is_none());
    assert_eq!(
        store.feed_end(gone.tenant).await.unwrap(),
        FeedPosition::behind(4)
    );
}

/// Numbers are a tenant's own.
pub async fn feeds_of_tenants_are_apart(store: &dyn Store) {
    let site = Site::new(store).await;
    let neighbour = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")])], 10).await;
    assert_eq!(
        store.feed_end(neighbour.tenant).await.unwrap(),
        FeedPosition::behind(0)
    );
    neighbour.sync(store, &[("b", &[("1", "one")])], 11).await;
    for tenant in [site.tenant, neighbour.tenant] {
        let found = all(store, tenant, None, &FeedPosition::default(), 10).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].position.entry, 1);
    }
    let crossed = all(
        store,
        neighbour.tenant,
        Some(site.registry),
        &FeedPosition::default(),
        10,
    )
    .await;
    assert!(crossed.is_empty());
    let present = store
        .present_tags(neighbour.tenant, Some(site.registry), None, 10)
        .await;
    assert!(present.unwrap().is_empty());
    let nobody = tenant(store).await;
    assert!(
        all(store, nobody, None, &FeedPosition::default(), 10)
            .await
            .is_empty()
    );
}

/// A database that was restored from a backup does not skip what comes next.
pub async fn a_position_ahead_of_the_feed_is_refused(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")])], 10).await;
    for ahead in ["3", "2:a", "9223372036854775807", "9223372036854775807:a"] {
        let ahead: FeedPosition = ahead.parse().unwrap();
        let refused = store.changes(site.tenant, None, &ahead, 10).await.unwrap();
        assert_eq!(refused, None, "{ahead}");
        assert!(!store.feed_holds(site.tenant, &ahead).await.unwrap(), "{ahead}");
    }
    for within in ["0", "0:a", "1", "1:0", "1:z", "2"] {
        let within: FeedPosition = within.parse().unwrap();
        assert!(
            store
                .changes(site.tenant, None, &within, 10)
                .await
                .unwrap()
                .is_some(),
            "{within}"
        );
        assert!(store.feed_holds(site.tenant, &within).await.unwrap(), "{within}");
    }
}

/// What is told while others commit is the order that stays: nothing is put in front of what was told already.
pub async fn concurrent_commits_do_not_overtake_a_reader(store: &dyn Store) {
    const REPOSITORIES: usize = 40;
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let fence = &fence;
    let commits = (0..REPOSITORIES).map(|i| async move {
        let commit = commit_of(
            &format!("r{i}"),
            &[("1", "one"), ("2", "two")],
            RepositoryOutcome::Listed,
        );
        store.commit_repository(fence, &commit, at(11)).await.unwrap();
    });
    let reader = async {
        let mut told = Vec::new();
        let mut next = FeedPosition::default();
        while told.len() < 2 * REPOSITORIES {
            let page = store.changes(site.tenant, None, &next, 3).await.unwrap().unwrap();
            told.extend(page.items);
            next = page.next;
        }
        told
    };
    let (_, told) = futures::join!(futures::future::join_all(commits), reader);
    let after = all(store, site.tenant, None, &FeedPosition::default(), FEED_PAGE).await;
    assert_eq!(told, after);
}

/// A tag that a push event told of was last seen then, though the rest of its repository was not.
pub async fn what_was_seen_in_part_dates_what_comes_after(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")])], 10).await;
    let fence = site.start_event_run(store, &["a:2"], 20).await;
    let mut commit = commit_of("a", &[("2", "two")], RepositoryOutcome::Listed);
    commit.only = Some(vec!["2".parse().unwrap()]);
    store.commit_repository(&fence, &commit, at(20)).await.unwrap();
    store.close_run(&fence, &whole(1), at(21)).await.unwrap();
    site.sync(store, &[("a", &[])], 30).await;
    let found = all(store, site.tenant, None, &FeedPosition::default(), 10).await;
    let told: Vec<_> = found
        .iter()
        .filter_map(|change| match &change.what {
            Changed::Tag(tag) => Some((tag.tag.to_string(), tag.not_before, tag.learnt.trigger)),
            Changed::RegistryRemoved => None,
        })
        .collect();
    let (by_hand, by_event) = (Some(RunTrigger::Manual), Some(RunTrigger::Event));
    let expected = [
        ("1", None, by_hand),
        ("2", Some(at(10)), by_event),
        ("1", Some(at(10)), by_hand),
        ("2", Some(at(20)), by_hand),
    ]
    .map(|(tag, not_before, trigger)| (tag.to_owned(), not_before, trigger));
    assert_eq!(told, expected);
    let history = store
        .history(
            site.tenant,
            site.registry,
            &name("a"),
            None,
            &PageRequest::first(),
        )
        .await
        .unwrap();
    let in_history: Vec<_> = history
        .items
        .iter()
        .rev()
        .map(|line| (line.tag.to_string(), line.not_before, line.learnt.trigger))
        .collect();
    assert_eq!(in_history, expected);
}

/// Settings come back as they were given, with an entry for what changed.
pub async fn retention_is_what_was_last_said(store: &dyn Store) {
    let site = Site::new(store).await;
    assert_eq!(store.retention(site.tenant).await.unwrap(), Retention::default());
    let before = entries(store, site.tenant).await;
    let retention = Retention {
        history_days: Some(400),
        runs_days: None,
    };
    for changed in [true, false] {
        let set = store
            .set_retention(site.tenant, retention, None, &note())
            .await
            .unwrap();
        assert_eq!(set, Some(changed));
    }
    // Whoever has seen it otherwise is told, and changes nothing.
    let (tenant_id, other) = (site.tenant, Retention::default());
    let set = store.set_retention(tenant_id, other, Some(other), &note()).await;
    assert_eq!(set.unwrap(), None);
    let set = store
        .set_retention(tenant_id, retention, Some(retention), &note())
        .await;
    assert_eq!(set.unwrap(), Some(false));
    assert_eq!(store.retention(site.tenant).await.unwrap(), retention);
    assert_eq!(entries(store, site.tenant).await, before + 1);
    let neighbour = tenant(store).await;
    assert_eq!(store.retention(neighbour).await.unwrap(), Retention::default());
}
