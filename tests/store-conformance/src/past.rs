//! What was, and what is different since.

use jiff::Timestamp;
use portolan_shared::model::RepositoryOutcome;
use portolan_store::{LedgerChange, PageRequest, Past, PastTag, RepositoryCommit, Store, TagDifference};

use crate::site::{Site, at, commit_of, digest, name, whole};

pub(crate) const DAY: i64 = 86_400;

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
            Past::NotYet(first) => return Past::NotYet(first),
        };
        found.extend(answer.page.items);
        page.after = answer.page.next;
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
            Past::NotYet(first) => return Past::NotYet(first),
        };
        found.extend(answer.page.items);
        page.after = answer.page.next;
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
        other => panic!("{other:?}"),
    };
    assert_eq!(tags_at(store, &site, "a", at(9), 1).await, Past::NotYet(at(10)));
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

/// Since when all of a repository, or of a registry, is known; none if some tags were looked at alone, or no run of the whole was complete.
pub async fn what_was_known_when_is_said(store: &dyn Store) {
    let site = Site::new(store).await;
    let of_tags = async |seconds| {
        let page = PageRequest::first();
        let answer = store
            .tags_at(site.tenant, site.registry, &name("a"), at(seconds), &page)
            .await;
        match answer.unwrap() {
            Past::Known(answer) => (answer.page.items.len(), answer.known_from),
            other => panic!("{other:?}"),
        }
    };
    let of_registry = async || {
        let page = PageRequest::first();
        let answer = store.differences(site.tenant, site.registry, at(5), &page).await;
        match answer.unwrap() {
            Past::Known(answer) => answer.known_from,
            other => panic!("{other:?}"),
        }
    };
    let look = site.start_event_run(store, &["a:1"], 10).await;
    let part = RepositoryCommit {
        only: Some(vec!["1".parse().unwrap()]),
        ..commit_of("a", &[("1", "one")], RepositoryOutcome::Listed)
    };
    store.commit_repository(&look, &part, at(11)).await.unwrap();
    store.close_run(&look, &whole(1), at(12)).await.unwrap();
    assert_eq!(of_tags(11).await, (1, None));
    let fence = site.start(store, 20).await;
    let cut = commit_of("a", &[("1", "one"), ("2", "two")], RepositoryOutcome::Truncated);
    store.commit_repository(&fence, &cut, at(21)).await.unwrap();
    store.close_run(&fence, &whole(1), at(22)).await.unwrap();
    assert_eq!(
        (of_tags(21).await, of_registry().await),
        ((2, None), None),
        "there may have been more"
    );
    site.sync(store, &[("a", &[("1", "one"), ("2", "two")])], 30)
        .await;
    site.sync(store, &[("a", &[("2", "two")])], 40).await;
    assert_eq!(
        (of_tags(21).await, of_registry().await),
        ((2, Some(at(30))), Some(at(30)))
    );
    assert_eq!(of_tags(40).await, (1, Some(at(30))));
    site.sync(store, &[], 50).await;
    assert_eq!(
        of_tags(50).await,
        (0, Some(at(30))),
        "that it is gone is known as well"
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
