//! Questions about the inventory.

use portolan_shared::model::manifest::{ArtifactKind, ChildRole};
use portolan_shared::model::{RepositoryOutcome, limits};
use portolan_store::{
    InventoryTotals, ManifestContent, PageRequest, Placement, PlacementVia, RepositoryFilter, Store,
};

use crate::site::{Site, at, commit_of, digest, image_of, index_of, name, note, put, registry, tenant};

/// In pages, over several registries, by part of a name in any case.
pub async fn repositories_are_listed_by_registry_and_name(store: &dyn Store) {
    let mut site = Site::new(store).await;
    site.sync(store, &[("Acme/b", &[]), ("acme/a", &[]), ("tools/c", &[])], 10)
        .await;
    let first = site.registry;
    let other = registry(site.tenant, "a-first", &[site.sensor]);
    store.add_registry(&other, at(11), &note()).await.unwrap();
    site.registry = other.id;
    site.sync(store, &[("acme/z", &[])], 12).await;
    let list = |filter: RepositoryFilter| async move {
        let mut seen = Vec::new();
        let mut page = PageRequest {
            after: None,
            limit: 2,
        };
        loop {
            let found = store.repositories(site.tenant, &filter, &page).await.unwrap();
            assert!(found.items.len() <= 2);
            seen.extend(
                found
                    .items
                    .iter()
                    .map(|record| format!("{} {}", record.registry_name, record.name)),
            );
            let Some(next) = found.next else { return seen };
            page.after = Some(next);
        }
    };
    let all = ["a-first acme/z", "gl Acme/b", "gl acme/a", "gl tools/c"];
    assert_eq!(list(RepositoryFilter::default()).await, all);
    let contains = Some("aCME".to_owned());
    assert_eq!(
        list(RepositoryFilter {
            contains,
            ..RepositoryFilter::default()
        })
        .await,
        all[..3]
    );
    assert_eq!(
        list(RepositoryFilter {
            registry: Some(first),
            ..RepositoryFilter::default()
        })
        .await,
        all[1..]
    );
    let contains = Some("%".to_owned());
    assert!(
        list(RepositoryFilter {
            contains,
            ..RepositoryFilter::default()
        })
        .await
        .is_empty()
    );
}

/// What the tag does not tell, its manifest may.
pub async fn tags_come_in_pages_with_what_is_known_of_their_manifests(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let mut commit = commit_of(
        "a",
        &[("1", "one"), ("2", "two"), ("3", "three")],
        RepositoryOutcome::Listed,
    );
    for seen in &mut commit.tags {
        seen.media_type = None;
        seen.size = 0;
    }
    let chart = ManifestContent {
        kind: ArtifactKind::HelmChart,
        ..image_of("two")
    };
    store.put_content(&fence, &[put(chart)], at(10)).await.unwrap();
    store.commit_repository(&fence, &commit, at(10)).await.unwrap();
    let page = PageRequest {
        after: None,
        limit: 2,
    };
    let first = store
        .tags(site.tenant, site.registry, &name("a"), &page)
        .await
        .unwrap();
    let [one, two] = first.items.as_slice() else {
        panic!("{first:?}")
    };
    assert_eq!(
        (one.tag.as_str(), &one.media_type, one.size, one.kind),
        ("1", &None, 0, None)
    );
    assert_eq!((two.size, two.kind), (3, Some(ArtifactKind::HelmChart)));
    assert_eq!(two.media_type, Some(image_of("two").media_type));
    let page = PageRequest {
        after: first.next,
        limit: 2,
    };
    let rest = store
        .tags(site.tenant, site.registry, &name("a"), &page)
        .await
        .unwrap();
    assert_eq!(
        (rest.items.len(), rest.items[0].tag.as_str(), rest.next),
        (1, "3", None)
    );
    let nowhere = store
        .tags(site.tenant, site.registry, &name("b"), &PageRequest::first())
        .await
        .unwrap();
    assert!(nowhere.items.is_empty());
}

/// Oldest first, to the bound.
pub async fn referrers_are_found_by_their_subject(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let signature = |content: &str| ManifestContent {
        kind: ArtifactKind::CosignSignature,
        subject: Some(digest("image")),
        ..image_of(content)
    };
    store
        .put_content(&fence, &[put(signature("second"))], at(12))
        .await
        .unwrap();
    store
        .put_content(&fence, &[put(signature("first")), put(image_of("image"))], at(11))
        .await
        .unwrap();
    let found = store
        .referrers(site.tenant, &digest("image"))
        .await
        .unwrap()
        .items;
    let digests: Vec<_> = found.iter().map(|referrer| referrer.digest.clone()).collect();
    assert_eq!(digests, [digest("first"), digest("second")]);
    assert_eq!((found[0].kind, found[0].size), (ArtifactKind::CosignSignature, 5));
    assert!(
        store
            .referrers(site.tenant, &digest("first"))
            .await
            .unwrap()
            .items
            .is_empty()
    );
    // With the two that are there, as many as are given, then one more.
    for (numbers, cut) in [(2..limits::REFERRERS, false), (0..1, true)] {
        let more: Vec<_> = numbers.map(|i| put(signature(&i.to_string()))).collect();
        store.put_content(&fence, &more, at(13)).await.unwrap();
        let found = store.referrers(site.tenant, &digest("image")).await.unwrap();
        assert_eq!((found.items.len(), found.cut), (limits::REFERRERS, cut));
        assert_eq!(found.items[0].digest, digest("first"));
    }
}

fn place(placement: &Placement) -> (&str, &str, PlacementVia) {
    (
        placement.repository.as_str(),
        placement.tag.as_str(),
        placement.via,
    )
}

/// An index within an index, an image in it, its config, its attestation, and a signature of it.
pub async fn a_digest_is_found_by_tag_index_config_and_subject(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let image = ManifestContent {
        config: Some(digest("config")),
        ..image_of("image")
    };
    let mut inner = index_of("inner", &["image"]);
    inner
        .children
        .push((digest("attestation"), ChildRole::Attestation));
    let signature = ManifestContent {
        subject: Some(digest("outer")),
        ..image_of("signature")
    };
    let content = [
        put(image),
        put(inner),
        put(index_of("outer", &["inner"])),
        put(signature),
    ];
    store.put_content(&fence, &content, at(11)).await.unwrap();
    for (repository, tags) in [
        ("a", [("direct", "image"), ("multi", "outer")]),
        ("b", [("nested", "inner"), ("other", "other")]),
    ] {
        let commit = commit_of(repository, &tags, RepositoryOutcome::Listed);
        store.commit_repository(&fence, &commit, at(12)).await.unwrap();
    }
    use PlacementVia::{Parent, Subject, Tag};
    let through = [("a", "multi", Parent), ("b", "nested", Parent)];
    let cases = [
        ("image", vec![("a", "direct", Tag), through[0], through[1]]),
        ("config", vec![("a", "direct", Parent), through[0], through[1]]),
        ("attestation", through.to_vec()),
        ("outer", vec![("a", "multi", Tag)]),
        ("signature", vec![("a", "multi", Subject)]),
        ("nowhere", Vec::new()),
    ];
    for (content, expected) in cases {
        let found = store
            .placements(site.tenant, &digest(content), &PageRequest::first())
            .await
            .unwrap()
            .page;
        assert_eq!(
            found.items.iter().map(place).collect::<Vec<_>>(),
            expected,
            "{content}"
        );
        assert!(
            found
                .items
                .iter()
                .all(|placement| placement.registry_name.as_str() == "gl")
        );
    }
}

/// Not every one of very many indexes is followed; that there are more is said.
pub async fn more_ways_to_a_digest_than_are_followed_are_told(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    // With the digest itself, as many as are followed, then one more.
    for (numbers, cut) in [(1..1_000, false), (0..1, true)] {
        let indexes: Vec<_> = numbers
            .map(|i| put(index_of(&format!("index {i}"), &["child"])))
            .collect();
        store.put_content(&fence, &indexes, at(11)).await.unwrap();
        let found = store
            .placements(site.tenant, &digest("child"), &PageRequest::first())
            .await
            .unwrap();
        assert_eq!(found.cut, cut);
    }
}

/// Over repositories and registries, without gaps or repeats.
pub async fn placements_come_in_pages(store: &dyn Store) {
    let mut site = Site::new(store).await;
    site.sync(
        store,
        &[
            ("a", &[("1", "x"), ("2", "y"), ("3", "x"), ("4", "x")]),
            ("b", &[("1", "x")]),
        ],
        10,
    )
    .await;
    let other = registry(site.tenant, "second", &[site.sensor]);
    store.add_registry(&other, at(11), &note()).await.unwrap();
    site.registry = other.id;
    site.sync(store, &[("a", &[("1", "y"), ("2", "x")])], 12).await;
    let expected = ["gl a 1", "gl a 3", "gl a 4", "gl b 1", "second a 2"];
    for limit in 1..=6 {
        let mut seen = Vec::new();
        let mut page = PageRequest { after: None, limit };
        loop {
            let found = store.placements(site.tenant, &digest("x"), &page).await.unwrap();
            assert!(!found.cut);
            let found = found.page;
            assert!(!found.items.is_empty() && found.items.len() <= usize::from(limit));
            seen.extend(
                found
                    .items
                    .iter()
                    .map(|p| format!("{} {} {}", p.registry_name, p.repository, p.tag)),
            );
            let Some(next) = found.next else { break };
            page.after = Some(next);
        }
        assert_eq!(seen, expected, "pages of {limit}");
    }
}

/// What has vanished, and what is only known by name, does not count.
pub async fn totals_count_what_is_there(store: &dyn Store) {
    let site = Site::new(store).await;
    site.sync(
        store,
        &[("a", &[("1", "one"), ("2", "two")]), ("b", &[("1", "one")])],
        10,
    )
    .await;
    site.sync(store, &[("a", &[("1", "one"), ("2", "two")])], 20)
        .await;
    assert_eq!(
        store.totals(site.tenant).await.unwrap(),
        InventoryTotals {
            registries: 1,
            repositories: 1,
            tags: 2,
            manifests: 2
        }
    );
}

/// Not by guessing ids, names or digests either.
pub async fn another_tenant_sees_nothing(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.sync(store, &[("a", &[("1", "one")])], 10).await;
    let stranger = tenant(store).await;
    let page = PageRequest::first();
    let all = RepositoryFilter {
        vanished: true,
        ..RepositoryFilter::default()
    };
    assert!(
        store
            .repositories(stranger, &all, &page)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(
        store
            .repository(stranger, site.registry, &name("a"))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .tags(stranger, site.registry, &name("a"), &page)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let tag = "1".parse().unwrap();
    assert!(
        store
            .tag(stranger, site.registry, &name("a"), &tag)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .history(stranger, site.registry, &name("a"), None, &page)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(
        store
            .placements(stranger, &digest("one"), &page)
            .await
            .unwrap()
            .page
            .items
            .is_empty()
    );
    assert!(store.run(stranger, fence.attempt.run).await.unwrap().is_none());
    assert!(
        store
            .run_coverage(stranger, fence.attempt.run, None, &page)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(store.registry(stranger, site.registry).await.unwrap().is_none());
    assert!(
        store
            .remove_registry(stranger, site.registry, &note(), &|_| None)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(store.totals(stranger).await.unwrap(), InventoryTotals::default());
    assert_eq!(store.totals(site.tenant).await.unwrap().tags, 1);
}
