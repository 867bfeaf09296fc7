//! What the generator makes.

use std::collections::{BTreeMap, BTreeSet};

use portolan_doubles::Content;
use portolan_doubles::content::{BenchShape, CANARY, FIXTURE_CONFIG, FIXTURE_INDEX, FIXTURE_MANIFEST};
use portolan_shared::model::manifest::{ArtifactKind, ChildRole, ImageFacts, Manifest};
use portolan_shared::model::{Digest, MediaType};

/// Every manifest and config that an inventory would follow from a tag is there. Returns how many requests that takes beyond the
/// lists: a HEAD per tag, a GET per distinct manifest and config.
fn walk(content: &Content) -> usize {
    let mut requests = 0;
    let mut seen = BTreeSet::new();
    for (name, repository) in content.repositories() {
        let mut next: Vec<Digest> = repository.tags().values().cloned().collect();
        requests += next.len();
        let mut here = BTreeSet::new();
        while let Some(digest) = next.pop() {
            if !here.insert(digest.clone()) {
                continue;
            }
            let stored = content
                .manifest_in(name.as_str(), &digest)
                .ok_or_else(|| format!("{name} lacks {digest}"))
                .unwrap();
            digest.verify(&stored.bytes).unwrap();
            requests += usize::from(seen.insert(digest));
            let manifest = Manifest::parse(&stored.bytes, Some(&stored.media_type)).unwrap();
            let children = manifest
                .children
                .iter()
                .filter(|child| child.role != ChildRole::CacheLayer);
            next.extend(children.map(|child| child.descriptor.digest.clone()));
            if let Some(config) = manifest
                .config
                .filter(|config| config.media_type.is_image_config())
            {
                let blob = content
                    .blob_in(name.as_str(), &config.digest)
                    .ok_or_else(|| format!("{name} lacks a config"))
                    .unwrap();
                assert_eq!(config.size, blob.len() as u64);
                requests += usize::from(seen.insert(config.digest));
            }
        }
    }
    requests
}

#[test]
fn the_demo_is_of_the_promised_size_whole_and_the_same_every_time() {
    let demo = Content::demo();
    assert!(
        (38..=46).contains(&demo.repositories().len()),
        "{}",
        demo.repositories().len()
    );
    assert!((560..=660).contains(&demo.tag_count()), "{}", demo.tag_count());
    assert_eq!(demo.expected(), Content::demo().expected());
    walk(&demo);
    let kinds: BTreeSet<_> = demo
        .manifests()
        .values()
        .map(|stored| {
            Manifest::parse(&stored.bytes, Some(&stored.media_type))
                .unwrap()
                .kind
        })
        .map(ArtifactKind::as_str)
        .collect();
    for kind in [
        "image",
        "index",
        "helm_chart",
        "cosign_signature",
        "notation_signature",
        "sbom",
        "attestation",
        "build_cache",
        "wasm",
        "artifact",
    ] {
        assert!(kinds.contains(kind), "{kind}");
    }
    let distinct: BTreeSet<_> = demo.expected().into_values().collect();
    assert!(
        distinct.len() * 10 < demo.tag_count() * 8,
        "many tags share a digest: {}",
        distinct.len()
    );
}

#[test]
fn every_kind_is_what_its_tag_says() {
    let content = Content::every_kind(true);
    walk(&content);
    let tags = content.repository("acme/kinds").unwrap().tags();
    let kinds: BTreeMap<&str, &str> = tags
        .iter()
        .filter(|(tag, _)| !tag.as_str().starts_with("sha256-"))
        .map(|(tag, digest)| {
            let stored = &content.manifests()[digest];
            (
                tag.as_str(),
                Manifest::parse(&stored.bytes, Some(&stored.media_type))
                    .unwrap()
                    .kind
                    .as_str(),
            )
        })
        .collect();
    let expected = [
        ("artifact", "artifact"),
        ("attestation", "attestation"),
        ("build-cache", "build_cache"),
        ("build-cache-index", "build_cache"),
        ("cosign-bundle", "cosign_signature"),
        ("docker-image", "image"),
        ("docker-list", "index"),
        ("helm-chart", "helm_chart"),
        ("image", "image"),
        ("index", "index"),
        ("nested-index", "index"),
        ("notation-signature", "notation_signature"),
        ("old-attestations", "index"),
        ("provenance-bundle", "attestation"),
        ("sbom", "sbom"),
        ("schema1", "docker_schema1"),
        ("untyped", "image"),
        ("wasm", "wasm"),
    ];
    assert_eq!(kinds, BTreeMap::from(expected));
    let by_suffix = |suffix: &str| {
        let (_, digest) = tags
            .iter()
            .find(|(tag, _)| tag.as_str().ends_with(suffix))
            .unwrap();
        let stored = &content.manifests()[digest];
        Manifest::parse(&stored.bytes, Some(&stored.media_type))
            .unwrap()
            .kind
            .as_str()
    };
    assert_eq!(by_suffix(".sig"), "cosign_signature");
    assert_eq!(by_suffix(".att"), "attestation");
    assert_eq!(by_suffix(".sbom"), "sbom");
}

#[test]
fn the_benchmark_has_its_shape() {
    let content = Content::bench(BenchShape::default());
    assert_eq!(content.repositories().len(), 100);
    assert_eq!(content.tag_count(), 10_000);
    let distinct: BTreeSet<_> = content.expected().into_values().collect();
    assert!((6_999..=7_001).contains(&distinct.len()), "{}", distinct.len());
    let indexes = distinct
        .iter()
        .filter(|digest| content.manifests()[*digest].media_type.is_index())
        .count();
    assert!((1_749..=1_751).contains(&indexes), "{indexes}");
    // The catalog and a page of tags per repository come on top.
    let requests = walk(&content);
    assert!((29_200..=29_300).contains(&requests), "{requests}");
}

#[test]
fn secrets_are_hidden_in_configs_and_facts_leave_them_there() {
    let content = Content::every_kind(false);
    assert!(content.canaries().len() >= 9);
    assert!(
        content
            .canaries()
            .iter()
            .all(|canary| canary.len() > CANARY.len() + 8)
    );
    let mut configs = 0;
    for stored in content.manifests().values() {
        let manifest = Manifest::parse(&stored.bytes, Some(&stored.media_type)).unwrap();
        for config in manifest
            .config
            .iter()
            .filter(|config| config.media_type.is_image_config())
        {
            let blob = &content.blobs()[&config.digest];
            let facts = ImageFacts::from_config(blob).unwrap().to_json();
            assert!(!String::from_utf8(facts).unwrap().contains(CANARY));
            configs += usize::from(String::from_utf8_lossy(blob).contains(CANARY));
        }
    }
    assert!(configs > 5, "{configs}");
}

#[test]
fn the_fixture_has_the_digests_that_are_known_of_it() {
    let known = [
        (
            FIXTURE_CONFIG,
            "53335d84e97889dc5f00af1bffa104aeab44003305259f9c7ee02acfabf1b49c",
        ),
        (
            FIXTURE_MANIFEST,
            "fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae",
        ),
        (
            FIXTURE_INDEX,
            "d4e696df29e7087291c82501b60b3d013b3c6498a13b57cfc8b813bc5c642af8",
        ),
    ];
    for (bytes, hex) in known {
        assert_eq!(
            Digest::sha256_of(bytes.as_bytes()).to_string(),
            format!("sha256:{hex}")
        );
    }
}

#[test]
fn tags_move_and_vanish_and_manifests_get_lost() {
    let mut content = Content::gitlab_fixture();
    let index = content.resolve("acme/shop/api", "multi").unwrap().clone();
    let mut shelf = content.shelf("acme/shop/api");
    shelf.tag("latest", &index).untag("1.0.1").lose(&index);
    assert_eq!(content.resolve("acme/shop/api", "latest"), Some(&index));
    assert_eq!(content.resolve("acme/shop/api", "1.0.1"), None);
    assert!(content.manifest_in("acme/shop/api", &index).is_none());
    assert_eq!(content.manifests()[&index].media_type, MediaType::OCI_INDEX);
    content.remove_repository("acme/open");
    assert!(content.repository("acme/open").is_none());
}
