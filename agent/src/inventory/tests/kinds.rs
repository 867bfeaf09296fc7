//! Every kind of content, once.

use portolan_shared::model::{Digest, FindingCode, RepositoryOutcome, RunProgress, RunState, limits};
use serde_json::json;

use super::control_plane::Stored;
use super::image::{self, Blob};
use super::registry::Request;
use super::scene::{Scene, fetched, has_repeats};

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

#[tokio::test]
async fn every_kind_of_content_arrives_once_with_everything_below_it() {
    let scene = Scene::new();
    let registry = &scene.registry;
    let (amd, amd_config) = registry.image("acme/shop", "1.0-amd64", "amd");
    let (arm, arm_config) = image::image("arm");
    let attestation_config = image::config("dummy");
    let attestation = image::manifest(&attestation_config, "application/vnd.in-toto+json", "attestation");
    let shop = image::index_of(
        &[
            amd.descriptor(),
            arm.descriptor(),
            image::attestation_entry(&attestation, &amd),
        ],
        "shop",
    );
    let nested = image::index(&[&shop], "nested");
    let chart_config = Blob::new(
        "application/vnd.cncf.helm.config.v1+json",
        b"{\"name\":\"chart\"}".to_vec(),
    );
    let chart = image::manifest(
        &chart_config,
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        "chart",
    );
    let signature_config = image::config("signature");
    let signature = image::manifest(
        &signature_config,
        "application/vnd.dev.cosign.simplesigning.v1+json",
        "signature",
    );
    let cache_layer = Blob::new(GZIP, b"layer".to_vec());
    let cache = image::index(&[&cache_layer], "cache");
    let schema1 = image::schema1();
    for blob in [
        &arm,
        &arm_config,
        &attestation,
        &attestation_config,
        &chart_config,
        &signature_config,
        &cache_layer,
    ] {
        registry.add(blob);
    }
    for (tag, blob) in [
        ("1.0", &shop),
        ("nested", &nested),
        ("chart", &chart),
        ("sha256-0.sig", &signature),
        ("cache", &cache),
        ("old", &schema1),
    ] {
        registry.tag("acme/shop", tag, blob);
    }

    let (state, log) = scene.run().await;

    assert_eq!(state, RunState::Complete);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
    let manifests = [
        &amd,
        &arm,
        &attestation,
        &shop,
        &nested,
        &chart,
        &signature,
        &cache,
        &schema1,
    ];
    for manifest in manifests {
        assert_eq!(scene.manifest(&manifest.digest), Some(Stored::Whole));
    }
    assert_eq!(scene.control_plane.state().manifests.len(), manifests.len());
    let configs = [&amd_config, &arm_config, &signature_config];
    for config in configs {
        assert_eq!(scene.facts(&config.digest), Some(Stored::Whole));
    }
    assert_eq!(scene.control_plane.state().facts.len(), configs.len());
    let fetched = fetched(&log);
    assert!(!has_repeats(&fetched));
    for never in [&cache_layer, &chart_config, &attestation_config] {
        assert!(!fetched.contains(&never.digest), "{}", never.media_type);
    }
}

#[tokio::test]
async fn what_many_repositories_share_is_fetched_once() {
    let scene = Scene::new();
    let (base, config) = image::image("base");
    let multi = image::index(&[&base], "multi");
    scene.registry.add(&config);
    scene.registry.add(&base);
    for n in 0..100 {
        let name = format!("team-{n}/app");
        scene.registry.tag(&name, "base", &base);
        scene.registry.tag(&name, "multi", &multi);
        scene.registry.image(&name, "own", &format!("own-{}", n % 10));
    }
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    let fetched = fetched(&log);
    assert!(!has_repeats(&fetched));
    assert_eq!(fetched.len(), 3 + 2 * 10);
    assert_eq!(scene.control_plane.state().repeats, 0);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
    let progress = *scene.progress.borrow();
    assert_eq!(
        (progress.repositories_total, progress.repositories_done),
        (100, 100)
    );
    assert!(progress.discovered);
    assert_eq!((progress.tags, progress.manifests), (300, 12));
    assert_eq!(
        scene.closing().progress,
        RunProgress {
            requests: log.len() as u64,
            bytes_up: scene.control_plane.state().calls.len() as u64 - 1,
            ..progress
        },
        "the close tells the final numbers, of everything but itself"
    );
}

#[tokio::test]
async fn a_sparse_index_is_complete_and_says_what_is_missing() {
    let scene = Scene::new();
    let (here, config) = image::image("here");
    let (gone, _) = image::image("gone");
    let index = image::index(&[&here, &gone], "sparse");
    scene.registry.add(&here);
    scene.registry.add(&config);
    scene.registry.tag("mirror", "1", &index);
    let (state, _) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert_eq!(scene.manifest(&index.digest), Some(Stored::Whole));
    assert_eq!(
        scene.manifest(&gone.digest),
        Some(Stored::Unavailable(FindingCode::ManifestChildMissing))
    );
}

#[tokio::test]
async fn t45_indexes_nested_without_end_are_read_down_to_the_bound() {
    let scene = Scene::new();
    let (image, _) = image::image("deep");
    let mut chain = vec![image];
    for level in 0..50 {
        chain.push(image::index(&[chain.last().unwrap()], &format!("level {level}")));
    }
    chain.reverse();
    for blob in &chain {
        scene.registry.add(blob);
    }
    scene.registry.tag("deep", "1", &chain[0]);
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    let (read, below) = chain.split_at(limits::INDEX_DEPTH + 1);
    assert_eq!(scene.manifest(&read[0].digest), Some(Stored::Whole));
    for manifest in &read[1..] {
        assert_eq!(scene.manifest(&manifest.digest), Some(Stored::Incomplete));
    }
    assert_eq!(
        scene.manifest(&below[0].digest),
        Some(Stored::Unavailable(FindingCode::ManifestTooDeep))
    );
    assert_eq!(scene.manifest(&below[1].digest), None);
    assert_eq!(fetched(&log).len(), read.len());
    assert_eq!(fetched(&scene.run().await.1), [], "once is enough");
}

#[tokio::test]
async fn what_cannot_be_read_for_good_is_recorded_and_no_shortfall() {
    let scene = Scene::new();
    let registry = &scene.registry;
    let odd = Blob::new(
        "application/vnd.oci.image.manifest.v1+json",
        b"not a manifest".to_vec(),
    );
    registry.tag("r", "odd", &odd);
    let huge = Blob::new(
        "application/vnd.oci.image.manifest.v1+json",
        vec![b' '; limits::MANIFEST_BYTES + 1],
    );
    registry.add(&huge);
    let index = image::index_of(
        &[json!({"mediaType": huge.media_type, "digest": huge.digest, "size": 7})],
        "names something huge, and says that it is small",
    );
    registry.tag("r", "huge", &index);
    let private: Digest = "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8"
        .parse()
        .unwrap();
    registry.tag_digest("r", "private", &private);
    let big = Blob::new(image::OCI_CONFIG, vec![b' '; limits::CONFIG_BYTES + 1]);
    registry.add(&big);
    let big_config = json!({"mediaType": image::OCI_CONFIG, "digest": big.digest, "size": 7});
    let manifest = Blob::new(
        "application/vnd.oci.image.manifest.v1+json",
        serde_json::to_vec(&json!({"schemaVersion": 2, "config": big_config, "layers": []})).unwrap(),
    );
    registry.tag("r", "big", &manifest);

    let (state, log) = scene.run().await;

    assert_eq!(state, RunState::Complete);
    assert_eq!(scene.committed("r"), Some((RepositoryOutcome::Listed, None)));
    for (digest, code) in [
        (&odd.digest, FindingCode::ManifestMalformed),
        (&huge.digest, FindingCode::ManifestTooLarge),
        (&private, FindingCode::DigestMismatch),
    ] {
        assert_eq!(scene.manifest(digest), Some(Stored::Unavailable(code)));
    }
    assert_eq!(
        scene.facts(&big.digest),
        Some(Stored::Unavailable(FindingCode::TooLarge))
    );
    assert!(
        !log.iter()
            .any(|request| matches!(request, Request::Manifest(_, digest) if *digest == private)),
        "what cannot be verified is not fetched"
    );
}

#[tokio::test]
async fn a_claimed_size_makes_nothing_too_large() {
    let scene = Scene::new();
    let config = image::config("small");
    let claimed = json!({"mediaType": image::OCI_CONFIG, "digest": config.digest, "size": u64::MAX >> 1});
    let manifest = Blob::new(
        "application/vnd.oci.image.manifest.v1+json",
        serde_json::to_vec(&json!({"schemaVersion": 2, "config": claimed, "layers": []})).unwrap(),
    );
    let index = image::index_of(
        &[json!({"mediaType": manifest.media_type, "digest": manifest.digest, "size": u64::MAX >> 1})],
        "lies",
    );
    for blob in [&config, &manifest] {
        scene.registry.add(blob);
    }
    scene.registry.tag("r", "1", &index);
    assert_eq!(scene.run().await.0, RunState::Complete);
    assert_eq!(scene.manifest(&manifest.digest), Some(Stored::Whole));
    assert_eq!(scene.facts(&config.digest), Some(Stored::Whole));
}
