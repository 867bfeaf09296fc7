//! What the end of a run means for repositories that were not found.

use portolan_shared::model::{RepositoryOutcome, RepositoryPatterns};
use portolan_store::{LedgerChange, PageRequest, RegistryChange, RepositoryFilter, RunClosing, Store};

use crate::site::{Site, at, commit_listed as commit, commit_of, digest, name, present, whole};

/// Their tags vanish with them; the ledger says so.
pub async fn repositories_vanish_only_after_a_complete_listing_of_the_whole_registry(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(
        store,
        &[("a", &[("1", "one")]), ("b", &[("1", "one"), ("2", "two")])],
        10,
    )
    .await;
    let fence = site.start(store, 20).await;
    commit(store, &fence, "a", 21).await;
    let cut = RunClosing {
        discovery_complete: false,
        ..whole(1)
    };
    assert_eq!(
        store
            .close_run(&fence, &cut, at(22))
            .await
            .unwrap()
            .repositories_vanished,
        0
    );
    let run = site.queue_scope(store, &["a"], 30).await;
    let fence = site.lease(store, run, 30).await;
    commit(store, &fence, "a", 31).await;
    assert_eq!(
        store
            .close_run(&fence, &whole(1), at(32))
            .await
            .unwrap()
            .repositories_vanished,
        0
    );
    assert_eq!(present(store, &site).await, ["a", "b"]);
    let fence = site.start(store, 40).await;
    commit(store, &fence, "a", 41).await;
    assert_eq!(
        store
            .close_run(&fence, &whole(1), at(42))
            .await
            .unwrap()
            .repositories_vanished,
        1
    );
    assert_eq!(present(store, &site).await, ["a"]);
    let gone = store
        .repository(site.tenant, site.registry, &name("b"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((gone.tags, gone.vanished_at), (0, Some(at(42))));
    let history = store
        .history(
            site.tenant,
            site.registry,
            &name("b"),
            None,
            &PageRequest::first(),
        )
        .await
        .unwrap()
        .items;
    assert_eq!(history.len(), 4);
    assert_eq!(history[1].change, LedgerChange::Vanished(digest("one")));
    assert_eq!(
        (history[1].noticed_at, history[1].not_before),
        (at(42), Some(at(10)))
    );
    assert_eq!(history[1].learnt.run, fence.attempt.run);
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!((run.changes.appeared, run.changes.vanished), (0, 2));
    let filter = RepositoryFilter {
        vanished: true,
        ..RepositoryFilter::default()
    };
    let all = store
        .repositories(site.tenant, &filter, &PageRequest::first())
        .await
        .unwrap();
    assert_eq!(all.items.len(), 2);
}

/// Whoever narrows the patterns has not deleted anything.
pub async fn repositories_outside_the_patterns_do_not_vanish(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(
        store,
        &[
            ("acme/a", &[("1", "one")]),
            ("acme/b", &[("1", "one")]),
            ("tools/c", &[("1", "one")]),
        ],
        10,
    )
    .await;
    let repositories = Some(RepositoryPatterns::new(vec!["acme/*".to_owned()]).unwrap());
    site.set(
        store,
        RegistryChange {
            repositories,
            ..RegistryChange::default()
        },
    )
    .await;
    let fence = site.start(store, 20).await;
    commit(store, &fence, "acme/a", 21).await;
    let closed = store
        .close_run(
            &fence,
            &RunClosing {
                filtered: 1,
                ..whole(2)
            },
            at(22),
        )
        .await
        .unwrap();
    assert_eq!(closed.repositories_vanished, 1);
    assert_eq!(present(store, &site).await, ["acme/a", "tools/c"]);
}

/// As little has vanished what an expression or a `!` leaves out.
pub async fn repositories_that_are_left_out_do_not_vanish(store: &dyn Store) {
    let site = Site::new(store).await;
    let tags: &[(&str, &str)] = &[("1", "one")];
    let all = ["acme/a", "acme/b", "acme/scratch", "acme/tmp-1", "tools/c"];
    site.sync(store, &all.map(|name| (name, tags)), 10).await;
    let patterns = ["re:acme/[a-z]+(-[0-9]+)?", "!acme/tmp-*", "!re:.*/scratch"];
    let repositories = RepositoryPatterns::new(patterns.map(str::to_owned).to_vec()).unwrap();
    let change = RegistryChange {
        repositories: Some(repositories),
        ..RegistryChange::default()
    };
    site.set(store, change).await;
    let fence = site.start(store, 20).await;
    commit(store, &fence, "acme/a", 21).await;
    let closing = RunClosing {
        filtered: 3,
        ..whole(4)
    };
    let closed = store.close_run(&fence, &closing, at(22)).await.unwrap();
    assert_eq!(closed.repositories_vanished, 1);
    assert_eq!(
        present(store, &site).await,
        ["acme/a", "acme/scratch", "acme/tmp-1", "tools/c"]
    );
}

/// It is the same repository, and its ledger goes on.
pub async fn a_repository_that_comes_back_keeps_its_history(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")])], 10).await;
    let fence = site.start(store, 20).await;
    store.close_run(&fence, &whole(0), at(20)).await.unwrap();
    assert!(present(store, &site).await.is_empty());
    let fence = site.start(store, 30).await;
    let same = commit_of("a", &[("1", "one")], RepositoryOutcome::Listed);
    let offer = portolan_store::OfferedRepository {
        repository: name("a"),
        state_hash: same.state_hash,
        tags: 1,
        age: same.age,
    };
    assert_eq!(
        store.offer_repositories(&fence, &[offer], at(30)).await.unwrap(),
        [true]
    );
    assert_eq!(
        store
            .commit_repository(&fence, &same, at(30))
            .await
            .unwrap()
            .appeared,
        1
    );
    store.close_run(&fence, &whole(1), at(30)).await.unwrap();
    let back = store
        .repository(site.tenant, site.registry, &name("a"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (back.tags, back.vanished_at, back.first_seen_at),
        (1, None, at(10))
    );
    let history = store
        .history(
            site.tenant,
            site.registry,
            &name("a"),
            None,
            &PageRequest::first(),
        )
        .await
        .unwrap()
        .items;
    assert_eq!(
        history.iter().map(|row| row.change.clone()).collect::<Vec<_>>(),
        [
            LedgerChange::Appeared(digest("one")),
            LedgerChange::Vanished(digest("one")),
            LedgerChange::Appeared(digest("one")),
        ]
    );
}

/// What was listed by other patterns, or at another address, says nothing of what there is by the new ones.
pub async fn nothing_vanishes_by_a_run_in_which_the_registry_was_changed(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")]), ("b", &[("1", "one")])], 10)
        .await;
    for (changed, vanished) in [(true, 0), (false, 1)] {
        let fence = site.start(store, 20).await;
        commit(store, &fence, "a", 21).await;
        if changed {
            let change = RegistryChange {
                url: Some("https://other.example.com".parse().unwrap()),
                ..RegistryChange::default()
            };
            site.set(store, change).await;
        }
        let closed = store.close_run(&fence, &whole(1), at(22)).await.unwrap();
        assert_eq!(closed.repositories_vanished, vanished, "changed: {changed}");
    }
    assert_eq!(present(store, &site).await, ["a"]);
}
