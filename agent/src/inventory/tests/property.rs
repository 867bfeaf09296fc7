//! Random registries, random faults, random paces.

use std::collections::{BTreeMap, BTreeSet};

use portolan_shared::model::manifest::Manifest;
use portolan_shared::model::{Digest, FindingCode, RunState, limits};
use proptest::prelude::*;

use super::control_plane::Stored;
use super::image::{self, Blob};
use super::registry::{MemoryRegistry, Request};
use super::scene::{Scene, fetched, has_repeats};
use crate::inventory::Failure;

/// Indexes list what comes before them; anything may refer to anything.
#[derive(Debug, Clone)]
struct Shape {
    images: usize,
    indexes: Vec<Vec<prop::sample::Index>>,
    tags: Vec<(u8, u8, prop::sample::Index)>,
    referrers: Vec<(prop::sample::Index, prop::sample::Index)>,
    has_referrers: bool,
    faults: Vec<(prop::sample::Index, u8)>,
    page: usize,
    held_bytes: usize,
    repositories: usize,
    small: usize,
    window: usize,
}

fn shape() -> impl Strategy<Value = Shape> {
    let any_index = any::<prop::sample::Index>;
    (
        (
            1..6_usize,
            prop::collection::vec(prop::collection::vec(any_index(), 0..4), 0..6),
            prop::collection::vec((0..6_u8, 0..6_u8, any_index()), 0..25),
            prop::collection::vec((any_index(), any_index()), 0..6),
            any::<bool>(),
            prop::collection::vec((any_index(), 0..4_u8), 0..6),
        ),
        (
            0..4_usize,
            prop_oneof![Just(1_usize), Just(5_000), Just(1 << 20)],
            1..6_usize,
            1..5_usize,
            1..5_usize,
        ),
    )
        .prop_map(
            |((images, indexes, tags, referrers, has_referrers, faults), pace)| Shape {
                images,
                indexes,
                tags,
                referrers,
                has_referrers,
                faults,
                page: pace.0,
                held_bytes: pace.1,
                repositories: pace.2,
                small: pace.3,
                window: pace.4,
            },
        )
}

fn scene(shape: &Shape) -> (Scene, Vec<Blob>) {
    let registry = MemoryRegistry {
        page: shape.page,
        has_referrers: shape.has_referrers,
        ..MemoryRegistry::default()
    };
    let mut manifests = Vec::new();
    for n in 0..shape.images {
        let (manifest, config) = image::image(&n.to_string());
        registry.add(&config);
        manifests.push(manifest);
    }
    for (n, children) in shape.indexes.iter().enumerate() {
        let children: Vec<&Blob> = children.iter().map(|child| child.get(&manifests)).collect();
        let index = image::index(&children, &n.to_string());
        manifests.push(index);
    }
    for manifest in &manifests {
        registry.add(manifest);
    }
    for (repository, tag, manifest) in &shape.tags {
        registry.tag(
            &format!("r{repository}"),
            &format!("t{tag}"),
            manifest.get(&manifests),
        );
    }
    for (subject, referrer) in &shape.referrers {
        registry.refer(subject.get(&manifests), referrer.get(&manifests));
    }
    let mut scene = Scene::of(registry);
    let pace = &mut scene.walk.pace;
    pace.held_bytes = shape.held_bytes;
    pace.repositories = shape.repositories;
    pace.small_repository = shape.small;
    pace.requests = shape.window;
    pace.tags = shape.window;
    pace.manifests = shape.window;
    pace.manifests_of_repository = shape.window + 1;
    pace.children = shape.window;
    pace.batch_bytes = 2_000;
    (scene, manifests)
}

/// Everything that hangs on tags, by way of children, with how many levels below the nearest tag it lies.
fn below_tags(scene: &Scene) -> BTreeMap<Digest, usize> {
    let content = scene.registry.content.lock().unwrap();
    let mut found = BTreeMap::new();
    let tagged = scene.true_tag_sets().into_iter().flat_map(|(_, tags)| tags);
    let mut level: BTreeSet<Digest> = tagged.map(|(_, digest)| digest).collect();
    for depth in 0.. {
        level.retain(|digest| !found.contains_key(digest));
        if level.is_empty() {
            break;
        }
        found.extend(level.iter().map(|digest| (digest.clone(), depth)));
        let children = |digest: &Digest| Manifest::parse(&content[digest].bytes, None).unwrap().children;
        let below = level.iter().flat_map(children);
        level = below.map(|child| child.descriptor.digest).collect();
    }
    found
}

/// Whether anything was met deeper than is read. How much is read of what lies above it depends on where it was met first.
fn too_deep(scene: &Scene) -> bool {
    scene.control_plane.state().too_deep > 0
}

/// Whatever the order in which it was met: tags are whole, and everything that is to be read below them is there.
fn assert_read(scene: &Scene, below_tags: &BTreeMap<Digest, usize>) {
    let state = scene.control_plane.state();
    for (digest, depth) in below_tags {
        let stored = state.manifests.get(digest).copied();
        let read = match depth {
            0 => stored == Some(Stored::Whole),
            1..=limits::INDEX_DEPTH => matches!(stored, Some(Stored::Whole | Stored::Incomplete)),
            _ => true,
        };
        assert!(read, "{digest}, {depth} levels below a tag: {stored:?}");
    }
}

async fn check(shape: &Shape) {
    let (scene, manifests) = scene(shape);
    // First without faults, to see what there is to see.
    let (state, log) = scene.run().await;
    assert_eq!(state, RunState::Complete);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
    assert_read(&scene, &below_tags(&scene));
    let deep = too_deep(&scene);
    if shape.referrers.is_empty() && !deep {
        assert!(!has_repeats(&fetched(&log)), "each digest is fetched once");
    }
    let whole: BTreeSet<Digest> = {
        let state = scene.control_plane.state();
        state
            .manifests
            .iter()
            .filter(|(_, stored)| **stored == Stored::Whole)
            .map(|(digest, _)| digest.clone())
            .collect()
    };
    let (state, log) = scene.run().await;
    assert_eq!(
        (state, fetched(&log)),
        (RunState::Complete, vec![]),
        "the second run fetches nothing"
    );

    // Then a control plane that knows nothing yet, with faults; then without.
    let (scene, _) = self::scene(shape);
    for (at, kind) in &shape.faults {
        let digest = at.get(&manifests).digest.clone();
        let name = format!("r{}", at.index(6));
        let (request, failure) = match kind {
            0 => (Request::Manifest(name, digest), Failure::Passing),
            1 => (Request::Referrers(digest), Failure::Passing),
            2 => (Request::Tags(name, 1), Failure::Passing),
            _ => (Request::Manifest(name, digest), Failure::Denied),
        };
        scene.registry.fail(request, failure, FindingCode::Unavailable);
    }
    scene.run().await;
    scene.registry.heal();
    assert_eq!(scene.run().await.0, RunState::Complete);
    assert_eq!(scene.tag_sets(), scene.true_tag_sets());
    let below_tags = below_tags(&scene);
    assert_read(&scene, &below_tags);
    if deep || too_deep(&scene) {
        return;
    }
    let healed = scene.control_plane.state();
    // Referrers that refer to each other in circles are read after their subjects; one that could not be read then is not looked for again.
    for digest in whole
        .iter()
        .filter(|digest| shape.referrers.is_empty() || below_tags.contains_key(digest))
    {
        let stored = healed.manifests.get(digest);
        assert_eq!(stored, Some(&Stored::Whole), "{digest}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Every walk comes to an end, whatever its bounds; what is stored is closed at every moment (the control plane sees to that); and
    /// faults that pass leave no trace.
    #[test]
    fn any_registry_is_read_whole_in_the_end(shape in shape()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(check(&shape));
    }
}
