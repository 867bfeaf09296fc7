//! What is wanted of what is offered.

use std::time::Duration;

use portolan_shared::model::{FindingCode, RepositoryOutcome, StateHash, limits};
use portolan_store::{Content, ContentKind, Fence, OfferedRepository, RepositoryCommit, Store, StoreError};

use crate::site::{Site, at, commit_of, digest, image_of, name, put, whole};

fn offered(commit: &RepositoryCommit) -> OfferedRepository {
    OfferedRepository {
        repository: commit.repository.clone(),
        state_hash: commit.state_hash,
        tags: u32::try_from(commit.tags.len()).unwrap(),
        age: commit.age,
    }
}

async fn changed(store: &dyn Store, fence: &Fence, commit: &RepositoryCommit, seconds: i64) -> bool {
    store
        .offer_repositories(fence, &[offered(commit)], at(seconds))
        .await
        .unwrap()[0]
}

/// A resumed run asks what is left to do.
pub async fn a_repository_is_pending_until_this_run_commits_it(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")])], 10).await;
    let fence = site.start(store, 20).await;
    let names = [name("a"), name("b"), name("a")];
    let pending = |fence: Fence| {
        let names = names.clone();
        async move { store.pending_repositories(&fence, &names).await.unwrap() }
    };
    assert_eq!(
        pending(fence).await,
        [true, true, true],
        "another run committed it"
    );
    let commit = commit_of("a", &[("1", "two")], RepositoryOutcome::Incomplete);
    store.commit_repository(&fence, &commit, at(21)).await.unwrap();
    store.return_lease(&fence, at(22)).await.unwrap();
    let next = site.lease(store, fence.attempt.run, 23).await;
    assert_eq!(
        pending(next).await,
        [false, true, false],
        "an earlier attempt committed it"
    );
}

/// Each of the conditions alone is not enough.
pub async fn unchanged_only_if_listed_with_the_same_hash_and_all_held(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let listed = commit_of("a", &[("1", "one"), ("2", "two")], RepositoryOutcome::Listed);
    assert!(changed(store, &fence, &listed, 10).await, "never seen");
    store
        .put_content(&fence, &[put(image_of("one"))], at(11))
        .await
        .unwrap();
    store.commit_repository(&fence, &listed, at(11)).await.unwrap();
    assert!(
        changed(store, &fence, &listed, 12).await,
        "one manifest is not held"
    );
    store
        .put_content(&fence, &[put(image_of("two"))], at(13))
        .await
        .unwrap();
    let incomplete = RepositoryCommit {
        outcome: RepositoryOutcome::Incomplete,
        ..listed.clone()
    };
    store
        .commit_repository(&fence, &incomplete, at(13))
        .await
        .unwrap();
    assert!(
        changed(store, &fence, &listed, 14).await,
        "it was not committed as listed"
    );
    store.commit_repository(&fence, &listed, at(15)).await.unwrap();
    assert!(!changed(store, &fence, &listed, 16).await);
    let other = RepositoryCommit {
        state_hash: StateHash([1; 32]),
        ..listed.clone()
    };
    assert!(changed(store, &fence, &other, 17).await);
    let elsewhere = RepositoryCommit {
        repository: name("b"),
        ..listed
    };
    assert!(changed(store, &fence, &elsewhere, 18).await);
}

/// What was too large before is so again, as long as nothing moves: the repository is not read for it.
pub async fn a_tag_that_is_too_large_does_not_make_a_repository_changed(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let listed = commit_of("a", &[("1", "one")], RepositoryOutcome::Listed);
    for (code, expected) in [
        (FindingCode::Unavailable, true),
        (FindingCode::ManifestTooLarge, false),
    ] {
        let missing = Content::Unavailable {
            kind: ContentKind::Manifest,
            digest: digest("one"),
            size: 0,
            media_type: None,
            code,
        };
        store.put_content(&fence, &[missing], at(11)).await.unwrap();
        let incomplete = RepositoryCommit {
            outcome: RepositoryOutcome::Incomplete,
            ..listed.clone()
        };
        store
            .commit_repository(&fence, &incomplete, at(11))
            .await
            .unwrap();
        store.commit_repository(&fence, &listed, at(12)).await.unwrap();
        assert_eq!(changed(store, &fence, &listed, 13).await, expected, "{code}");
    }
}

/// One line is all that an unchanged repository costs.
pub async fn unchanged_counts_as_committed_by_this_run(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(store, &[("a", &[("1", "one")]), ("b", &[("1", "one")])], 10)
        .await;
    let fence = site.start(store, 20).await;
    let (a, b) = (
        commit_of("a", &[("1", "one")], RepositoryOutcome::Listed),
        commit_of("b", &[("1", "two")], RepositoryOutcome::Listed),
    );
    let answers = store
        .offer_repositories(&fence, &[offered(&b), offered(&a)], at(21))
        .await
        .unwrap();
    assert_eq!(answers, [true, false]);
    let pending = store
        .pending_repositories(&fence, &[name("a"), name("b")])
        .await
        .unwrap();
    assert_eq!(pending, [false, true]);
    let record = store
        .repository(site.tenant, site.registry, &name("a"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.outcome, RepositoryOutcome::Unchanged);
    assert_eq!(
        (record.last_attempt_at, record.last_success_at),
        (at(21), Some(at(21)))
    );
    store
        .put_content(&fence, &[put(image_of("two"))], at(22))
        .await
        .unwrap();
    store.commit_repository(&fence, &b, at(22)).await.unwrap();
    store.close_run(&fence, &whole(2), at(23)).await.unwrap();
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!(
        (run.coverage.unchanged, run.coverage.listed, run.coverage.tags),
        (1, 1, 2)
    );
    let history = store
        .history(
            site.tenant,
            site.registry,
            &name("b"),
            None,
            &portolan_store::PageRequest::first(),
        )
        .await
        .unwrap();
    assert_eq!(history.items[0].not_before, Some(at(10)));
}

/// At the bound it works, above it nothing happens.
pub async fn more_than_an_offer_may_have_is_refused(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let repositories = |count: usize| {
        (0..count)
            .map(|i| OfferedRepository {
                repository: name(&format!("r{i}")),
                state_hash: StateHash([0; 32]),
                tags: 0,
                age: Duration::ZERO,
            })
            .collect::<Vec<_>>()
    };
    let most = repositories(limits::REPOSITORIES_PER_OFFER);
    let answers = store.offer_repositories(&fence, &most, at(11)).await.unwrap();
    assert_eq!(answers, vec![true; limits::REPOSITORIES_PER_OFFER]);
    let more = repositories(limits::REPOSITORIES_PER_OFFER + 1);
    let refused = store.offer_repositories(&fence, &more, at(11)).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })));
    let mut digests: Vec<_> = (0..limits::DIGESTS_PER_OFFER)
        .map(|i| digest(&i.to_string()))
        .collect();
    let answers = store
        .offer_digests(&fence, ContentKind::Manifest, &digests)
        .await
        .unwrap();
    assert_eq!(answers, vec![true; limits::DIGESTS_PER_OFFER]);
    digests.push(digest("one more"));
    let refused = store.offer_digests(&fence, ContentKind::Manifest, &digests).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })));
}
