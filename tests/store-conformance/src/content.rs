//! Manifests and image facts, have and want.

use portolan_shared::model::{Digest, FindingCode, RepositoryOutcome};
use portolan_store::{Content, ContentKind, Fence, ManifestContent, Store};

use crate::site::{Site, at, commit_of, digest, image_of, index_of, name, put};

async fn wanted(store: &dyn Store, fence: &Fence, kind: ContentKind, digests: &[Digest]) -> Vec<bool> {
    store.offer_digests(fence, kind, digests).await.unwrap()
}

fn facts(content: &str) -> Content {
    Content::ImageFacts {
        digest: digest(content),
        size: 9,
        json: br#"{"user":"app"}"#.to_vec(),
    }
}

fn unavailable(kind: ContentKind, content: &str, code: FindingCode) -> Content {
    Content::Unavailable {
        kind,
        digest: digest(content),
        size: 0,
        media_type: None,
        code,
    }
}

/// A manifest and facts of the same digest are two things.
pub async fn content_is_wanted_until_it_is_held(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let both = [digest("one"), digest("two")];
    assert_eq!(
        wanted(store, &fence, ContentKind::Manifest, &both).await,
        [true, true]
    );
    let new = store
        .put_content(&fence, &[put(image_of("one")), facts("two")], at(11))
        .await
        .unwrap();
    assert_eq!(new, 2);
    assert_eq!(
        wanted(store, &fence, ContentKind::Manifest, &both).await,
        [false, true]
    );
    assert_eq!(
        wanted(store, &fence, ContentKind::ImageFacts, &both).await,
        [true, false]
    );
    let held = store.manifest(site.tenant, &both[0]).await.unwrap().unwrap();
    assert_eq!(held.bytes.as_deref(), Some(b"one".as_slice()));
    assert_eq!((held.size, held.first_seen_at), (3, at(11)));
    let json = store.image_facts(site.tenant, &both[1]).await.unwrap().unwrap();
    assert_eq!(json, br#"{"user":"app"}"#);
    assert!(store.image_facts(site.tenant, &both[0]).await.unwrap().is_none());
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!(run.content_stored, 2);
}

/// And is never replaced by less.
pub async fn an_incomplete_manifest_stays_wanted_until_it_is_whole(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let index = [digest("index")];
    let incomplete = ManifestContent {
        incomplete: true,
        ..index_of("index", &["child"])
    };
    for new in [1, 0] {
        let stored = store
            .put_content(&fence, &[put(incomplete.clone())], at(11))
            .await
            .unwrap();
        assert_eq!(stored, new);
        assert_eq!(wanted(store, &fence, ContentKind::Manifest, &index).await, [true]);
    }
    store
        .put_content(&fence, &[put(index_of("index", &["child"]))], at(12))
        .await
        .unwrap();
    assert_eq!(
        wanted(store, &fence, ContentKind::Manifest, &index).await,
        [false]
    );
    let missing = unavailable(ContentKind::Manifest, "index", FindingCode::Unavailable);
    store
        .put_content(&fence, &[put(incomplete), missing], at(13))
        .await
        .unwrap();
    assert_eq!(
        wanted(store, &fence, ContentKind::Manifest, &index).await,
        [false]
    );
    let held = store.manifest(site.tenant, &index[0]).await.unwrap().unwrap();
    assert!(held.bytes.is_some() && held.unavailable.is_none());
    assert_eq!(held.first_seen_at, at(11));
}

/// What one place lacks, or holds larger than it should be, another may have: a claim of one does not hide it.
pub async fn what_is_not_held_stays_wanted_whatever_was_said_of_it(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let cases = [
        FindingCode::ManifestTooLarge,
        FindingCode::TooLarge,
        FindingCode::ManifestChildMissing,
        FindingCode::ManifestTooDeep,
        FindingCode::DigestMismatch,
        FindingCode::ConfigUnreadable,
        FindingCode::Unavailable,
    ];
    for code in cases {
        let content = code.as_str();
        for kind in [ContentKind::Manifest, ContentKind::ImageFacts] {
            let new = store
                .put_content(&fence, &[unavailable(kind, content, code)], at(11))
                .await
                .unwrap();
            assert_eq!(new, 0);
            assert_eq!(
                wanted(store, &fence, kind, &[digest(content)]).await,
                [true],
                "{code}"
            );
        }
        let known = store
            .manifest(site.tenant, &digest(content))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((known.unavailable, known.bytes), (Some(code), None));
        let new = store
            .put_content(&fence, &[put(image_of(content)), facts(content)], at(12))
            .await
            .unwrap();
        assert_eq!(new, 2, "it could be had after all");
        let held = store
            .manifest(site.tenant, &digest(content))
            .await
            .unwrap()
            .unwrap();
        assert!(held.unavailable.is_none() && held.bytes.is_some());
        for kind in [ContentKind::Manifest, ContentKind::ImageFacts] {
            assert_eq!(
                wanted(store, &fence, kind, &[digest(content)]).await,
                [false],
                "{code}"
            );
        }
    }
}

/// A size is what somebody claims: one that no database has room for is kept as the largest, and is no reason to fail.
pub async fn the_largest_sizes_are_stored(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let manifest = ManifestContent {
        content_size: u64::MAX,
        ..image_of("one")
    };
    let missing = |kind| Content::Unavailable {
        kind,
        digest: digest("missing"),
        size: u64::MAX,
        media_type: None,
        code: FindingCode::ManifestTooLarge,
    };
    let content = [
        put(manifest),
        Content::ImageFacts {
            digest: digest("facts"),
            size: u64::MAX,
            json: b"{}".to_vec(),
        },
        missing(ContentKind::Manifest),
        missing(ContentKind::ImageFacts),
    ];
    assert_eq!(store.put_content(&fence, &content, at(11)).await.unwrap(), 2);
    let mut commit = commit_of("a", &[("1", "one")], RepositoryOutcome::Listed);
    commit.tags[0].size = u64::MAX;
    store.commit_repository(&fence, &commit, at(11)).await.unwrap();
    let largest = i64::MAX.unsigned_abs();
    let known = store
        .manifest(site.tenant, &digest("missing"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(known.size, largest);
    let tag = store
        .tag(site.tenant, site.registry, &name("a"), &commit.tags[0].tag)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(tag.size, largest);
}

/// Knowing a digest is not having what it names.
pub async fn content_is_held_for_one_tenant_alone(store: &dyn Store) {
    let (site, other) = (Site::new(store).await, Site::new(store).await);
    let fence = site.start(store, 10).await;
    store
        .put_content(&fence, &[put(image_of("one")), facts("two")], at(11))
        .await
        .unwrap();
    let stranger = other.start(store, 12).await;
    assert_eq!(
        wanted(store, &stranger, ContentKind::Manifest, &[digest("one")]).await,
        [true]
    );
    assert_eq!(
        wanted(store, &stranger, ContentKind::ImageFacts, &[digest("two")]).await,
        [true]
    );
    assert!(
        store
            .manifest(other.tenant, &digest("one"))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .image_facts(other.tenant, &digest("two"))
            .await
            .unwrap()
            .is_none()
    );
}

/// In one batch or in two.
pub async fn the_same_content_twice_is_stored_once(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let batch = [
        put(index_of("index", &["one"])),
        put(image_of("one")),
        put(image_of("one")),
        facts("c"),
        facts("c"),
    ];
    assert_eq!(store.put_content(&fence, &batch, at(11)).await.unwrap(), 3);
    assert_eq!(store.put_content(&fence, &batch, at(12)).await.unwrap(), 0);
    assert_eq!(store.totals(site.tenant).await.unwrap().manifests, 2);
    assert_eq!(store.put_content(&fence, &[], at(13)).await.unwrap(), 0);
}
